//! Libraries without a byte in them, apart from those that PID 1 needs.

use super::surroundings::few;
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/library-empty",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/library-empty.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let empty = &tree.surroundings.empty;
    let Some(first) = empty.first() else { return };
    let title = match empty.len() {
        1 => format!("The library {first} is an empty file"),
        count => format!("{first} and {} more libraries are empty files", count - 1),
    };
    let evidence = empty
        .iter()
        .map(|path| Evidence::seen(path, "0 bytes").expected("a sound ELF file"));
    let finding = CHECK
        .finding(Severity::Degraded, first, title)
        .with(few(evidence.collect()))
        .because("most often power lost during an upgrade")
        .by_hand(format!("grep -lx {first} ROOT/var/lib/dpkg/info/*.list"));
    out.push(finding);
}
