//! The dynamic loader that PID 1 names is not there.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::elf::Problem;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/interpreter-missing",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/interpreter-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for problem in &tree.init.best_closure().problems {
        let Problem::InterpreterMissing {
            interpreter,
            needed_by,
            at,
            links,
            why,
        } = problem
        else {
            continue;
        };
        let followed = links
            .iter()
            .take(8)
            .map(|link| Evidence::seen(&link.at, format!("link to {}", link.target)));
        let finding = CHECK
            .finding(
                Severity::Blocker,
                interpreter,
                format!("{needed_by} cannot start: its loader {interpreter} is missing"),
            )
            .with(followed)
            .with([Evidence::seen(at, why.as_str()).expected("the dynamic loader")])
            .because("every other program needs the same loader, so a chroot fails as well");
        out.push(finding);
    }
}
