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
        // One of another release is the cause, and told as such.
        let mut pairs = tree.surroundings.pairs.iter();
        if pairs.any(|pair| {
            pair.starts_pid1
                && pair.mismatch().is_some()
                && [&pair.libc, &pair.real_loader].contains(&path)
        }) {
            continue;
        }
        let mut shadows = tree.surroundings.shadows.iter();
        let shadow = shadows.find(|shadow| shadow.winner.real_path == *path);
        let mut finding = CHECK
            .finding(
                Severity::Blocker,
                format!("{path} {version}"),
                format!("PID 1 cannot start: {library} lacks version {version}"),
            )
            .with([
                Evidence::seen(needed_by, format!("needs {version} of {library}")),
                Evidence::seen(path, "does not define it").expected(version.as_str()),
            ]);
        finding = match shadow {
            Some(shadow) => finding
                .because(format!(
                    "it takes the place of the system's own {}",
                    shadow.system.path
                ))
                .by_hand(format!(
                    "mv ROOT{0} ROOT{0}.aside; ldconfig -r ROOT",
                    shadow.winner.path
                )),
            None => finding.because("an upgrade that stopped between the library and its users"),
        };
        out.push(finding);
    }
}
