//! FAT12, FAT16 and FAT32, read the way UEFI does (Microsoft, "FAT: General
//! Overview of On-Disk Format" 1.03; EDK2, `FatPkg/EnhancedFatDxe`).
//!
//! Not by a crate: `fatfs` wants a disk that can be written, follows a ring of
//! clusters for ever, and refuses a small FAT32, which firmware and Linux read.

use std::io;

use super::super::little_endian::{u16_at, u32_at};

/// Bytes of a directory that are looked at: 32768 entries.
pub(super) const DIRECTORY_BYTES_MAX: usize = 1 << 20;

/// Bytes that are read of one partition in all, the table apart.
const ALL_BYTES_MAX: usize = 128 << 20;

/// The table is read in pieces of this size.
const PAGE: u64 = 64 << 10;

/// Bytes of an entry of a directory.
pub(super) const ENTRY: usize = 32;

/// Attributes of an entry.
const VOLUME_LABEL: u8 = 0x08;
pub(super) const DIRECTORY: u8 = 0x10;
pub(super) const LONG_NAME: u8 = 0x0F;

/// First bytes of an entry: behind the last one, and one that was removed.
pub(super) const NEVER_USED: u8 = 0;
pub(super) const REMOVED: u8 = 0xE5;

/// Where in an entry of a long name its letters stand.
pub(super) const LETTERS: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// Marks the entry with the end of a long name.
pub(super) const LAST: u8 = 0x40;

/// Below these counts of clusters it is a FAT12 or FAT16.
const FAT12_CLUSTERS: u64 = 4085;
const FAT16_CLUSTERS: u64 = 65525;

/// Reads so many bytes at a place of the partition; fewer only at its end.
pub(super) type ReadAt<'s> = &'s dyn Fn(u64, usize) -> io::Result<Vec<u8>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
}

/// Where a directory begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The root directory of FAT12 and FAT16: a stretch of its own.
    Fixed,
    /// A chain of clusters.
    Chain(u32),
}

/// One entry of a directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_directory: bool,
    pub(super) bytes: u32,
    pub(super) cluster: u32,
    /// Its number among the slots of its directory, and the short name there.
    pub(super) slot: usize,
    pub(super) short: [u8; 11],
}

/// Where everything lies, as the first sector tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) width: Width,
    /// The first table, how many there are, and the length of each.
    pub(super) table_at: u64,
    pub(super) tables: u64,
    pub(super) table_bytes: u64,
    pub(super) cluster_bytes: u64,
    pub(super) clusters: u64,
    pub(super) data_at: u64,
    /// The root directory of FAT12 and FAT16.
    pub(super) fixed: (u64, usize),
    pub(super) root: Place,
    /// The sector of FAT32 that counts what is free.
    pub(super) info_at: Option<u64>,
    /// False for a FAT32 that keeps only one of its tables.
    pub(super) mirrored: bool,
}

/// An open filesystem.
pub(super) struct Fat<'s> {
    read_at: ReadAt<'s>,
    shape: Shape,
    page: (u64, Vec<u8>),
    left: usize,
}

impl Shape {
    /// Reads it in the first sector of a partition of so many bytes.
    fn of(boot: &[u8], bytes: u64) -> Result<Self, String> {
        if boot.iter().all(|byte| *byte == 0) {
            return Err("it is blank: no FAT filesystem was ever made, or it was wiped".into());
        }
        let none = || "its first sector is not that of a FAT filesystem".to_owned();
        let byte = |at: usize| boot.get(at).copied().map(u64::from);
        let half = |at| u16_at(boot, at).map(u64::from);
        let word = |at| u32_at(boot, at).map(u64::from);
        let fields = || {
            Some((
                half(11)?,
                byte(13)?,
                half(14)?,
                byte(16)?,
                half(17)?,
                half(22)?,
            ))
        };
        let (sector, per_cluster, reserved, tables, root_entries, short_table) =
            fields().ok_or_else(none)?;
        let sane = boot.get(510..512) == Some(&[0x55, 0xAA])
            && sector.is_power_of_two()
            && (512..=4096).contains(&sector)
            && per_cluster.is_power_of_two()
            && reserved > 0
            && (1..=4).contains(&tables);
        if !sane {
            return Err(none());
        }
        let either = |short: Option<u64>, long| short.filter(|n| *n > 0).or_else(|| word(long));
        let table_sectors = either(Some(short_table), 36).ok_or_else(none)?;
        let all = either(half(19), 32).ok_or_else(none)?;
        let fixed_at = (reserved + tables * table_sectors) * sector;
        let fixed_bytes = (root_entries * 32).next_multiple_of(sector);
        let data_at = fixed_at + fixed_bytes;
        let clusters = (all * sector).saturating_sub(data_at) / (per_cluster * sector);
        if clusters == 0 || table_sectors == 0 || data_at >= bytes {
            return Err("its sizes make no sense".into());
        }
        let width = match short_table {
            0 => Width::Fat32,
            _ if clusters < FAT12_CLUSTERS => Width::Fat12,
            _ if clusters < FAT16_CLUSTERS => Width::Fat16,
            _ => return Err("its sizes make no sense".into()),
        };
        let root = match width {
            Width::Fat32 => Place::Chain(u32_at(boot, 44).ok_or_else(none)?),
            _ => Place::Fixed,
        };
        let is_long = width == Width::Fat32;
        Ok(Self {
            width,
            table_at: reserved * sector,
            tables,
            table_bytes: table_sectors * sector,
            cluster_bytes: per_cluster * sector,
            clusters,
            data_at,
            fixed: (fixed_at, usize::try_from(fixed_bytes).unwrap_or(0)),
            root,
            info_at: half(48)
                .filter(|at| is_long && (1..reserved).contains(at))
                .map(|at| at * sector),
            mirrored: !is_long || half(40).is_some_and(|flags| flags & 0x80 == 0),
        })
    }
}

