//! DDF, the firmware RAID format of SNIA ("Common RAID Disk Data Format",
//! revision 2.0; mdadm: `super-ddf.c`): one description of all disks and
//! volumes on each disk, with a record for each volume that the disk is in.
//! Numbers are big endian.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::{
    Defect, FAULTY, Probed, Reshape, SECTOR_BYTES, SPARE, Source, Superblock, feature, text,
};

const HEADER: u32 = 0xDE11_DE11;
const PHYSICAL: u32 = 0x2222_2222;
const VIRTUAL: u32 = 0xDDDD_DDDD;
const VOLUME: u32 = 0xEEEE_EEEE;
const OWN: u32 = 0x3333_3333;

/// Sections are a few hundred KiB in life.
const MOST_SECTORS: u32 = 8192;
/// Where in a section its entries begin, and their size.
const ENTRIES: usize = 64;
const ENTRY_BYTES: usize = 64;
/// Where in a volume's record the list of its disks begins.
const DISKS: usize = 512;

/// Bits of a disk's state.
const FAILED: u16 = 2;
const REBUILDING: u16 = 4;
const MISSING: u16 = 64;
/// Bits of a volume's state: its shape is changing; writes were under way.
const MORPHING: u8 = 0x08;
const INCONSISTENT: u8 = 0x10;

/// Reads what the anchor in the last sector of `source`, a whole disk, points
/// to: one superblock for each volume.
///
/// # Errors
/// The disk's.
pub(super) fn find(file: &File, source: &Source) -> io::Result<Probed<Vec<Superblock>>> {
    let Some(last) = (source.bytes / SECTOR_BYTES).checked_sub(1) else {
        return Ok(Ok(None));
    };
    let anchor = source.read_at(file, last * SECTOR_BYTES, 512)?;
    if !sound(&anchor, HEADER) {
        return Ok(Ok(None));
    }
    // The second copy is for when the first is damaged.
    for at in [96, 104] {
        let Some(first) = u64_at(&anchor, at).filter(|lba| *lba < last) else {
            continue;
        };
        if let Some(copy) = Copy::read(file, source, first)? {
            return Ok(copy.volumes(last).map(Some));
        }
    }
    Ok(Err(Defect::NotOpened(
        "it belongs to a firmware RAID (DDF) whose description is damaged; \
         mdadm --examine shows what is left"
            .into(),
    )))
}

/// One copy of the description: its sections, each with a right checksum.
struct Copy {
    physical: Vec<u8>,
    virt: Vec<u8>,
    config: Vec<u8>,
    own: Vec<u8>,
    /// Bytes of a record in `config`.
    record: usize,
    /// Disks that a record has room for.
    room: usize,
}

impl Copy {
    /// The copy whose header lies at sector `first`; none when it is damaged.
    fn read(file: &File, source: &Source, first: u64) -> io::Result<Option<Self>> {
        let header = source.read_at(file, first.saturating_mul(SECTOR_BYTES), 512)?;
        if !sound(&header, HEADER) {
            return Ok(None);
        }
        let section = |at: usize| -> io::Result<Vec<u8>> {
            let (Some(offset), Some(sectors)) = (u32_at(&header, at), u32_at(&header, at + 4))
            else {
                return Ok(Vec::new());
            };
            let start = first.saturating_add(offset.into());
            let length = usize::try_from(sectors.min(MOST_SECTORS)).unwrap_or(0) * 512;
            source.read_at(file, start.saturating_mul(SECTOR_BYTES), length)
        };
        let copy = Self {
            physical: section(200)?,
            virt: section(208)?,
            config: section(216)?,
            own: section(224)?,
            record: usize::from(u16_at(&header, 134).unwrap_or(0)) * 512,
            room: usize::from(u16_at(&header, 136).unwrap_or(0)),
        };
        let whole = sound(&copy.physical, PHYSICAL)
            && sound(&copy.virt, VIRTUAL)
            && copy.own.get(..512).is_some_and(|own| sound(own, OWN))
            && copy.record > DISKS;
        Ok(whole.then_some(copy))
    }

    /// The volumes that this disk, whose anchor lies at `last`, is in.
    fn volumes(&self, last: u64) -> Result<Vec<Superblock>, Defect> {
        let own = u32_at(&self.own, 32).ok_or(Defect::Truncated)?;
        let records = self.config.chunks_exact(self.record);
        let mut volumes = Vec::new();
        for record in records.filter(|record| sound(record, VOLUME)) {
            // A spare's record, or that of another part of a nested volume.
            let Some(slot) = self.disks(record).position(|disk| disk == own) else {
                continue;
            };
            let superblock = self.volume(record, slot).ok_or(Defect::Truncated)??;
            let end = superblock.data_offset.saturating_add(superblock.size);
            if superblock.size == 0 || end > last {
                return Err(Defect::Nonsense("size"));
            }
            volumes.push(Superblock {
                sector: last,
                ..superblock
            });
        }
        if volumes.is_empty() {
            return Err(Defect::NotOpened(
                "it is a spare of a firmware RAID (DDF) and holds no volume".into(),
            ));
        }
        Ok(volumes)
    }

