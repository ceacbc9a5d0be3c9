//! An EFI system partition that the firmware cannot read.

use super::super::Check;
use super::UefiBoot;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Stage};

pub(in super::super) const CHECK: Check = Check {
    id: "firmware/esp-unreadable",
    stage: Stage::Firmware,
    page: include_str!("../../../docs/findings/firmware/esp-unreadable.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    for at in &boot.esps {
        let Some(why) = &at.esp.unreadable else {
            continue;
        };
        let name = &at.part.name;
        let finding = CHECK
            .finding(
                boot.severity(),
                &at.disk.name,
                format!("the EFI system partition {name} cannot be read"),
            )
            .with([Evidence::seen(name, why.as_str()).expected("a FAT filesystem")])
            .because("it was never formatted, overwritten, or the power went while it was written")
            .by_hand(format!(
                "fsck.vfat -n {name}; if it is lost: mkfs.vfat, and copy /EFI from the other disk"
            ));
        out.push(finding);
    }
}
