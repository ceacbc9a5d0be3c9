//! Secure Boot is on, and the boot loader has no signature.

use super::super::Check;
use super::{Fault, UefiBoot, place, seen};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Stage};

pub(in super::super) const CHECK: Check = Check {
    id: "firmware/secure-boot-unsigned",
    stage: Stage::Firmware,
    page: include_str!("../../../docs/findings/firmware/secure-boot-unsigned.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    for (at, fault) in boot.faults() {
        let Fault::Unsigned { path } = fault else {
            continue;
        };
        let finding = CHECK
            .finding(
                boot.severity(),
                &at.disk.name,
                format!(
                    "Secure Boot is on, and {} has no signature",
                    place(at, path)
                ),
            )
            .with([
                seen(at, path, "no signature").expected("a signed program"),
                Evidence::seen("SecureBoot in the firmware's memory", "on"),
            ])
            .because("GRUB was installed without shim, or from a rescue system")
            .by_hand("install shim-signed and grub-efi-amd64-signed, or switch Secure Boot off");
        out.push(finding);
    }
}
