//! PID 1 is there and has no execute bit.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::elf::Problem;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/init-not-executable",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/init-not-executable.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for problem in &tree.init.best_closure().problems {
        if let Problem::NotExecutable { path } = problem {
            let finding = CHECK
                .finding(
                    Severity::Blocker,
                    path,
                    format!("{path} cannot be started: it has no execute bit"),
                )
                .with([Evidence::seen(path, "no execute bit").expected("mode 0755")])
                .because("a chmod -R that went too far")
                .by_hand(format!("chmod 755 ROOT{path}"));
            out.push(finding);
        }
    }
}
