//! GRUB on an EFI system partition looks for its menu on a filesystem that is on no
//! disk.

use super::super::Check;
use super::{Fault, UefiBoot, seen};
use crate::facts::Facts;
use crate::finding::{Findings, Stage};

pub(in super::super) const CHECK: Check = Check {
    id: "bootloader/esp-uuid-unknown",
    stage: Stage::Bootloader,
    page: include_str!("../../../docs/findings/bootloader/esp-uuid-unknown.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    for (at, fault) in boot.faults() {
        let Fault::UnknownUuid { path, uuid } = fault else {
            continue;
        };
        let finding = CHECK
            .finding(
                boot.severity(),
                &at.disk.name,
                format!(
                    "GRUB on {} looks for its menu on {uuid}, which is on no disk",
                    at.part.name
                ),
            )
            .with([seen(at, path, uuid.as_str()).expected("the filesystem that holds /boot")])
            .because("the filesystem was made anew or copied, or this GRUB is of an older system")
            .by_hand("put the right UUID into that grub.cfg, or in a chroot: grub-install");
        out.push(finding);
    }
}
