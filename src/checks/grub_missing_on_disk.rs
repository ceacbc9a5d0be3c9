//! A disk of the root's mirror without a boot loader.

use super::Check;
use super::bios_boot::{on_a_mirror, own_disks, place};
use super::boot_mode::{self, Mode};
use crate::facts::packages::Packages;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::grub_core::Trouble;
use crate::survey::{Disk, GrubCore};
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "bootloader/grub-missing-on-disk",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/grub-missing-on-disk.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let (Search::Found(info), Some(tree)) = (&facts.search, &facts.tree) else {
        return;
    };
    let disks = own_disks(facts, info);
    if disks.is_empty() {
        return;
    }
    let mode = boot_mode::of(facts, info, tree);
    if mode == Mode::OpenFirmware {
        return out.could_not_tell(
            Stage::Bootloader,
            "the boot loader",
            "what is on the PReP boot partition is not examined by this version",
        );
    }
    if !mode.may_be_bios() {
        return;
    }
    for disk in &disks {
        let trouble = disk
            .grub_core
            .as_ref()
            .and_then(|core| core.trouble.as_ref());
        if let Some(Trouble::Unreadable { why }) = trouble {
            let what = format!("GRUB's core on {}", disk.name);
            out.could_not_tell(Stage::Bootloader, what, why.as_str());
        }
    }
    let without: Vec<&Disk> = disks
        .iter()
        .copied()
        .filter(|disk| !has_grub(disk))
        .collect();
    if without.is_empty() {
        return;
    }
    if !super::bios_boot::boots_itself(facts, tree) {
        return;
    }
    // A boot loader on a third disk may be this system's, or another's.
    let none = !disks.iter().any(|disk| has_grub(disk));
    if none && facts.survey.disks.iter().any(has_grub) {
        out.could_not_tell(
            Stage::Bootloader,
            "the boot loader",
            "no disk of this root has one; whether the one on another disk \
             starts this system is not known",
        );
        return;
    }
    if none && !uses_grub(tree) {
        out.could_not_tell(
            Stage::Bootloader,
            "the boot loader",
            "it is not GRUB, and this version examines no other",
        );
        return;
    }
    if none && disks.iter().all(|disk| disk.table.is_none()) {
        out.could_not_tell(
            Stage::Bootloader,
            "the boot loader",
            "no disk of this root has one, nor a partition table: what runs this \
             machine may start its kernel by itself",
        );
        return;
    }
    // Of disks without redundancy one is booted from; the others need nothing.
    if !none && !on_a_mirror(facts, info) {
        return;
    }
    if none {
        mode.tell_either(out);
    }
    let severity = if none && mode == Mode::Bios {
        Severity::Blocker
    } else {
        Severity::Degraded
    };
    for disk in without {
        let finding = CHECK
            .finding(
                severity,
                &disk.name,
                format!("{} has no boot loader of its own", disk.name),
            )
            .with(evidence(disk))
            .because("GRUB was installed to one disk only, or the disk was replaced")
            .by_hand(format!(
                "in a chroot of the patient: grub-install /dev/{}",
                disk.name
            ));
        out.push(finding);
    }
}

/// True when the patient has GRUB's configuration or package.
fn uses_grub(tree: &Tree) -> bool {
    let package = match &tree.packages {
        Packages::Dpkg(dpkg) => dpkg.has(|name| name == "grub-pc"),
        _ => false,
    };
    package || tree.kernels.grub.is_some()
}

/// Boot code in the first sector, and something in the partition it loads.
fn has_grub(disk: &Disk) -> bool {
    if lost_core(disk).is_some() {
        return false;
    }
    let embedded = disk
        .partitions
        .iter()
        .filter(|part| part.purpose == "bios-boot")
        .all(|part| !part.blank);
    disk.grub_boot_code && embedded
}

/// The core that the boot code would load, and that is not there.
fn lost_core(disk: &Disk) -> Option<&GrubCore> {
    let core = disk.grub_core.as_ref()?;
    (core.trouble == Some(Trouble::Absent)).then_some(core)
}

fn evidence(disk: &Disk) -> Vec<Evidence> {
    let mut all = Vec::new();
    if !disk.grub_boot_code {
        all.push(
            Evidence::seen(
                format!("/dev/{} sector 0", disk.name),
                "no boot code of GRUB",
            )
            .expected("GRUB"),
        );
    }
    if let Some(core) = lost_core(disk) {
        let seen = "something else than GRUB's core";
        all.push(Evidence::seen(place(disk, core), seen).expected("what the boot code loads"));
        return all;
    }
    let blank = disk
        .partitions
        .iter()
        .filter(|part| part.purpose == "bios-boot" && part.blank);
    all.extend(blank.map(|part| {
        Evidence::seen(&part.name, "a BIOS boot partition full of zeros").expected("GRUB's core")
    }));
    all
}
