//! Intel's firmware RAID (IMSM, "Rapid Storage"): one description of all disks
//! and volumes at the end of each disk (mdadm: `super-intel.c`).

use std::fs::File;
use std::io;

use super::{
    Defect, FAULTY, Probed, Reshape, SECTOR_BYTES, SPARE, Source, Superblock, feature, text,
    u16_at, u32_at, u64_at,
};

const SIGNATURE: &[u8] = b"Intel Raid ISM Cfg Sig. ";
/// Where the table of disks begins, and the size of its entries.
const DISKS: usize = 0xD8;
const DISK_BYTES: usize = 48;
/// One disk and no volume is the least.
const LEAST_BYTES: u32 = 0xD8 + 48;
/// Where in a volume its first map begins.
const MAP: usize = 112;
/// Where in a map the order of the disks begins.
const ORDER: usize = 48;
/// The most that is read: firmware writes a few sectors.
const MOST_BYTES: u32 = 64 * 1024;

/// Reads the description at the end of `source`, a whole disk: one superblock
/// for each volume. `serial` tells which of the disks it is.
///
/// # Errors
/// The disk's.
pub(super) fn find(
    file: &File,
    source: &Source,
    serial: Option<&str>,
) -> io::Result<Probed<Vec<Superblock>>> {
    let Some(anchor) = (source.bytes / SECTOR_BYTES).checked_sub(2) else {
        return Ok(Ok(None));
    };
    let mut bytes = source.read_at(file, anchor * SECTOR_BYTES, 512)?;
    if !bytes.starts_with(SIGNATURE) {
        return Ok(Ok(None));
    }
    let size = u32_at(&bytes, 36).unwrap_or(0);
    if !(LEAST_BYTES..=MOST_BYTES).contains(&size) {
        return Ok(Err(Defect::Nonsense("size")));
    }
    // What does not fit into the anchor lies before it.
    let more = u64::from(size.div_ceil(512) - 1);
    if let Some(first) = anchor.checked_sub(more) {
        let length = usize::try_from(more * SECTOR_BYTES).unwrap_or(0);
        bytes.extend(source.read_at(file, first * SECTOR_BYTES, length)?);
    }
    Ok(parse(&bytes, anchor, source.bytes / SECTOR_BYTES, serial).map(Some))
}

/// The volumes in the description `bytes`, found at `sector`.
///
/// # Errors
/// [`Defect`].
pub fn parse(
    bytes: &[u8],
    sector: u64,
    sectors: u64,
    serial: Option<&str>,
) -> Result<Vec<Superblock>, Defect> {
    let size = usize::try_from(u32_at(bytes, 36).unwrap_or(0)).unwrap_or(usize::MAX);
    let all = bytes.get(..size).ok_or(Defect::Truncated)?;
    let stored = u32_at(all, 32).ok_or(Defect::Truncated)?;
    let sum = all
        .chunks_exact(4)
        .fold(0_u32, |sum, word| {
            sum.wrapping_add(u32_at(word, 0).unwrap_or(0))
        })
        .wrapping_sub(stored);
    if sum != stored {
        return Err(Defect::Checksum {
            computed: sum,
            stored,
        });
    }
    let disks = Disks::of(all).ok_or(Defect::Truncated)?;
    let own = serial
        .and_then(|serial| disks.index(serial))
        .ok_or_else(|| {
            Defect::NotOpened(
                "it belongs to a firmware RAID (IMSM), and its serial number does not \
             tell which of the disks it is; mdadm --examine shows them"
                    .into(),
            )
        })?;
    let mut volumes = Vec::new();
    let mut at = DISKS + disks.all.len() * DISK_BYTES;
    for _ in 0..all.get(57).copied().unwrap_or(0) {
        let volume = all.get(at..).ok_or(Defect::Truncated)?;
        let (superblock, bytes) = volume_of(all, volume, &disks, own)?;
        let end = superblock.data_offset.saturating_add(superblock.size);
        if superblock.size == 0 || end > sectors {
            return Err(Defect::Nonsense("size"));
        }
        at += bytes;
        volumes.push(Superblock {
            sector,
            ..superblock
        });
    }
    if volumes.is_empty() {
        return Err(Defect::NotOpened(
            "it is a spare of a firmware RAID (IMSM) and holds no volume".into(),
        ));
    }
    Ok(volumes)
}

struct Disks {
    /// Serial number, and whether it failed.
    all: Vec<(String, bool)>,
}