impl<'s> Fat<'s> {
    /// Opens it.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub(super) fn open(read_at: ReadAt<'s>, bytes: u64) -> Result<Self, String> {
        let boot = read_at(0, 512).map_err(|e| e.to_string())?;
        Ok(Self {
            read_at,
            shape: Shape::of(&boot, bytes)?,
            page: (u64::MAX, Vec::new()),
            left: ALL_BYTES_MAX,
        })
    }

    /// Where everything lies.
    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Where the root directory begins.
    pub(super) fn root(&self) -> Place {
        self.shape.root
    }

    /// The entries of a directory, those of itself and its parent left out.
    ///
    /// # Errors
    /// What cannot be read or makes no sense.
    pub(super) fn directory(&mut self, place: Place) -> Result<Vec<Entry>, String> {
        let raw = match place {
            Place::Fixed => self.read(
                self.shape.fixed.0,
                self.shape.fixed.1.min(DIRECTORY_BYTES_MAX),
            )?,
            Place::Chain(first) => self.chain(first, None)?,
        };
        Ok(entries(&raw, self.shape.width))
    }

    /// The first `most` bytes of a file.
    ///
    /// # Errors
    /// What cannot be read, or a chain that ends before the file does.
    pub(super) fn content(&mut self, entry: &Entry, most: usize) -> Result<Vec<u8>, String> {
        let length = usize::try_from(entry.bytes).unwrap_or(usize::MAX).min(most);
        match length {
            0 => Ok(Vec::new()),
            _ => self.chain(entry.cluster, Some(length)),
        }
    }

    fn read(&mut self, at: u64, length: usize) -> Result<Vec<u8>, String> {
        self.left = self
            .left
            .checked_sub(length)
            .ok_or("it has more than is read of one partition")?;
        let bytes = (self.read_at)(at, length);
        let bytes = bytes.map_err(|error| error.to_string())?;
        match bytes.len() == length {
            true => Ok(bytes),
            false => Err("a part of it lies behind the end of the partition".into()),
        }
    }

    /// The bytes of a chain of clusters: `length`, or all of a directory.
    fn chain(&mut self, first: u32, length: Option<usize>) -> Result<Vec<u8>, String> {
        let most = length.unwrap_or(DIRECTORY_BYTES_MAX);
        let mut bytes = Vec::new();
        let mut next = Some(first);
        while let Some(start) = next.filter(|_| bytes.len() < most) {
            // Clusters that lie behind each other are read at once.
            let mut last = start;
            let mut run = 1_u64;
            self.expect_cluster(start)?;
            loop {
                next = self.next(last)?;
                let wanted =
                    run.saturating_mul(self.shape.cluster_bytes) < (most - bytes.len()) as u64;
                match next {
                    Some(cluster) if wanted && cluster == last.wrapping_add(1) => {
                        self.expect_cluster(cluster)?;
                        last = cluster;
                        run += 1;
                    }
                    _ => break,
                }
            }
            let left = most - bytes.len();
            let part = usize::try_from(run * self.shape.cluster_bytes).unwrap_or(left);
            let at = self.shape.data_at + u64::from(start - 2) * self.shape.cluster_bytes;
            bytes.extend(self.read(at, part.min(left))?);
        }
        if length.is_some_and(|length| bytes.len() < length) {
            return Err("its chain of clusters ends before the file does".into());
        }
        if length.is_none() && next.is_some() {
            return Err("a directory is longer than any should be, or a ring".into());
        }
        Ok(bytes)
    }

    fn expect_cluster(&self, cluster: u32) -> Result<(), String> {
        match (2..self.shape.clusters + 2).contains(&u64::from(cluster)) {
            true => Ok(()),
            false => Err(format!("a chain leads to cluster {cluster}, which is none")),
        }
    }

    /// What the table says comes after a cluster; none at the end of a chain.
    fn next(&mut self, cluster: u32) -> Result<Option<u32>, String> {
        let cluster = u64::from(cluster);
        let (at, end) = match self.shape.width {
            Width::Fat12 => (cluster + cluster / 2, 0xFF8),
            Width::Fat16 => (cluster * 2, 0xFFF8),
            Width::Fat32 => (cluster * 4, 0x0FFF_FFF8),
        };
        let start = at / PAGE * PAGE;
        if self.page.0 != start {
            // Three bytes more: an entry of FAT12 may lie across the border.
            let length = usize::try_from(PAGE + 3).unwrap_or(0);
            let page = (self.read_at)(self.shape.table_at + start, length);
            self.page = (start, page.map_err(|error| error.to_string())?);
        }
        let inside = usize::try_from(at - start).unwrap_or(usize::MAX);
        let bytes = &self.page.1;
        let half = || u16_at(bytes, inside).map(u32::from);
        let value = match self.shape.width {
            Width::Fat12 if cluster % 2 == 1 => half().map(|value| value >> 4),
            Width::Fat12 => half().map(|value| value & 0xFFF),
            Width::Fat16 => half(),
            Width::Fat32 => u32_at(bytes, inside).map(|value| value & 0x0FFF_FFFF),
        };
        let value = value.ok_or("its table is cut off")?;
        Ok((value < end).then_some(value))
    }
}

