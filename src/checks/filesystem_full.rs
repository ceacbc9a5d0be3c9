//! A filesystem that the system writes to has no room left.

use super::{Check, on_its_disks};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "services/filesystem-full",
    stage: Stage::Services,
    page: include_str!("../../docs/findings/services/filesystem-full.md"),
    run,
};

/// Types that grow and shrink; a compressed image is always full.
const WRITABLE: [&str; 7] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat"];

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let (Search::Found(found), true) = (&facts.search, on_its_disks(facts)) else {
        return;
    };
    for full in &tree.mounts.full {
        let target = full.target.as_str();
        let part = found
            .parts
            .iter()
            .filter(|p| std::path::Path::new(target).starts_with(&p.target));
        let part = part.max_by_key(|part| part.target.as_os_str().len());
        let Some(part) = part.filter(|part| WRITABLE.contains(&part.fstype.as_str())) else {
            continue;
        };
        let (title, severity) = if target == "/boot" {
            (
                "/boot is full: no initramfs can be written".to_owned(),
                Severity::Note,
            )
        } else {
            (
                format!("{target} is full: services that write there fail"),
                Severity::Degraded,
            )
        };
        let seen = match full.files_free {
            Some(files) => format!("{} KiB and {files} files free", full.bytes_free / 1024),
            None => format!("{} KiB free", full.bytes_free / 1024),
        };
        let finding = CHECK
            .finding(severity, target, title)
            .with([
                Evidence::seen(target, seen),
                Evidence::seen(part.device.as_str(), part.fstype.as_str()),
            ])
            .by_hand(
                "du -x -d 2 ROOT/var | sort -n | tail; old logs first, no .deb of a half upgrade",
            );
        out.push(finding);
    }
}
