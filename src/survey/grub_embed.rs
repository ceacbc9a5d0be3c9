//! A boot loader of one disk, as it stands on another: what `grub-bios-setup`
//! writes (GRUB 2.12, `util/setup.c`).

use std::ops::Range;

use super::Disk;
use super::grub_core::{
    self, BLOCK_LIST_ENTRY, CoreSize, GrubCore, KERNEL_SECTOR, REDUNDANCY, SECTOR,
};
use super::little_endian::u32_at;
use crate::sys::boot_area::BOOT_CODE;

/// The block that a DOS filesystem keeps in the boot code, and GRUB as well
/// (`GRUB_BOOT_MACHINE_BPB_START`, `_END`).
const BPB: Range<usize> = 0x3..0x5A;

/// Where in memory the part after the first sector goes
/// (`GRUB_BOOT_I386_PC_KERNEL_SEG` and a sector more).
const KERNEL_SEGMENT: u16 = 0x820;

/// NOP (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2).
const NO_OPERATION: u8 = 0x90;

/// Bytes of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The first byte.
    pub at: u64,
    /// What is there.
    pub before: Vec<u8>,
    /// What shall be there.
    pub after: Vec<u8>,
}

/// Where the boot code asks whether the firmware named a floppy
/// (`GRUB_BOOT_MACHINE_DRIVE_CHECK`); on a disk it is not to ask.
const DRIVE_CHECK: Range<usize> = 0x66..0x68;

/// Boot code and core that go to a disk.
#[derive(Debug, Clone)]
pub struct Image {
    boot: Vec<u8>,
    core: Vec<u8>,
    own: GrubCore,
}

impl Image {
    /// What stands on a disk.
    ///
    /// # Errors
    /// It cannot be read, or is no GRUB.
    pub fn of_disk(disk: &Disk) -> Result<Self, String> {
        let file = disk.source.open().map_err(|error| error.to_string())?;
        let read_at = |at, length| disk.source.read_at(&file, at, length);
        let own = grub_core::read_by(&read_at).filter(|core| core.trouble.is_none());
        let own = own.ok_or_else(|| format!("{} has no GRUB that can be read", disk.name))?;
        let boot = read_at(0, SECTOR).map_err(|error| error.to_string())?;
        let core = grub_core::whole(&read_at, own.sector)?;
        Ok(Self { boot, core, own })
    }

    /// What `grub-install` left in /boot: `boot.img` and `core.img`.
    ///
    /// # Errors
    /// They are none.
    pub fn of_files(boot: &[u8], core: &[u8]) -> Result<Self, String> {
        let mut boot = boot.to_vec();
        let check = boot.get_mut(DRIVE_CHECK);
        check.ok_or("boot.img is cut off")?.fill(NO_OPERATION);
        let own = GrubCore::of_file(core);
        if own.trouble.is_some() {
            return Err("core.img is no core of GRUB".into());
        }
        let mut core = core.to_vec();
        core.resize(core.len().next_multiple_of(SECTOR), 0);
        Ok(Self { boot, core, own })
    }

    /// What the core is, once it stands on `to`.
    ///
    /// # Errors
    /// It has no place there.
    pub fn core_on(&self, to: &Disk) -> Result<GrubCore, String> {
        let place = to.place_for_core()?;
        Ok(GrubCore {
            sector: place.start / SECTOR as u64,
            ..self.own.clone()
        })
    }

