//! A boot loader of UEFI that is cut off, or no program.

use super::super::Check;
use super::{Fault, UefiBoot, place, seen};
use crate::facts::Facts;
use crate::finding::{Findings, Stage};

pub(in super::super) const CHECK: Check = Check {
    id: "firmware/esp-loader-damaged",
    stage: Stage::Firmware,
    page: include_str!("../../../docs/findings/firmware/esp-loader-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    for (at, fault) in boot.faults() {
        let Fault::Damaged { path, why } = fault else {
            continue;
        };
        let finding = CHECK
            .finding(
                boot.severity(),
                &at.disk.name,
                format!("the boot loader {} is not whole", place(at, path)),
            )
            .with([seen(at, path, why.as_str()).expected("a whole program of UEFI")])
            .because("the partition was full, or the power went, while it was written")
            .by_hand("copy it from the other disk, or in a chroot of the patient: grub-install");
        out.push(finding);
    }
}
