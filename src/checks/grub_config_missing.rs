//! GRUB is on the disk, but its configuration is not.

use super::uefi_boot::UefiBoot;
use super::{Check, boot_unseen};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "bootloader/grub-config-missing",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/grub-config-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let Search::Found(info) = &facts.search else {
        return;
    };
    let mut disks = facts.survey.disks.iter();
    let by_bios = disks.any(|disk| disk.grub_boot_code) && !info.disks.is_empty();
    let by_uefi = || UefiBoot::of(facts).is_some_and(|boot| boot.leads_grub_here());
    if !(by_bios || by_uefi()) || tree.kernels.unreadable.is_some() || boot_unseen(tree) {
        return;
    }
    let unread = tree.kernels.grub.as_ref().and_then(|grub| {
        let why = grub.unreadable.as_ref()?;
        Some((&grub.path, why))
    });
    if let Some((path, why)) = unread {
        out.could_not_tell(Stage::Bootloader, path, why.as_str());
        return;
    }
    let entries = tree.kernels.grub.as_ref().map(|grub| grub.entries.len());
    if entries.is_some_and(|count| count > 0) {
        return;
    }
    let (seen, title) = match entries {
        None => ("nothing", "GRUB has no configuration"),
        Some(_) => (
            "no entry that starts Linux",
            "GRUB's configuration is empty",
        ),
    };
    let finding = CHECK
        .finding(Severity::Blocker, "/boot/grub/grub.cfg", title)
        .with([Evidence::seen("/boot/grub/grub.cfg", seen).expected("entries")])
        .by_hand("in a chroot of the patient: update-grub");
    out.push(finding);
}
