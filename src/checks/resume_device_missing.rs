//! The boot waits for a device to resume from, and no disk has it.

use super::Check;
use crate::facts::Facts;
use crate::facts::mounts::Device;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/resume-device-missing",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/resume-device-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let Some((place, spec, Device::Absent)) = &tree.initramfs.resume else {
        return;
    };
    let title = format!("the boot waits for {spec} to resume from, which is on no disk");
    let finding = CHECK
        .finding(Severity::Note, spec, title)
        .with([Evidence::seen(place, format!("resume from {spec}"))
            .expected("swap on these disks, or no such word")])
        .because("the swap area was made anew; each boot waits half a minute, and goes on")
        .by_hand(
            "correct RESUME= in /etc/initramfs-tools/conf.d/resume, or resume= in \
             /etc/default/grub; then, in a chroot: update-initramfs -u, update-grub",
        );
    out.push(finding);
}
