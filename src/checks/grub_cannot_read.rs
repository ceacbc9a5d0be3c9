//! GRUB's driver refuses the filesystem that holds /boot.

use std::collections::BTreeMap;

use super::Check;
use super::bios_boot::{BiosBoot, boot_part, place};
use super::uefi_boot::{Fault, UefiBoot};
use crate::facts::Facts;
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};
use crate::survey::{Content, Signature};
use crate::sysroot::SysrootInfo;

pub(super) const CHECK: Check = Check {
    id: "bootloader/grub-cannot-read",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/grub-cannot-read.md"),
    run,
};

/// `fs/ext4/ext4.h`, with the names of tune2fs(8).
const EXT: [(u32, &str); 9] = [
    (0x1, "compression"),
    (0x8, "journal_dev"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x2000, "metadata_csum_seed"),
    (0x4000, "large_dir"),
    (0x8000, "inline_data"),
    (0x1_0000, "encrypt"),
    (0x2_0000, "casefold"),
];

/// `fs/xfs/libxfs/xfs_format.h`, with the names of mkfs.xfs(8).
const XFS: [(u32, &str); 8] = [
    (0x4, "meta_uuid"),
    (0x8, "bigtime"),
    (0x10, "needsrepair"),
    (0x20, "nrext64"),
    (0x40, "exchange"),
    (0x80, "parent"),
    (0x100, "metadir"),
    (0x200, "zoned"),
];

/// The features of this system's /boot that such a GRUB refuses; none when it
/// reads it, or that is not known.
pub(super) fn refused(
    facts: &Facts,
    info: &SysrootInfo,
    refuses: &BTreeMap<String, u32>,
) -> Option<String> {
    let found = boot_filesystem(facts, info)?;
    let (driver, names): (&str, &[(u32, &str)]) = match found.format.as_str() {
        "ext2" | "ext3" | "ext4" => ("ext2", &EXT),
        "xfs" => ("xfs", &XFS),
        _ => return None,
    };
    let bits = found.incompat? & refuses.get(driver)?;
    if bits == 0 {
        return None;
    }
    let mut words: Vec<String> = names
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    let unnamed = names.iter().fold(bits, |left, (bit, _)| left & !bit);
    if unnamed != 0 {
        words.push(format!("feature bits {unnamed:#x}"));
    }
    Some(words.join(", "))
}

fn boot_filesystem<'f>(facts: &'f Facts, info: &SysrootInfo) -> Option<&'f Signature> {
    let volume = facts.assembly.volume(&boot_part(info)?.device)?;
    match &volume.content {
        Content::Signature(found) => Some(found),
        _ => None,
    }
}

fn run(facts: &Facts, out: &mut Findings) {
    on_bios(facts, out);
    on_uefi(facts, out);
}

fn on_bios(facts: &Facts, out: &mut Findings) {
    let Some(boot) = BiosBoot::of(facts) else {
        return;
    };
    let lost: Vec<_> = boot
        .own()
        .filter_map(|(disk, core)| Some((disk, core, boot.refused(&core.refuses)?)))
        .collect();
    let severity = boot.severity(lost.len());
    if !lost.is_empty() {
        boot.tell_either(lost.len(), out);
    }
    for (disk, core, features) in lost {
        out.push(finding(severity, &disk.name, place(disk, core), &features));
    }
}

fn on_uefi(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    for (at, fault) in boot.faults() {
        if let Fault::CannotRead { path, features } = fault {
            let source = format!("{}:{path}", at.part.name);
            out.push(finding(boot.severity(), &at.disk.name, source, features));
        }
    }
}

fn finding(severity: Severity, disk: &str, source: String, features: &str) -> Finding {
    CHECK
        .finding(
            severity,
            disk,
            format!("GRUB on {disk} cannot read the filesystem of /boot: {features}"),
        )
        .with([Evidence::seen(source, format!("refuses {features}"))
            .expected("a GRUB that knows what the filesystem has")])
        .because("the filesystem was made by newer tools, or something was switched on in it")
        .by_hand(
            "tune2fs -O ^metadata_csum_seed DEVICE where it is that; else a GRUB of a newer \
             release, or a /boot of its own",
        )
}