impl Disks {
    fn of(all: &[u8]) -> Option<Self> {
        let count = usize::from(*all.get(56)?);
        let list = all.get(DISKS..DISKS + count * DISK_BYTES)?;
        let disk = |raw: &[u8]| {
            (
                text(&raw[..16]),
                u32_at(raw, 24).is_some_and(|s| s & 4 != 0),
            )
        };
        Some(Self {
            all: list.chunks_exact(DISK_BYTES).map(disk).collect(),
        })
    }

    /// A serial number is kept without blanks and cut to its last 16 letters.
    fn index(&self, serial: &str) -> Option<usize> {
        let clean: String = serial.chars().filter(|c| !c.is_whitespace()).collect();
        let start = clean.len().saturating_sub(16);
        let last = clean.get(start..)?;
        self.all.iter().position(|(known, _)| {
            let known: String = known.chars().filter(|c| !c.is_whitespace()).collect();
            known == last
        })
    }
}

/// One volume as member `own` sees it, and the bytes of its description.
fn volume_of(
    all: &[u8],
    volume: &[u8],
    disks: &Disks,
    own: usize,
) -> Result<(Superblock, usize), Defect> {
    let cut = Defect::Truncated;
    let word = |at| u32_at(volume, at).ok_or(Defect::Truncated);
    let map = volume.get(MAP..).ok_or(cut)?;
    let map_word = |at| u32_at(map, at).ok_or(Defect::Truncated);
    let long = |low: usize, high: usize| -> Result<u64, Defect> {
        Ok(u64::from(map_word(high)?) << 32 | u64::from(map_word(low)?))
    };
    let byte = |raw: &[u8], at: usize| raw.get(at).copied().ok_or(Defect::Truncated);
    let members = usize::from(byte(map, 16)?);
    let migrating = byte(volume, 88)? != 0;
    let (migration, dirty) = (byte(volume, 89)?, byte(volume, 90)?);
    let mut roles = vec![SPARE; disks.all.len()];
    let mut rebuilding = false;
    // While it is rebuilt or its shape changes a second map follows, and only
    // that one may say which disk is being filled.
    let second = MAP + ORDER + 4 * members;
    for slot in 0..members {
        let order = map_word(ORDER + 4 * slot)?;
        let filled = match migrating {
            true => word(second + ORDER + 4 * slot).unwrap_or(0),
            false => 0,
        };
        let index = usize::try_from(order & 0xFF_FFFF).unwrap_or(usize::MAX);
        let Some(role) = roles.get_mut(index) else {
            continue;
        };
        let failed = disks.all.get(index).is_none_or(|(_, failed)| *failed);
        *role = match u16::try_from(slot) {
            Ok(slot) if !failed => slot,
            _ => FAULTY,
        };
        rebuilding |= index == own && (order | filled) & (1 << 24) != 0;
    }
    let slots = u32::try_from(members).unwrap_or(0);
    let (level, layout, data_disks) = match (byte(map, 15)?, members) {
        (0, 1..) => (0, 2, slots),
        (1, 2) => (1, 0, 1),
        (1 | 10, 4..) => (10, 0x102, slots / 2),
        (5, 3..) => (5, 0, slots - 1),
        _ => return Err(Defect::Nonsense("level")),
    };
    let sectors = u64::from(word(20)?) << 32 | u64::from(word(16)?);
    let chunk = u32::from(u16_at(map, 12).ok_or(Defect::Truncated)?);
    // Type 3 changes the shape; the others check or rebuild.
    let reshape = (migrating && migration == 3).then(Reshape::default);
    let family = u32_at(all, 64).filter(|family| *family != 0);
    let family = family.or_else(|| u32_at(all, 40)).unwrap_or(0);
    let name = text(&volume[..16]);
    let maps = if migrating { 2 } else { 1 };
    let superblock = Superblock {
        version: "imsm".into(),
        array_uuid: format!("imsm:{family:08x}:{name}"),
        name,
        level,
        layout,
        size: sectors / u64::from(data_disks.max(1)),
        chunk: if level == 1 { 0 } else { chunk },
        raid_disks: slots,
        data_offset: long(0, 20)?,
        data_size: long(4, 24)?,
        number: u32::try_from(own).unwrap_or(u32::MAX),
        features: (u32::from(rebuilding) * feature::RECOVERY_OFFSET)
            | (u32::from(reshape.is_some()) * feature::RESHAPE),
        created: u64_at(all, 80).unwrap_or(0),
        events: u64::from(u32_at(all, 44).unwrap_or(0)),
        clean: dirty & 1 == 0,
        recovery_offset: rebuilding.then_some(0),
        roles,
        reshape,
        ..Superblock::default()
    };
    Ok((superblock, MAP + maps * (ORDER + 4 * members)))
}
