//! Which firmware the patient boots by, from what lies on its disks.

use super::bios_boot::own_disks;
use crate::facts::packages::Packages;
use crate::facts::{Facts, Tree};
use crate::finding::{Findings, Stage};
use crate::survey::grub_core::Trouble;
use crate::survey::{Disk, Firmware, Partition};
use crate::sysroot::SysrootInfo;

/// The firmware that the patient was installed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A BIOS, or UEFI that imitates one.
    Bios,
    /// UEFI.
    Uefi,
    /// Either of them, and nothing tells which one this machine has.
    Either,
    /// Open Firmware, by a PReP partition.
    OpenFirmware,
}

impl Mode {
    /// True when what a BIOS would start counts.
    pub(super) fn may_be_bios(self) -> bool {
        matches!(self, Self::Bios | Self::Either)
    }

    /// True when what UEFI would start counts.
    pub(super) fn may_be_uefi(self) -> bool {
        matches!(self, Self::Uefi | Self::Either)
    }
}

/// The mode of the patient in `tree`.
pub(super) fn of(facts: &Facts, info: &SysrootInfo, tree: &Tree) -> Mode {
    if partitions(facts).any(|(_, part)| part.purpose == "prep") {
        return Mode::OpenFirmware;
    }
    let disks = own_disks(facts, info);
    let has_code = disks.iter().any(|disk| has_boot_code(disk));
    let has_esp = esps(facts).next().is_some();
    let has_loader = esps(facts).any(|(_, part)| has_program(part));
    let made_for = installed_for(tree);
    match (has_code, has_esp, has_loader) {
        // No boot code and no ESP: what the system was installed for.
        (false, false, _) if made_for == Some(Mode::Uefi) => Mode::Uefi,
        (_, false, _) => Mode::Bios,
        (false, true, true) => Mode::Uefi,
        (false, true, false) => made_for.unwrap_or(Mode::Uefi),
        (true, true, false) if made_for != Some(Mode::Uefi) => Mode::Bios,
        (true, true, false) => Mode::Uefi,
        (true, true, true) => made_for.unwrap_or_else(|| of_machine(facts)),
    }
}

/// A system for both: the rescue system runs on the same machine.
fn of_machine(facts: &Facts) -> Mode {
    match &facts.survey.firmware {
        Some(Firmware::Uefi(_)) => Mode::Uefi,
        Some(Firmware::Bios) => Mode::Bios,
        None => Mode::Either,
    }
}

impl Mode {
    /// Says that a fault of one of two ways may not matter.
    pub(super) fn tell_either(self, out: &mut Findings) {
        if self == Self::Either {
            out.could_not_tell(
                Stage::Firmware,
                "whether this machine boots by BIOS or by UEFI",
                "the system is installed for both, and one of them is broken",
            );
        }
    }
}

/// What the boot loader in the root was installed for; none where it was for
/// both, or where nothing tells.
pub(super) fn installed_for(tree: &Tree) -> Option<Mode> {
    let platforms = &tree.kernels.grub_platforms;
    let ends = |end: &str| platforms.iter().any(|name| name.ends_with(end));
    let package = |start: &str| match &tree.packages {
        Packages::Dpkg(dpkg) => dpkg.has(|name| name.starts_with(start) && !name.ends_with("-bin")),
        _ => false,
    };
    let mounts_esp = tree.mounts.lines.iter().any(|line| {
        let target = line.entry.target.as_os_str();
        ["/boot/efi", "/efi"].iter().any(|esp| target == *esp)
    });
    let signs = |platform: &str, name: &str| (ends(platform), package(name));
    match (signs("-pc", "grub-pc"), signs("-efi", "grub-efi")) {
        ((true, _), (false, false)) if !mounts_esp => Some(Mode::Bios),
        ((false, true), (false, false)) if !mounts_esp => Some(Mode::Bios),
        ((false, false), (true, _) | (_, true)) => Some(Mode::Uefi),
        ((false, false), (false, false)) if mounts_esp => Some(Mode::Uefi),
        _ => None,
    }
}

/// GRUB's boot code, and something where it looks for the core.
fn has_boot_code(disk: &Disk) -> bool {
    let lost = disk
        .grub_core
        .as_ref()
        .and_then(|core| core.trouble.as_ref());
    disk.grub_boot_code && lost != Some(&Trouble::Absent)
}

fn partitions(facts: &Facts) -> impl Iterator<Item = (&Disk, &Partition)> {
    let disks = facts.survey.disks.iter();
    disks.flat_map(|disk| disk.partitions.iter().map(move |part| (disk, part)))
}

/// Every EFI system partition of the machine.
pub(super) fn esps(facts: &Facts) -> impl Iterator<Item = (&Disk, &Partition)> {
    partitions(facts).filter(|(_, part)| part.purpose == "esp")
}

fn has_program(part: &Partition) -> bool {
    let mut files = part.esp.iter().flat_map(|esp| &esp.files);
    files.any(|file| file.is_called_program())
}
