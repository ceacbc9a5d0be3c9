//! A boot loader of UEFI for another kind of machine than its name says.

use super::super::Check;
use super::{Fault, UefiBoot, place, seen};
use crate::facts::Facts;
use crate::finding::{Findings, Stage};

pub(in super::super) const CHECK: Check = Check {
    id: "firmware/esp-loader-wrong-machine",
    stage: Stage::Firmware,
    page: include_str!("../../../docs/findings/firmware/esp-loader-wrong-machine.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    for (at, fault) in boot.faults() {
        let Fault::WrongMachine {
            path,
            machine,
            expected,
        } = fault
        else {
            continue;
        };
        let finding = CHECK
            .finding(
                boot.severity(),
                &at.disk.name,
                format!("the boot loader {} is for {machine}", place(at, path)),
            )
            .with([seen(at, path, format!("a program for {machine}"))
                .expected(format!("a program for {expected}"))])
            .because("grub-install was told, or found, another platform")
            .by_hand("in a chroot of the patient: grub-install --target=x86_64-efi");
        out.push(finding);
    }
}
