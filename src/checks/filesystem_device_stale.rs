//! A device of a btrfs missed what the others got.

use super::Check;
use crate::assembly::Volume;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::Content;
use crate::sysroot::filesystems;

pub(super) const CHECK: Check = Check {
    id: "storage/filesystem-device-stale",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/filesystem-device-stale.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for filesystem in filesystems::list(&facts.assembly) {
        let newest = filesystem.volumes().filter_map(generation).max();
        let newest = newest.unwrap_or(0);
        // A crash between two superblocks leaves one commit between them.
        let stale = |volume: &&Volume| generation(volume).is_some_and(|own| own + 1 < newest);
        for volume in filesystem.volumes().filter(stale) {
            let own = generation(volume).unwrap_or(0);
            let seen = format!("generation {own}");
            let finding = CHECK
                .finding(
                    Severity::Degraded,
                    &volume.name,
                    format!("{} holds old data of its btrfs", volume.name),
                )
                .with([Evidence::seen(&volume.name, seen).expected(format!("{newest}"))])
                .because("the disk dropped out, and the machine ran on without it")
                .by_hand("in the running system, with all devices: btrfs scrub start -B /");
            out.push(finding);
        }
    }
}

fn generation(volume: &Volume) -> Option<u64> {
    match &volume.content {
        Content::Signature(found) => found.member.as_ref().map(|member| member.generation),
        _ => None,
    }
}
