//! Metadata 0.90: near the end, in the byte order of the machine that made it.

use std::fs::File;
use std::io;

use super::{
    Bitmap, Defect, FAULTY, MAGIC, Probed, Reshape, SECTOR_BYTES, SPARE, Source, Superblock,
    feature, fits,
};

const BYTES: usize = 4096;
/// The bitmap lies right behind the superblock.
const BITMAP_SECTORS: i32 = 8;
/// Devices in the table (`MD_SB_DISKS`).
const DEVICES: usize = 27;
/// A level that 1.x has no number for.
const LINEAR: i32 = -1;

/// The sector of the superblock on a device of `sectors` (`MD_NEW_SIZE_SECTORS`).
pub(super) fn sector(sectors: u64) -> Option<u64> {
    (sectors & !127).checked_sub(128)
}

/// Reads the superblock near the end of `source`.
///
/// # Errors
/// The disk's.
pub(super) fn find(file: &File, source: &Source) -> io::Result<Probed<Superblock>> {
    let Some(sector) = sector(source.bytes / SECTOR_BYTES) else {
        return Ok(Ok(None));
    };
    let bytes = source.read_at(file, sector * SECTOR_BYTES, BYTES)?;
    let read = read(&bytes, sector);
    let fitting = read.and_then(|found| found.map(|found| fits(found, source)).transpose());
    let mut found = match fitting {
        Ok(Some(found)) => found,
        other => return Ok(other),
    };
    if found.features & feature::BITMAP != 0 {
        found.bitmap = Bitmap::read(file, source, sector, BITMAP_SECTORS)?;
    }
    Ok(Ok(Some(found)))
}

/// The superblock in `bytes`, found at `sector`.
pub(super) fn read(bytes: &[u8], sector: u64) -> Probed<Superblock> {
    Words::of(bytes)
        .map(|words| parse(&words, sector))
        .transpose()
}

/// The superblock's words in the byte order in which they make sense.
struct Words {
    all: Vec<u32>,
    big: bool,
}

impl Words {
    /// None when neither byte order gives the magic number and major version 0.
    fn of(bytes: &[u8]) -> Option<Self> {
        let read = |big: bool| -> Vec<u32> {
            bytes
                .chunks_exact(4)
                .map(|raw| {
                    let raw = [raw[0], raw[1], raw[2], raw[3]];
                    if big {
                        u32::from_be_bytes(raw)
                    } else {
                        u32::from_le_bytes(raw)
                    }
                })
                .collect()
        };
        let whole = |all: &[u32]| {
            all.len() == BYTES / 4 && all.first() == Some(&MAGIC) && all.get(1) == Some(&0)
        };
        [false, true]
            .into_iter()
            .map(|big| Self {
                all: read(big),
                big,
            })
            .find(|words| whole(&words.all))
    }

    /// The word at byte `at`.
    fn at(&self, at: usize) -> u32 {
        self.all.get(at / 4).copied().unwrap_or(0)
    }

    /// Two words at byte `at` as one number; which comes first depends on the
    /// byte order.
    fn long(&self, at: usize) -> u64 {
        let (low, high) = if self.big { (at + 4, at) } else { (at, at + 4) };
        u64::from(self.at(high)) << 32 | u64::from(self.at(low))
    }

    /// The sum over all words with the checksum as zero, folded to 16 bits: the
    /// kernel compares no more, as machines differ in the rest.
    fn sums_match(&self) -> Result<(), Defect> {
        let sum: u64 = self.all.iter().map(|word| u64::from(*word)).sum();
        let sum = sum - u64::from(self.at(152));
        let computed = u32::try_from(((sum & 0xFFFF_FFFF) + (sum >> 32)) & 0xFFFF_FFFF);
        let (computed, stored) = (computed.unwrap_or(0), self.at(152));
        if fold(computed) == fold(stored) {
            return Ok(());
        }
        Err(Defect::Checksum { computed, stored })
    }
}

fn fold(sum: u32) -> u32 {
    let once = (sum & 0xFFFF) + (sum >> 16);
    (once & 0xFFFF) + (once >> 16)
}

fn parse(words: &Words, sector: u64) -> Result<Superblock, Defect> {
    words.sums_match()?;
    let level = words.at(28).cast_signed();
    let raid_disks = words.at(40);
    if raid_disks == 0 || raid_disks > 27 {
        return Err(Defect::Nonsense("number of slots"));
    }
    let striped = level == 0 || level == LINEAR;
    let uuid = [20, 52, 56, 60].map(|at| format!("{:08x}", words.at(at)));
    let state = words.at(132);
    let reshape = (words.at(8) >= 91 && words.long(176) != u64::MAX).then(|| Reshape {
        position: words.long(176),
        backwards: words.at(188).cast_signed() < 0,
        level: words.at(184).cast_signed(),
        delta_disks: words.at(188).cast_signed(),
        layout: words.at(192),
        chunk: words.at(196) / 512,
        new_offset: 0,
    });
    let bitmap = state & (1 << 8) != 0;
    let minor = words.at(44);
    Ok(Superblock {
        version: "0.90".into(),
        sector,
        array_uuid: uuid.join(":"),
        name: format!("md{minor}"),
        level,
        layout: words.at(256),
        // Counted in KiB; members of a stripe set are used whole.
        size: if striped {
            0
        } else {
            u64::from(words.at(32)) * 2
        },
        chunk: words.at(260) / 512,
        raid_disks,
        data_offset: 0,
        data_size: sector,
        number: words.at(3968),
        features: (u32::from(bitmap) * feature::BITMAP)
            | (u32::from(reshape.is_some()) * feature::RESHAPE),
        created: u64::from(words.at(24)),
        updated: u64::from(words.at(128)),
        events: words.long(156),
        clean: state & 1 != 0,
        roles: roles(words, raid_disks),
        write_mostly: words.at(3968 + 16) & (1 << 9) != 0,
        reshape,
        preferred_minor: Some(minor),
        ..Superblock::default()
    })
}

/// The table of devices in the terms of 1.x.
fn roles(words: &Words, raid_disks: u32) -> Vec<u16> {
    const DESCRIPTORS: usize = 512;
    const DESCRIPTOR_BYTES: usize = 128;
    (0..DEVICES)
        .map(|number| {
            let at = DESCRIPTORS + number * DESCRIPTOR_BYTES;
            let (slot, state) = (words.at(at + 12), words.at(at + 16));
            let (faulty, in_sync) = (state & 1 != 0, state & 4 != 0);
            match u16::try_from(slot) {
                _ if faulty => FAULTY,
                Ok(slot) if in_sync && u32::from(slot) < raid_disks => slot,
                _ => SPARE,
            }
        })
        .collect()
}
