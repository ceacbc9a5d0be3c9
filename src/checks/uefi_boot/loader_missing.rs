//! No boot loader where the firmware looks for one, or one that it starts lacks the
//! next.

use super::super::Check;
use super::{By, End, Fault, Outcome, UefiBoot, seen};
use crate::facts::Facts;
use crate::finding::{Findings, Stage};

pub(in super::super) const CHECK: Check = Check {
    id: "firmware/esp-loader-missing",
    stage: Stage::Firmware,
    page: include_str!("../../../docs/findings/firmware/esp-loader-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    for at in &boot.esps {
        if at.esp.unreadable.is_some() || !boot.has_no_loader(at.esp) {
            continue;
        }
        let name = &at.part.name;
        let what = match at.esp.files.is_empty() {
            true => "no file at all",
            false => "no boot loader",
        };
        let finding = CHECK
            .finding(
                boot.severity(),
                &at.disk.name,
                format!("the EFI system partition {name} has no boot loader"),
            )
            .with([seen(*at, "/EFI", what).expected("/EFI/BOOT/BOOTX64.EFI")])
            .because("grub-install ran for the other disk only, or the disk was replaced")
            .by_hand("copy /EFI from the other disk, or in a chroot: grub-install --removable");
        out.push(finding);
    }
    for (at, fault) in boot.faults() {
        let Fault::Missing { path } = fault else {
            continue;
        };
        // An entry of the firmware for a file that is not there is told as such.
        let is_start = boot.starts.iter().any(|start| start.path == *path);
        if is_start {
            continue;
        }
        let finding = CHECK
            .finding(
                boot.severity(),
                &at.disk.name,
                format!("shim on {} has nothing to start", at.part.name),
            )
            .with([seen(at, path, "nothing").expected("GRUB, which shim starts")])
            .because("it was removed, or a copy of the partition stopped halfway")
            .by_hand("copy /EFI from the other disk, or in a chroot: grub-install");
        out.push(finding);
    }
    tell_unknown(&boot, out);
}

/// What is not known of the way to the boot loader.
fn tell_unknown(boot: &UefiBoot<'_>, out: &mut Findings) {
    if boot.outcome() == Outcome::Stops {
        boot.mode.tell_either(out);
    }
    if boot.outcome() != Outcome::Unknown {
        return;
    }
    let odd = boot.starts.iter().find_map(|start| match &start.end {
        End::Unknown(why) => Some((start, why.clone())),
        End::Another => Some((start, "it goes to another system's filesystem".into())),
        _ => None,
    });
    let unseen = boot.starts.iter().find(|start| start.by == By::Unseen);
    match (odd, unseen) {
        (Some((start, why)), _) => {
            let what = format!("where {} on {} goes", start.path, start.at.part.name);
            out.could_not_tell(Stage::Firmware, what, why);
        }
        (None, Some(start)) => out.could_not_tell(
            Stage::Firmware,
            format!("whether the firmware starts {}", start.path),
            "only its entry in the firmware's memory leads there, which is seen in a rescue \
             system that was booted by UEFI on this machine",
        ),
        (None, None) => out.could_not_tell(
            Stage::Firmware,
            "the boot loader on the EFI system partition",
            "a part of it could not be read",
        ),
    }
}
