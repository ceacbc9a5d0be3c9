//! GRUB on an EFI system partition has no configuration where it looks.

use super::super::Check;
use super::{Fault, UefiBoot, place, seen};
use crate::facts::Facts;
use crate::finding::{Findings, Stage};

pub(in super::super) const CHECK: Check = Check {
    id: "bootloader/esp-config-missing",
    stage: Stage::Bootloader,
    page: include_str!("../../../docs/findings/bootloader/esp-config-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    for (at, fault) in boot.faults() {
        let Fault::NoConfig { path, wanted } = fault else {
            continue;
        };
        let finding = CHECK
            .finding(
                boot.severity(),
                &at.disk.name,
                format!("GRUB in {} has no configuration", place(at, path)),
            )
            .with([seen(at, wanted, "nothing").expected("where GRUB's menu lies")])
            .because("GRUB of one distribution looks in its own directory, and that is not there")
            .by_hand("in a chroot of the patient: grub-install, or copy grub.cfg from another ESP");
        out.push(finding);
    }
}
