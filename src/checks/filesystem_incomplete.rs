//! A btrfs over several devices lacks some of them.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::filesystems::{self, Filesystem};

pub(super) const CHECK: Check = Check {
    id: "storage/filesystem-incomplete",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/filesystem-incomplete.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let all = filesystems::list(&facts.assembly);
    for filesystem in all.iter().filter(|f| f.missing_devices > 0) {
        let missing = filesystem.missing_devices;
        let present = filesystem.volumes().count();
        let title = format!(
            "the btrfs on {} lacks {missing} of its devices",
            filesystem.name
        );
        let seen = format!("{present} here, {missing} missing");
        let finding = CHECK
            .finding(severity(facts, filesystem), &filesystem.name, title)
            .with([Evidence::seen(&filesystem.name, seen)])
            .by_hand("find the disk; to boot without it once: rootflags=degraded");
        out.push(finding);
    }
}

/// The initramfs waits for all devices of a root; other disks may hold them
/// when the operator picked these.
fn severity(facts: &Facts, filesystem: &Filesystem) -> Severity {
    let root = match &facts.search {
        crate::sysroot::Search::Found(info) => info.parts.first(),
        _ => None,
    };
    let is_root = root.is_some_and(|part| part.device == filesystem.name);
    match (facts.survey.selected, is_root) {
        (true, _) => Severity::Note,
        (false, true) => Severity::Blocker,
        (false, false) => Severity::Degraded,
    }
}
