//! The rescue system was booted in another way than the patient boots.

use super::boot_mode::{self, Mode};
use super::{Check, on_its_disks};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::Firmware;
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "firmware/rescue-mode-differs",
    stage: Stage::Firmware,
    page: include_str!("../../docs/findings/firmware/rescue-mode-differs.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let (Search::Found(info), Some(tree)) = (&facts.search, &facts.tree) else {
        return;
    };
    if !on_its_disks(facts) || facts.survey.selected {
        return;
    }
    let mode = boot_mode::of(facts, info, tree);
    let (rescue, patient) = match (&facts.survey.firmware, mode) {
        (Some(Firmware::Uefi(_)), Mode::Bios) => ("UEFI", "BIOS"),
        (Some(Firmware::Bios), Mode::Uefi) => ("BIOS", "UEFI"),
        _ => return,
    };
    let finding = CHECK
        .finding(
            Severity::Note,
            "",
            format!("the rescue system was booted by {rescue}, and this system boots by {patient}"),
        )
        .with([Evidence::seen(
            "/sys/firmware/efi",
            match rescue {
                "UEFI" => "there",
                _ => "not there",
            },
        )])
        .because("rescue systems are often started in a way of their own")
        .by_hand(format!(
            "see that the firmware is set to {patient}; do not run grub-install for {rescue}"
        ));
    out.push(finding);
}
