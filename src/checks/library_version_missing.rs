//! A library that PID 1 needs is there, but older than what was built
//! against it.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::elf::Problem;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/library-version-missing",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/library-version-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for problem in &tree.init.best_closure().problems {
        let Problem::VersionMissing {
            library,
            path,
            version,
            needed_by,
        } = problem
        else {
            continue;
        };
        let finding = CHECK
            .finding(
                Severity::Blocker,
                format!("{path} {version}"),
                format!("PID 1 cannot start: {library} lacks version {version}"),
            )
            .with([
                Evidence::seen(needed_by, format!("needs {version} of {library}")),
                Evidence::seen(path, "does not define it").expected(version.as_str()),
            ])
            .because("an upgrade that stopped between the library and its users");
        out.push(finding);
    }
}
