//! The path that the kernel starts as PID 1 leads nowhere.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::elf::{Closure, Problem};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/init-missing",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/init-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let init = &tree.init;
    if init.found() {
        return;
    }
    if !init.expected {
        out.could_not_tell(
            Stage::Init,
            "PID 1",
            format!(
                "there is no {} and no package owns one: the root of a container?",
                init.asked
            ),
        );
        return;
    }
    let mut finding = CHECK
        .finding(
            Severity::Blocker,
            &init.asked,
            format!(
                "there is no {}: the kernel has nothing to start",
                init.asked
            ),
        )
        .with(evidence(&init.closure));
    if let Some(instead) = &init.instead {
        finding = finding.with([Evidence::seen(instead, "the program itself is here")]);
    }
    out.push(finding);
}

/// Each link on the way, and where it breaks off.
fn evidence(closure: &Closure) -> Vec<Evidence> {
    let mut all = Vec::new();
    for problem in &closure.problems {
        let (links, end) = match problem {
            Problem::ProgramMissing { at, links, why, .. } => (
                links,
                Evidence::seen(at, why.as_str()).expected("a program"),
            ),
            Problem::LinkLoop { path, links, .. } => (
                links,
                Evidence::seen(path, "links lead in a circle").expected("a program"),
            ),
            _ => continue,
        };
        let followed = links
            .iter()
            .take(8)
            .map(|link| Evidence::seen(&link.at, format!("link to {}", link.target)));
        all.extend(followed);
        all.push(end);
    }
    all
}