/// The entries of a directory, with their long names where they have one.
pub(super) fn entries(raw: &[u8], width: Width) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut long = LongName::default();
    for (slot, entry) in raw.chunks_exact(ENTRY).enumerate() {
        match (entry[0], entry[11]) {
            (NEVER_USED, _) => break,
            (REMOVED, _) => long = LongName::default(),
            (_, LONG_NAME) => long.add(entry),
            (_, attributes) if attributes & VOLUME_LABEL != 0 => long = LongName::default(),
            (first, attributes) => {
                let name = std::mem::take(&mut long).of(entry);
                if first == b'.' {
                    continue;
                }
                let high = match width {
                    Width::Fat32 => u16_at(entry, 20).unwrap_or(0),
                    _ => 0,
                };
                let low = u16_at(entry, 26).unwrap_or(0);
                all.push(Entry {
                    name: name.unwrap_or_else(|| short_name(entry)),
                    is_directory: attributes & DIRECTORY != 0,
                    bytes: u32_at(entry, 28).unwrap_or(0),
                    cluster: u32::from(high) << 16 | u32::from(low),
                    slot,
                    short: entry.first_chunk().copied().unwrap_or_default(),
                });
            }
        }
    }
    all
}

/// A long name: 13 letters for each entry, the last ones first.
#[derive(Default)]
struct LongName {
    letters: Vec<u16>,
    checksum: u8,
}

impl LongName {
    fn add(&mut self, entry: &[u8]) {
        const LONGEST: usize = 20 * LETTERS.len();
        if entry[0] & LAST != 0 || self.checksum != entry[13] {
            *self = Self::default();
        }
        self.checksum = entry[13];
        let letters = LETTERS.iter().filter_map(|at| u16_at(entry, *at));
        let mut letters: Vec<u16> = letters.take_while(|letter| *letter != 0).collect();
        letters.append(&mut self.letters);
        letters.truncate(LONGEST);
        self.letters = letters;
    }

    /// The name, where it belongs to this short entry.
    fn of(self, entry: &[u8]) -> Option<String> {
        let own = checksum(&entry[..11]);
        (!self.letters.is_empty() && self.checksum == own)
            .then(|| String::from_utf16_lossy(&self.letters))
    }
}

/// What the entries of a long name keep of the short one behind them.
pub(super) fn checksum(short: &[u8]) -> u8 {
    let sum = |sum: u8, byte: &u8| sum.rotate_right(1).wrapping_add(*byte);
    short.iter().fold(0, sum)
}

/// `BOOTX64 EFI`, in small letters where the entry says so.
fn short_name(entry: &[u8]) -> String {
    const SMALL_BASE: u8 = 0x08;
    const SMALL_ENDING: u8 = 0x10;
    let part = |bytes: &[u8], small: u8| {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        match entry[12] & small {
            0 => text.trim_end().to_owned(),
            _ => text.trim_end().to_ascii_lowercase(),
        }
    };
    let base = part(&entry[..8], SMALL_BASE);
    match part(&entry[8..11], SMALL_ENDING) {
        ending if ending.is_empty() => base,
        ending => format!("{base}.{ending}"),
    }
}