    /// The loader as it would stand on `to`: its core, then its boot code, each
    /// where it is another than what is there.
    ///
    /// # Errors
    /// One of them cannot be read, there is no room, or what came out is not
    /// read as the same loader.
    pub fn pieces_on(&self, to: &Disk) -> Result<Vec<Piece>, String> {
        let (own, place) = (&self.own, to.place_for_core()?);
        let room = (place.end - place.start) / SECTOR as u64;
        let core = fitting(self.core.clone(), own.size, room);
        let core = core.ok_or_else(|| no_room(to, own.size))?;
        let start = place.start / SECTOR as u64;
        let core = placed(core, start).ok_or("the core makes no sense")?;
        let file = to.source.open().map_err(|error| error.to_string())?;
        let read = |at, length| {
            let read = to.source.read_at(&file, at, length);
            let read = read.map_err(|error| error.to_string())?;
            match read.len() == length {
                true => Ok(read),
                false => Err(format!("{} ends too early", to.name)),
            }
        };
        let old_core = read(place.start, core.len())?;
        let old_boot = read(0, usize::try_from(BOOT_CODE.end).unwrap_or(0))?;
        let boot = boot_code(self.boot.clone(), &old_boot, start);
        let boot = boot.ok_or("the boot code is cut off")?;
        check(own, &boot, &core, start)?;
        let pieces = [
            Piece {
                at: place.start,
                before: old_core,
                after: core,
            },
            Piece {
                at: 0,
                before: old_boot,
                after: boot,
            },
        ];
        let mut pieces = Vec::from(pieces);
        pieces.retain(|piece| piece.before != piece.after);
        Ok(pieces)
    }
}

/// Why a core of this size has no place on `to`.
pub fn no_room(to: &Disk, size: Option<CoreSize>) -> String {
    let sectors = size.map_or(0, |size| size.least);
    format!(
        "the place for GRUB on {} is too small: {sectors} sectors are needed",
        to.name
    )
}

/// The core with as much behind it as there is room for: the codes that mend
/// damaged sectors are left out where they have none.
fn fitting(mut core: Vec<u8>, size: Option<CoreSize>, room: u64) -> Option<Vec<u8>> {
    let size = size?;
    if size.whole <= room {
        return Some(core);
    }
    if size.least > room {
        return None;
    }
    let codes = usize::try_from(u32_at(&core, SECTOR + REDUNDANCY)?).ok()?;
    let end = core.len().checked_sub(codes)?;
    core.truncate(usize::try_from(size.least).ok()? * SECTOR);
    core.get_mut(end..)?.fill(0);
    let codes = core.get_mut(SECTOR + REDUNDANCY..SECTOR + REDUNDANCY + 4)?;
    codes.fill(0);
    Some(core)
}

/// The core with its block list for one piece at sector `start`.
fn placed(mut core: Vec<u8>, start: u64) -> Option<Vec<u8>> {
    let rest = u16::try_from((core.len() / SECTOR).checked_sub(1)?).ok()?;
    let mut end = SECTOR;
    loop {
        let at = end.checked_sub(BLOCK_LIST_ENTRY)?;
        let entry = core.get_mut(at..end)?;
        let last = entry[8..10] == [0, 0];
        entry.fill(0);
        if last {
            break;
        }
        end = at;
    }
    let entry = core.get_mut(SECTOR - BLOCK_LIST_ENTRY..SECTOR)?;
    entry[..8].copy_from_slice(&(start + 1).to_le_bytes());
    entry[8..10].copy_from_slice(&rest.to_le_bytes());
    entry[10..].copy_from_slice(&KERNEL_SEGMENT.to_le_bytes());
    Some(core)
}

/// The boot code that loads the core at sector `start`.
fn boot_code(mut boot: Vec<u8>, old: &[u8], start: u64) -> Option<Vec<u8>> {
    boot.truncate(old.len());
    boot.get_mut(BPB)?.copy_from_slice(old.get(BPB)?);
    boot.get_mut(KERNEL_SECTOR..KERNEL_SECTOR + 8)?
        .copy_from_slice(&start.to_le_bytes());
    Some(boot)
}

/// A disk with these bytes is read as one with the same loader.
fn check(own: &GrubCore, boot: &[u8], core: &[u8], start: u64) -> Result<(), String> {
    let at_core = start * SECTOR as u64;
    let read_at = |at: u64, length: usize| {
        let (from, base) = match at >= at_core {
            true => (core, at_core),
            false => (boot, 0),
        };
        let begin = usize::try_from(at - base).unwrap_or(usize::MAX);
        let rest = from.get(begin..).unwrap_or_default();
        Ok(rest[..rest.len().min(length)].to_vec())
    };
    let read = grub_core::read_by(&read_at);
    let same = read.map(|read| GrubCore {
        sector: own.sector,
        size: own.size,
        ..read
    });
    match same.as_ref() == Some(own) {
        true => Ok(()),
        false => Err("what would be written is not read as the same GRUB".into()),
    }
}
