//! PID 1, its loader or a library is damaged or for another machine.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::elf::Problem;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/elf-damaged",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/elf-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for problem in &tree.init.best_closure().problems {
        let mut title = "cannot be loaded";
        let (path, seen) = match problem {
            Problem::ProgramDamaged { path, why } | Problem::LibraryDamaged { path, why, .. } => {
                (path, why.clone())
            }
            Problem::InterpreterDamaged {
                interpreter, why, ..
            } => (interpreter, why.clone()),
            Problem::WrongMachine {
                path,
                found,
                expected,
                ..
            } => {
                title = "is for another machine";
                (path, format!("for {found}, not {expected}"))
            }
            Problem::LinkLoop { path, .. } if *path != tree.init.asked => {
                (path, "links lead in a circle".to_owned())
            }
            _ => continue,
        };
        let finding = CHECK
            .finding(
                Severity::Blocker,
                path,
                format!("PID 1 cannot start: {path} {title}"),
            )
            .with([Evidence::seen(path, seen).expected("a sound ELF file")])
            .because(
                "most often a write that was cut off, or a file of another system copied over it",
            );
        out.push(finding);
    }
}
