//! A directory is missing on which the kernel's own filesystems are mounted.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/mount-point-missing",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/mount-point-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let missing = &tree.init.missing_mount_points;
    if missing.is_empty() {
        return;
    }
    let evidence = missing.iter();
    let evidence =
        evidence.map(|path| Evidence::seen(path, "it is missing").expected("a directory"));
    let title = format!("there is no {}: PID 1 stops", super::some(missing, 4));
    let finding = CHECK
        .finding(Severity::Blocker, "mount points", title)
        .with(evidence)
        .because("a restore or a copy that left these directories out")
        .by_hand(format!("mkdir ROOT{}", missing.join(" ROOT")));
    out.push(finding);
}
