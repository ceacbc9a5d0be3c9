//! A library that PID 1 needs is nowhere where the loader looks.

use super::{Check, some};
use crate::facts::Facts;
use crate::facts::elf::Problem;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/library-missing",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/library-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    for problem in &tree.init.best_closure().problems {
        match problem {
            Problem::LibraryMissing {
                name,
                needed_by,
                searched,
                found_elsewhere,
                not_in_cache,
            } => {
                let mut finding = CHECK
                    .finding(
                        Severity::Blocker,
                        name,
                        format!("PID 1 cannot start: {name} is missing"),
                    )
                    .with([Evidence::seen(needed_by, format!("needs {name}"))])
                    .with(
                        searched
                            .iter()
                            .map(|dir| Evidence::seen(dir, format!("no {name}"))),
                    );
                if let Some(path) = not_in_cache {
                    finding = finding
                        .with([Evidence::seen(path, "is here, but not in /etc/ld.so.cache")])
                        .by_hand("ldconfig -r ROOT");
                } else if !found_elsewhere.is_empty() {
                    finding = finding.because(format!(
                        "only these are there: {}",
                        some(found_elsewhere, 3)
                    ));
                }
                out.push(finding);
            }
            Problem::Unexamined { path, why } => {
                out.could_not_tell(Stage::Init, format!("what {path} needs"), why.as_str());
            }
            _ => {}
        }
    }
}
