//! A disk of a UEFI machine without an EFI system partition.

use super::super::Check;
use super::super::bios_boot::{on_a_mirror, own_disks};
use super::super::boot_mode::{self, Mode};
use super::UefiBoot;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::Disk;

pub(in super::super) const CHECK: Check = Check {
    id: "firmware/esp-missing",
    stage: Stage::Firmware,
    page: include_str!("../../../docs/findings/firmware/esp-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    let disks = own_disks(facts, boot.info);
    let has_esp = |disk: &&Disk| disk.partitions.iter().any(|part| part.purpose == "esp");
    let (with, without): (Vec<&Disk>, Vec<&Disk>) = disks.into_iter().partition(has_esp);
    // An ESP on a disk that is not the root's serves them all.
    let none = boot_mode::esps(facts).next().is_none();
    if !none && (with.is_empty() || !on_a_mirror(facts, boot.info)) {
        return;
    }
    if none && without.iter().any(|disk| disk.table_problem.is_some()) {
        out.could_not_tell(
            Stage::Firmware,
            "the EFI system partition",
            "a partition table is damaged; it may be in it",
        );
        return;
    }
    let severity = match none && boot.mode == Mode::Uefi {
        true => Severity::Blocker,
        false => Severity::Degraded,
    };
    for disk in without {
        let finding = CHECK
            .finding(
                severity,
                &disk.name,
                format!("{} has no EFI system partition", disk.name),
            )
            .with([
                Evidence::seen(format!("/dev/{}", disk.name), "no partition of this type")
                    .expected("an EFI system partition with a boot loader"),
            ])
            .because("the system was installed on the other disk, or the disk was replaced")
            .by_hand("make one of 512 MiB (sgdisk --typecode=N:ef00), mkfs.vfat, copy /EFI to it");
        out.push(finding);
    }
}
