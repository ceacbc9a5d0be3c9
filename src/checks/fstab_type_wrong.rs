//! fstab names another type of filesystem than the device has.

use std::path::Path;

use super::Check;
use crate::facts::Facts;
use crate::facts::mounts::{Device, Line};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "services/fstab-type-wrong",
    stage: Stage::Services,
    page: include_str!("../../docs/findings/services/fstab-type-wrong.md"),
    run,
};

/// Types that each have one meaning, with those that mount the same.
const FAMILIES: [&[&str]; 7] = [
    &["ext2", "ext3", "ext4"],
    &["xfs"],
    &["btrfs"],
    &["vfat", "msdos", "fat"],
    &["swap"],
    &["luks"],
    &["f2fs"],
];

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    for line in &tree.mounts.lines {
        let entry = &line.entry;
        let Device::Present { name, format } = &line.device else {
            continue;
        };
        if entry.has("noauto") || !differ(&entry.fstype, format) {
            continue;
        }
        let target = entry.target.display();
        let place = format!("/etc/fstab line {}", entry.line);
        let title = format!(
            "{target} cannot be mounted as {}: it is {format}",
            entry.fstype
        );
        let finding = CHECK
            .finding(severity(line), &entry.spec, title)
            .with([
                Evidence::seen(place, entry.fstype.as_str()).expected(format.as_str()),
                Evidence::seen(name.as_str(), format.as_str()),
            ])
            .by_hand(format!("correct the third field of the line of {target}"));
        out.push(finding);
    }
}

/// True when both are known and one is not the other.
fn differ(wanted: &str, format: &str) -> bool {
    let family = |name: &str| FAMILIES.iter().position(|family| family.contains(&name));
    match (family(wanted), family(format)) {
        (Some(wanted), Some(found)) => wanted != found,
        _ => false,
    }
}

/// The initramfs mounts the root by what lies on the disk.
fn severity(line: &Line) -> Severity {
    let entry = &line.entry;
    let later = entry.has("nofail") || entry.has("x-systemd.automount");
    if later || entry.target == Path::new("/") {
        Severity::Note
    } else if entry.is_swap() || entry.has("_netdev") {
        Severity::Degraded
    } else {
        Severity::Blocker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_driver_serves_a_whole_family() {
        assert!(!differ("ext3", "ext4"));
        assert!(!differ("auto", "xfs"));
        assert!(!differ("ext4", "something-new"));
        assert!(differ("ext4", "xfs"));
        assert!(differ("ext4", "luks"));
        assert!(differ("swap", "ext4"));
    }
}
