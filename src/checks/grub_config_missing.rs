//! GRUB is on the disk, but its configuration is not.

use super::bios_boot::BiosBoot;
use super::uefi_boot::UefiBoot;
use super::{Check, boot_unseen};
use crate::facts::Facts;
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};
use crate::survey::GrubCore;
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
        out.found.extend(elsewhere(facts));
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

/// The menu lies in the other one of /boot/grub and /boot/grub2: every core looks
/// in the directory that its prefix names, and only there.
fn elsewhere(facts: &Facts) -> Option<Finding> {
    let boot = BiosBoot::of(facts)?;
    let menu = &boot.tree.kernels.grub.as_ref()?.path;
    let (folder, _) = menu.rsplit_once('/')?;
    let (_, own) = folder.rsplit_once('/')?;
    let looks = |core: &GrubCore| {
        let (_, last) = core.prefix.as_deref()?.rsplit_once('/')?;
        matches!(last, "grub" | "grub2").then(|| last.to_owned())
    };
    let cores: Vec<_> = boot.own().collect();
    let wrong: Vec<_> = cores
        .iter()
        .filter_map(|(disk, core)| Some((disk, looks(core)?)))
        .filter(|(_, last)| last != own)
        .collect();
    let (_, last) = wrong.first()?;
    let place = format!("/boot/{last}/grub.cfg");
    let seen = wrong
        .iter()
        .map(|(disk, last)| Evidence::seen(&disk.name, format!("its GRUB looks in /boot/{last}")));
    let severity = boot.severity(wrong.len());
    Some(
        CHECK
            .finding(
                severity,
                &place,
                format!("GRUB looks for its menu in /boot/{last}, and it lies in {folder}"),
            )
            .with(seen)
            .with([Evidence::seen(menu, "a menu that GRUB does not look for")])
            .by_hand(format!(
                "in a chroot of the patient: grub-install, or move {menu} to {place}"
            )),
    )
}
