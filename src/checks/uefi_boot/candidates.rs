//! What a repair asks: whether an EFI system partition with other files would
//! lead to this system, and which one is to be copied.

use super::super::bios_boot::{boot_part, uuid_of};
use super::chain::searched;
use super::{End, FALLBACKS, UefiBoot, vendors};

pub(crate) use super::EspAt;
use crate::facts::Facts;
use crate::survey::Esp;
use crate::survey::esp::EspFile;
use crate::sysroot::MountedPart;

/// The EFI system partitions of a machine that boots by UEFI.
pub(crate) struct Esps<'f>(UefiBoot<'f>);

impl<'f> Esps<'f> {
    /// Nothing for a machine that does not boot by UEFI.
    pub(crate) fn of(facts: &'f Facts) -> Option<Self> {
        UefiBoot::of(facts).map(Self)
    }

    /// All of them, in the order of the disks.
    pub(crate) fn all(&self) -> impl Iterator<Item = EspAt<'f>> {
        self.0.esps.iter().copied()
    }

    /// True when the firmware comes to this system without an entry of its own,
    /// and by each loader of this system that it may have an entry for.
    pub(crate) fn leads_here(&self, at: EspAt<'_>, esp: &Esp) -> bool {
        let own = EspAt { esp, ..at };
        let mut names = FALLBACKS.iter();
        let Some((path, machine)) = names.find(|(path, _)| esp.file(path).is_some()) else {
            return false;
        };
        let by_vendors = self.0.vendor_loaders(esp).into_iter();
        let mut by_vendors = by_vendors.filter(|path| {
            let vendor = path.split('/').nth(2).unwrap_or_default();
            self.0.is_own_vendor(vendor)
        });
        self.0.walk(own, path, Some(machine)) == End::Own
            && by_vendors.all(|path| self.0.walk(own, &path, None) == End::Own)
    }

    /// True when anything on it leads to this system.
    pub(crate) fn starts_this(&self, at: EspAt<'_>) -> bool {
        let mut starts = self.0.starts.iter();
        starts.any(|start| start.at.part.name == at.part.name && start.end == End::Own)
    }

    /// The directory of this system below /EFI, as it is spelled on it.
    pub(crate) fn own_vendor(&self, esp: &Esp) -> Option<String> {
        let mut all = vendors(esp).into_iter();
        all.find(|name| self.0.is_own_vendor(name) && !name.eq_ignore_ascii_case("systemd"))
    }

    /// The configurations of GRUB on it that look for a filesystem which is not
    /// that of /boot, with what they would say.
    pub(crate) fn stubs(&self, esp: &'f Esp) -> Vec<(&'f EspFile, String)> {
        let Some(own) = self.boot_uuid() else {
            return Vec::new();
        };
        let small = esp.files.iter().filter(|file| file.path.ends_with(".cfg"));
        small
            .filter_map(|file| {
                let text = file.text.as_deref()?;
                let wrong = searched(text).filter(|uuid| !uuid.eq_ignore_ascii_case(own))?;
                Some((file, text.replace(&wrong, own)))
            })
            .collect()
    }

    /// The filesystem that holds /boot.
    pub(crate) fn boot_part(&self) -> Option<&'f MountedPart> {
        boot_part(self.0.info)
    }

    /// Its UUID.
    pub(crate) fn boot_uuid(&self) -> Option<&'f str> {
        uuid_of(self.0.facts, &self.boot_part()?.device)
    }

    /// True when fstab has it mounted: what updates write to.
    pub(crate) fn is_mounted(&self, at: EspAt<'_>) -> bool {
        let mut parts = self.0.info.parts.iter();
        parts.any(|part| part.device == at.part.name || part.below.contains(&at.part.name))
    }
}

/// True for a directory below /EFI that belongs to another system.
pub(crate) fn is_foreign(name: &str) -> bool {
    let mut foreign = super::FOREIGN.iter().skip(1);
    foreign.any(|other| name.eq_ignore_ascii_case(other))
}
