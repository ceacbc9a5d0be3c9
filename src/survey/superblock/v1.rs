//! Metadata 1.0, 1.1 and 1.2: the same structure at three places.

use std::fs::File;
use std::io;

use super::{
    BadBlocks, Bitmap, Defect, MAGIC, MAX_DEVICES, Probed, Reshape, SECTOR_BYTES, Source,
    Superblock, colon_uuid, feature, fits, text, u16_at, u32_at, u64_at,
};

/// Bytes before the table of roles.
const FIXED_BYTES: usize = 256;

/// The three places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// 1.0: near the end.
    End,
    /// 1.1: at the start.
    Start,
    /// 1.2: 4 KiB behind the start.
    Behind4k,
}

impl Place {
    fn version(self) -> &'static str {
        match self {
            Self::End => "1.0",
            Self::Start => "1.1",
            Self::Behind4k => "1.2",
        }
    }

    /// The sector on a device of `sectors`, where it is large enough.
    fn sector(self, sectors: u64) -> Option<u64> {
        match self {
            Self::End => sectors.checked_sub(16).map(|sector| sector & !7),
            Self::Start => Some(0),
            Self::Behind4k => Some(8),
        }
    }
}

/// Reads the superblock at `place` of `source`.
///
/// # Errors
/// The disk's.
pub(super) fn find(file: &File, source: &Source, place: Place) -> io::Result<Probed<Superblock>> {
    let Some(sector) = place.sector(source.bytes / SECTOR_BYTES) else {
        return Ok(Ok(None));
    };
    let at = sector * SECTOR_BYTES;
    let bytes = source.read_at(file, at, FIXED_BYTES + 2 * MAX_DEVICES)?;
    // Another major version at the same place is not this format's business.
    if u32_at(&bytes, 0) != Some(MAGIC) || u32_at(&bytes, 4) == Some(0) {
        return Ok(Ok(None));
    }
    let parsed = parse(&bytes, sector).and_then(|found| fits(found, source));
    let mut found = match parsed {
        Ok(found) => found,
        // A copy of another place, such as one seen through a partition.
        Err(Defect::Elsewhere(_)) if place != Place::Behind4k => return Ok(Ok(None)),
        Err(defect) => return Ok(Err(defect)),
    };
    found.version = place.version().into();
    if found.features & feature::BITMAP != 0 {
        let offset = u32_at(&bytes, 96).unwrap_or(0).cast_signed();
        found.bitmap = Bitmap::read(file, source, sector, offset)?;
    }
    if found.features & feature::BAD_BLOCKS != 0 {
        found.bad_blocks = BadBlocks::read(file, source, sector, &bytes)?;
    }
    Ok(Ok(Some(found)))
}

/// Reads a 1.x superblock found at `sector`; the version is told as 1.0, 1.1
/// or 1.2 by that place.
///
/// # Errors
/// [`Defect`].
pub fn parse(bytes: &[u8], sector: u64) -> Result<Superblock, Defect> {
    let u32_at = |at| u32_at(bytes, at).ok_or(Defect::Truncated);
    let u64_at = |at| u64_at(bytes, at).ok_or(Defect::Truncated);
    if u32_at(0)? != MAGIC {
        return Err(Defect::Nonsense("magic"));
    }
    if u32_at(4)? != 1 {
        return Err(Defect::Version(u32_at(4)?));
    }
    let devices = usize::try_from(u32_at(220)?).unwrap_or(usize::MAX);
    if devices > MAX_DEVICES {
        return Err(Defect::Nonsense("number of devices"));
    }
    let all = bytes
        .get(..FIXED_BYTES + 2 * devices)
        .ok_or(Defect::Truncated)?;
    let (computed, stored) = (checksum(all), u32_at(216)?);
    if computed != stored {
        return Err(Defect::Checksum { computed, stored });
    }
    if u64_at(144)? != sector {
        return Err(Defect::Elsewhere(u64_at(144)?));
    }
    let raid_disks = u32_at(92)?;
    if raid_disks == 0 || usize::try_from(raid_disks).unwrap_or(usize::MAX) > MAX_DEVICES {
        return Err(Defect::Nonsense("number of slots"));
    }
    let roles = all[FIXED_BYTES..]
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let features = u32_at(8)?;
    let version = match sector {
        0 => "1.1",
        8 => "1.2",
        _ => "1.0",
    };
    let recovering = features & feature::RECOVERY_OFFSET != 0;
    Ok(Superblock {
        version: version.into(),
        sector,
        array_uuid: colon_uuid(&all[16..32]),
        name: text(&all[32..64]),
        level: u32_at(72)?.cast_signed(),
        layout: u32_at(76)?,
        size: u64_at(80)?,
        chunk: u32_at(88)?,
        raid_disks,
        data_offset: u64_at(128)?,
        data_size: u64_at(136)?,
        device_uuid: Some(colon_uuid(&all[168..184])),
        number: u32_at(160)?,
        features,
        // The low 40 bits are seconds, the rest microseconds.
        created: u64_at(64)? & 0xFF_FFFF_FFFF,
        updated: u64_at(192)? & 0xFF_FFFF_FFFF,
        events: u64_at(200)?,
        clean: u64_at(208)? == u64::MAX,
        roles,
        recovery_offset: recovering.then_some(u64_at(152)?),
        write_mostly: all[184] & 1 != 0,
        reshape: reshape(all, features),
        // Padding before kernel 6.19, so written as zero.
        logical_block_bytes: u32_at(224)?,
        ..Superblock::default()
    })
}

fn reshape(all: &[u8], features: u32) -> Option<Reshape> {
    if features & feature::RESHAPE == 0 {
        return None;
    }
    let moved = features & feature::NEW_OFFSET != 0;
    let delta_disks = u32_at(all, 112)?.cast_signed();
    Some(Reshape {
        position: u64_at(all, 104)?,
        backwards: features & feature::BACKWARDS != 0 || delta_disks < 0,
        level: u32_at(all, 100)?.cast_signed(),
        delta_disks,
        layout: u32_at(all, 116)?,
        chunk: u32_at(all, 120)?,
        new_offset: if moved {
            u32_at(all, 124)?.cast_signed()
        } else {
            0
        },
    })
}

/// `calc_sb_1_csum` of the kernel: little-endian words summed in 64 bits with
/// the checksum field as zero, then both halves added.
pub fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(4).enumerate().map(|(index, chunk)| {
        if index == 216 / 4 {
            return 0;
        }
        match chunk.len() {
            4 => u64::from(u32_at(chunk, 0).unwrap_or(0)),
            _ => u64::from(u16_at(chunk, 0).unwrap_or(0)),
        }
    });
    let sum: u64 = words.sum();
    let folded = (sum & 0xFFFF_FFFF) + (sum >> 32);
    u32::try_from(folded & 0xFFFF_FFFF).unwrap_or(0)
}
