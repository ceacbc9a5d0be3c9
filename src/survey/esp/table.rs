//! The table of a FAT filesystem, in memory: which cluster comes after which.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::little_endian::u32_at;
use super::edit::SECTOR;
use super::fat::{ReadAt, Shape, Width};

/// No table of an EFI system partition is longer.
const TABLE_BYTES_MAX: u64 = 32 << 20;

/// A cluster that belongs to nothing.
pub(super) const FREE: u32 = 0;

/// The last cluster of a chain.
pub(super) const END: u32 = 0x0FFF_FFFF;

/// From here on a number ends a chain; the one before it marks a bad cluster.
const ENDS: u32 = 0x0FFF_FFF8;

/// The sector of FAT32 that counts what is free, how it begins, and where in it
/// the count is.
const INFO: [(usize, u32); 2] = [(0, 0x4161_5252), (484, 0x6141_7272)];
const INFO_FREE: usize = 488;
const UNKNOWN: u32 = u32::MAX;

/// The table.
pub(super) struct Table {
    width: Width,
    /// As it is stored, to keep what is not ours.
    raw: Vec<u8>,
    next: Vec<u32>,
    changed: BTreeMap<u32, u32>,
    /// Where free clusters are looked for.
    from: usize,
    /// How many fewer are free.
    taken: i64,
}

impl Table {
    /// Reads it; all its copies must say the same.
    pub(super) fn read(read_at: ReadAt<'_>, shape: &Shape) -> Result<Self, String> {
        let (bytes, clusters) = (shape.table_bytes, shape.clusters);
        let needed = match shape.width {
            Width::Fat12 => (clusters + 2) * 3 / 2 + 1,
            Width::Fat16 => (clusters + 2) * 2,
            Width::Fat32 => (clusters + 2) * 4,
        };
        if bytes > TABLE_BYTES_MAX || needed > bytes + 1 {
            return Err("its table has no length that makes sense".into());
        }
        if !shape.mirrored {
            return Err("it keeps only one of its tables".into());
        }
        let length = usize::try_from(bytes).map_err(|_| "its table is too long")?;
        let copy = |number: u64| {
            let read = read_at(shape.table_at + number * bytes, length);
            let read = read.map_err(|error| error.to_string())?;
            match read.len() == length {
                true => Ok(read),
                false => Err("its table is cut off".to_owned()),
            }
        };
        let raw = copy(0)?;
        for number in 1..shape.tables {
            if copy(number)? != raw {
                return Err("its filesystem is damaged (its tables differ)".into());
            }
        }
        let count = usize::try_from(clusters + 2).map_err(|_| "its table is too long")?;
        let mut table = Self {
            width: shape.width,
            next: Vec::with_capacity(count),
            raw,
            changed: BTreeMap::new(),
            from: 2,
            taken: 0,
        };
        for cluster in 0..count {
            let value = table.stored(cluster).ok_or("its table is cut off")?;
            table.next.push(value);
        }
        Ok(table)
    }

    /// The number stored for a cluster, in the way of FAT32.
    fn stored(&self, cluster: usize) -> Option<u32> {
        let half = |at: usize| {
            let bytes = self.raw.get(at..at + 2)?;
            Some(u32::from(bytes[0]) | u32::from(bytes[1]) << 8)
        };
        // The highest numbers mean the same in all widths.
        let long = |value: u32, first: u32| match value >= first {
            true => value - first + (ENDS - 8),
            false => value,
        };
        Some(match self.width {
            Width::Fat12 => {
                let value = half(cluster + cluster / 2)?;
                let value = if cluster % 2 == 1 {
                    value >> 4
                } else {
                    value & 0xFFF
                };
                long(value, 0xFF0)
            }
            Width::Fat16 => long(half(cluster * 2)?, 0xFFF0),
            Width::Fat32 => u32_at(&self.raw, cluster * 4)? & 0x0FFF_FFFF,
        })
    }

    /// The clusters of a chain.
    pub(super) fn chain(&self, first: u32) -> Result<Vec<u32>, String> {
        let mut chain = Vec::new();
        let mut next = first;
        while next < ENDS {
            let value = match usize::try_from(next) {
                Ok(at) if at >= 2 => self.next.get(at),
                _ => None,
            };
            let value = value.ok_or(format!("a chain leads to cluster {next}, which is none"))?;
            chain.push(next);
            if *value == FREE || chain.len() > self.next.len() {
                return Err("a chain does not end".into());
            }
            next = *value;
        }
        Ok(chain)
    }

