//! Where a disk has room for a boot loader outside of every filesystem.

use std::fs::File;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::grub_core::{DISKBOOT_MARK, SECTOR};
use super::{Content, Disk, Source};
use crate::journal::{DiskName, Disks, KnownDisk};
use crate::sys::boot_area::BOOT_CODE;

/// More of a gap is not looked at, and no core needs more.
const GAP_BYTES_MAX: u64 = 2 << 20;

/// What lies between the first sector and the first partition of an MBR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gap {
    /// Where it ends, in bytes of the disk.
    pub end: u64,
    /// The first sector in it that holds something else than zeros and GRUB.
    pub taken: Option<u64>,
}

/// Looks at the gap that ends at `end`.
pub(super) fn gap(file: &File, source: &Source, end: u64) -> Option<Gap> {
    let start = SECTOR as u64;
    let length = end.checked_sub(start)?.min(GAP_BYTES_MAX);
    let bytes = source.read_at(file, start, usize::try_from(length).ok()?);
    let bytes = bytes.ok()?;
    let begins = bytes.get(..SECTOR).unwrap_or_default();
    let is_grub = begins
        .windows(DISKBOOT_MARK.len())
        .any(|word| word == DISKBOOT_MARK);
    let blank = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    let taken = match is_grub {
        true => None,
        false => bytes.chunks(SECTOR).position(|sector| !blank(sector)),
    };
    let taken = taken.map(|number| number as u64 + 1);
    Some(Gap { end, taken })
}

impl Disk {
    /// Where GRUB's core can be put: in a BIOS boot partition, or before the
    /// first partition of an MBR.
    ///
    /// # Errors
    /// Why there is no such place, in the operator's words.
    pub fn place_for_core(&self) -> Result<Range<u64>, String> {
        let name = &self.name;
        if u64::from(self.sector_bytes) != SECTOR as u64 {
            let bytes = self.sector_bytes;
            return Err(format!(
                "{name} has sectors of {bytes} bytes, and no BIOS boots from such a disk"
            ));
        }
        if let Some(problem) = &self.table_problem {
            return Err(format!("the partition table of {name}: {problem}"));
        }
        let place = match (self.table.as_deref(), self.gap) {
            (Some("gpt"), _) => self.bios_boot_partition()?,
            (Some("mbr"), Some(Gap { end, taken: None })) => SECTOR as u64..end,
            (
                Some("mbr"),
                Some(Gap {
                    taken: Some(at), ..
                }),
            ) => {
                return Err(format!(
                    "sector {at} of {name}, before its first partition, holds something \
                     that is not GRUB's"
                ));
            }
            (Some("mbr"), None) => {
                return Err(format!("{name} has no room before its first partition"));
            }
            _ => return Err(format!("{name} has no partition table")),
        };
        let meets = |start: u64, bytes: u64| place.start < start + bytes && start < place.end;
        let mut parts = self.partitions.iter();
        let other =
            parts.find(|part| part.start != place.start && meets(part.start, part.source.bytes));
        match other {
            Some(part) => Err(format!("{} lies over the place for GRUB", part.name)),
            None if place.is_empty() || place.end > self.source.bytes => {
                Err(format!("{name} has no room for GRUB"))
            }
            None => Ok(place),
        }
    }

    fn bios_boot_partition(&self) -> Result<Range<u64>, String> {
        let mut parts = self.partitions.iter();
        let Some(part) = parts.find(|part| part.purpose == "bios-boot") else {
            return Err(format!(
                "{} has a GPT and no BIOS boot partition, and GRUB has no other place there",
                self.name
            ));
        };
        match part.content {
            Content::Unknown => Ok(part.start..part.start.saturating_add(part.source.bytes)),
            _ => Err(format!("{} is no BIOS boot partition inside", part.name)),
        }
    }

    /// Where a boot loader may be written: where no filesystem is, and on an EFI
    /// system partition.
    fn writable_areas(&self) -> Vec<Range<u64>> {
        let mut areas = match self.place_for_core() {
            Ok(place) => vec![BOOT_CODE, place],
            Err(_) => Vec::new(),
        };
        if self.table_problem.is_none() {
            let esps = self.partitions.iter().filter(|part| part.is_writable_esp());
            areas.extend(esps.map(super::Partition::place).filter(|own| {
                let place = |part: &super::Partition| part.place();
                let mut others = self.partitions.iter().map(place);
                !others.any(|other| other != *own && other.start < own.end && own.start < other.end)
            }));
        }
        areas
    }

    /// What the disk is known by, whatever the kernel calls it.
    pub fn durable_name(&self) -> DiskName {
        DiskName {
            called: self.name.clone(),
            bytes: self.source.bytes,
            table: self.table_id.clone(),
            serial: self.serial.clone(),
        }
    }
}

impl super::Partition {
    /// Its bytes on the disk.
    fn place(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.source.bytes)
    }

    /// True for an EFI system partition with its filesystem, which is no member
    /// of an array.
    pub fn is_writable_esp(&self) -> bool {
        self.purpose == "esp" && self.content.format() == Some("vfat") && self.start > 0
    }
}

impl super::Survey {
    /// The disks as the journal wants them.
    pub fn disks_for_journal(&self) -> Disks {
        let known = self.disks.iter().map(|disk| KnownDisk {
            name: disk.durable_name(),
            path: disk.source.path.clone(),
            areas: disk.writable_areas(),
        });
        Disks::new(known.collect())
    }
}