    /// The disks of a record, by their reference numbers.
    fn disks<'a>(&self, record: &'a [u8]) -> impl Iterator<Item = u32> + use<'a> {
        let count = usize::from(u16_at(record, 64).unwrap_or(0)).min(self.room);
        (0..count).filter_map(|index| u32_at(record, DISKS + 4 * index))
    }

    /// One volume, as its disk number `slot` sees it; none when it is cut off.
    fn volume(&self, record: &[u8], slot: usize) -> Option<Result<Superblock, Defect>> {
        let byte = |at: usize| record.get(at).copied();
        let guid = record.get(8..32)?;
        let inner = u32::from(u16_at(record, 64)?);
        let (level, qualifier) = (byte(67)?, byte(68)?);
        let (parts, part, nested) = (u32::from(byte(69)?), u32::from(byte(70)?), byte(71)?);
        let shape = match (level, qualifier, inner, parts, nested) {
            (0x00, _, 1.., 1, _) => (0, 2),
            (0x01, _, 2.., 1, _) => (1, 0),
            // Stripes of mirrors (mdadm writes "spanned" and means the same): as
            // many near copies as a mirror has disks.
            (0x01, _, 2..=255, 2.., 0 | 3) => (10, 0x100 | inner),
            // RAID1E: each chunk on two neighbours.
            (0x11, 0, 3.., 1, _) => (10, 0x102),
            (0x04, 1, 3.., 1, _) => (4, 0),
            (0x05, 0, 3.., 1, _) => (5, 1),
            (0x05, 2, 3.., 1, _) => (5, 0),
            (0x05, 3, 3.., 1, _) => (5, 2),
            // ALGORITHM_ROTATING_* of drivers/md/raid5.h.
            (0x06, 1, 4.., 1, _) => (6, 8),
            (0x06, 2, 4.., 1, _) => (6, 9),
            (0x06, 3, 4.., 1, _) => (6, 10),
            _ => return Some(Err(unknown(level, qualifier, parts))),
        };
        let slots = inner.checked_mul(parts)?;
        let begin = inner.checked_mul(part)?;
        let number = begin.checked_add(u32::try_from(slot).ok()?)?;
        // What the disks of other mirrors do, their own records say.
        let mut roles: Vec<u16> = (0..slots)
            .map(|s| u16::try_from(s).unwrap_or(SPARE))
            .collect();
        let mut rebuilding = false;
        for (index, disk) in self.disks(record).enumerate() {
            let state = self.state(disk).unwrap_or(FAILED);
            rebuilding |= index == slot && state & REBUILDING != 0;
            let place = usize::try_from(begin).ok()?.checked_add(index)?;
            if state & (FAILED | MISSING) != 0
                && let Some(role) = roles.get_mut(place)
            {
                *role = FAULTY;
            }
        }
        let offset = DISKS + 4 * self.room + 8 * slot;
        let size = u64_at(record, 72)?;
        let (name, state) = self.named(guid)?;
        let shift = u32::from(byte(66)?);
        let chunk = if shape.0 == 1 {
            0
        } else {
            1_u32.checked_shl(shift)?
        };
        Some(Ok(Superblock {
            version: "ddf".into(),
            array_uuid: format!("ddf:{}", hex::encode(guid)),
            name,
            level: shape.0,
            layout: shape.1,
            size,
            chunk,
            raid_disks: slots,
            data_offset: u64_at(record, offset)?,
            data_size: size,
            number,
            features: u32::from(rebuilding) * feature::RECOVERY_OFFSET,
            // Its own calendar begins in 1980.
            updated: u64::from(u32_at(record, 32)?) + EPOCH,
            events: u64::from(u32_at(record, 36)?),
            clean: state & INCONSISTENT == 0,
            recovery_offset: rebuilding.then_some(0),
            reshape: (state & MORPHING != 0).then(Reshape::default),
            roles,
            ..Superblock::default()
        }))
    }

    /// The state of the disk with this reference number.
    fn state(&self, disk: u32) -> Option<u16> {
        let mut entries = entries(&self.physical);
        let entry = entries.find(|entry| u32_at(entry, 24) == Some(disk))?;
        u16_at(entry, 30)
    }

    /// Name and state of the volume with this identifier.
    fn named(&self, guid: &[u8]) -> Option<(String, u8)> {
        let mut entries = entries(&self.virt);
        let entry = entries.find(|entry| entry.starts_with(guid))?;
        Some((text(entry.get(48..64)?), *entry.get(32)?))
    }
}

/// 1980-01-01 in seconds since 1970.
const EPOCH: u64 = 315_532_800;

fn entries(section: &[u8]) -> std::slice::ChunksExact<'_, u8> {
    section
        .get(ENTRIES..)
        .unwrap_or_default()
        .chunks_exact(ENTRY_BYTES)
}

fn unknown(level: u8, qualifier: u8, parts: u32) -> Defect {
    Defect::NotOpened(format!(
        "it belongs to a firmware RAID (DDF) of a kind that is not opened (level \
         {level:#04x}, {qualifier}, {parts} parts): mdadm --assemble --scan, then \
         mdadm --readonly /dev/mdX"
    ))
}

/// Magic and checksum: CRC-32 over all of it with the checksum as ones. Some
/// makers, and mdadm, begin it with zero and do not invert the result.
fn sound(bytes: &[u8], magic: u32) -> bool {
    const SUM: Range<usize> = 4..8;
    let Some(sum) = bytes.get(SUM).filter(|_| u32_at(bytes, 0) == Some(magic)) else {
        return false;
    };
    let mut blank = bytes.to_vec();
    blank[SUM].fill(0xFF);
    let mut plain = crc32fast::Hasher::new_with_initial(u32::MAX);
    plain.update(&blank);
    [crc32fast::hash(&blank), !plain.finalize()]
        .iter()
        .any(|right| sum == right.to_be_bytes())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let raw = bytes.get(at..at.checked_add(2)?)?;
    raw.try_into().ok().map(u16::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let raw = bytes.get(at..at.checked_add(4)?)?;
    raw.try_into().ok().map(u32::from_be_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let raw = bytes.get(at..at.checked_add(8)?)?;
    raw.try_into().ok().map(u64::from_be_bytes)
}