    /// Takes so many free clusters, side by side where there are, as one chain.
    pub(super) fn take(&mut self, count: usize, size: u64) -> Result<Vec<u32>, String> {
        let free: Vec<usize> = (2..self.next.len())
            .filter(|at| self.next[*at] == FREE)
            .collect();
        if free.len() < count {
            let (need, have) = (count as u64 * size, free.len() as u64 * size);
            return Err(format!(
                "{} KiB are needed on it, and {} KiB are free",
                need >> 10,
                have >> 10
            ));
        }
        let together = |run: &&[usize]| {
            run.last()
                .zip(run.first())
                .is_some_and(|(l, f)| l - f + 1 == count)
        };
        let after = free.partition_point(|at| *at < self.from);
        let mut runs = free[after..].windows(count).chain(free.windows(count));
        let run = runs.find(together).unwrap_or(&free[..count]);
        let chain: Vec<u32> = run
            .iter()
            .filter_map(|at| u32::try_from(*at).ok())
            .collect();
        self.from = run.last().map_or(2, |last| last + 1);
        for (number, cluster) in chain.iter().enumerate() {
            self.link(*cluster, chain.get(number + 1).copied().unwrap_or(END));
        }
        self.taken += i64::try_from(count).unwrap_or(0);
        Ok(chain)
    }

    /// What comes after a cluster.
    pub(super) fn link(&mut self, cluster: u32, next: u32) {
        let at = usize::try_from(cluster).ok();
        if let Some(place) = at.and_then(|at| self.next.get_mut(at)) {
            *place = next;
            self.changed.insert(cluster, next);
        }
    }

    /// Gives a chain up.
    pub(super) fn free(&mut self, first: u32) -> Result<(), String> {
        if first == 0 {
            return Ok(());
        }
        for cluster in self.chain(first)? {
            self.link(cluster, FREE);
            self.taken -= 1;
        }
        Ok(())
    }

    /// The bytes of the partition that change with it: where, and what.
    pub(super) fn changes(
        &mut self,
        read_at: ReadAt<'_>,
        shape: &Shape,
    ) -> Result<Vec<(u64, Vec<u8>)>, String> {
        let mut all = Vec::new();
        if self.changed.is_empty() {
            return Ok(all);
        }
        let mut sectors = BTreeSet::new();
        for (cluster, next) in std::mem::take(&mut self.changed) {
            let at = usize::try_from(cluster).unwrap_or(usize::MAX);
            let bytes = self.set(at, next).ok_or("its table is cut off")?;
            sectors.extend([bytes.start / SECTOR, (bytes.end - 1) / SECTOR]);
        }
        for number in 0..shape.tables {
            let start = shape.table_at + number * shape.table_bytes;
            for sector in &sectors {
                let from = sector * SECTOR;
                let part = &self.raw[from..self.raw.len().min(from + SECTOR)];
                all.push((start + from as u64, part.to_vec()));
            }
        }
        if let Some(at) = shape.info_at {
            let mut info = read_at(at, SECTOR).map_err(|error| error.to_string())?;
            let known = INFO
                .iter()
                .all(|(at, magic)| u32_at(&info, *at) == Some(*magic));
            let free = u32_at(&info, INFO_FREE).filter(|free| known && *free != UNKNOWN);
            let now = free.and_then(|free| u32::try_from(i64::from(free) - self.taken).ok());
            if let Some(now) = now {
                info[INFO_FREE..INFO_FREE + 4].copy_from_slice(&now.to_le_bytes());
                all.push((at, info));
            }
        }
        Ok(all)
    }

    /// Where in the table that is.
    fn set(&mut self, cluster: usize, next: u32) -> Option<Range<usize>> {
        let at = match self.width {
            Width::Fat12 => cluster + cluster / 2,
            Width::Fat16 => cluster * 2,
            Width::Fat32 => cluster * 4,
        };
        let [a, b, c, d] = next.to_le_bytes();
        let bytes = self.raw.get_mut(at..)?;
        match self.width {
            Width::Fat12 if cluster % 2 == 1 => {
                let place = bytes.first_chunk_mut::<2>()?;
                *place = [place[0] & 0x0F | a << 4, a >> 4 | b << 4];
            }
            Width::Fat12 => {
                let place = bytes.first_chunk_mut::<2>()?;
                *place = [a, place[1] & 0xF0 | b & 0x0F];
            }
            Width::Fat16 => *bytes.first_chunk_mut::<2>()? = [a, b],
            // The upper four bits are not the number's.
            Width::Fat32 => {
                let place = bytes.first_chunk_mut::<4>()?;
                *place = [a, b, c, place[3] & 0xF0 | d & 0x0F];
            }
        }
        let length = if self.width == Width::Fat32 { 4 } else { 2 };
        Some(at..at + length)
    }
}
