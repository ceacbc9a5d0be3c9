//! A library that PID 1 needs is nowhere where the loader looks.

use std::path::Path;

use super::{Check, some, tree_with_usr};
use crate::facts::elf::Problem;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/library-missing",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/library-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
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
                    .with([
                        Evidence::seen(needed_by, format!("needs {name}")),
                        Evidence::seen("the loader", format!("looks in {}", some(searched, 6))),
                    ])
                    .with(lost(tree, searched));
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

/// The places among `searched` that are not as they should be themselves.
fn lost(tree: &Tree, searched: &[String]) -> Vec<Evidence> {
    let suspects = tree.layout.suspects.iter();
    suspects
        .filter(|suspect| {
            searched.iter().any(|dir| {
                let real = tree.layout.real_name(Path::new(dir));
                real.starts_with(&suspect.path) || Path::new(dir).starts_with(&suspect.path)
            })
        })
        .map(|suspect| Evidence::seen(&suspect.path, "is not what it should be"))
        .collect()
}
