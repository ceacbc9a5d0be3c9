//! Files put on a FAT filesystem: worked out in memory, as the bytes of the
//! partition that change, in the order in which they are to be written.
//!
//! Not by mounting it: the kernel of a rescue system may have no vfat, and writes
//! what no journal knows. Not by a crate: see `fat`.

use std::collections::{BTreeMap, BTreeSet};

use super::fat::{
    DIRECTORY, DIRECTORY_BYTES_MAX, ENTRY, Entry, Fat, NEVER_USED, Place, REMOVED, ReadAt, Shape,
    entries,
};
use super::name;
use super::table::Table;

/// What a disk writes as a whole.
pub(super) const SECTOR: usize = 512;

/// Attribute of a file that was not saved since.
const ARCHIVE: u8 = 0x20;

/// Levels of directories, and entries in all, that are looked through.
const DEPTH_MAX: usize = 32;
const ENTRIES_MAX: usize = 100_000;

/// When a sector is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// Where nothing was.
    Content,
    /// Which clusters are taken.
    Tables,
    /// What leads there; and content that changes where it stands.
    Directories,
}

/// A sector that changes.
pub(super) struct Sector {
    pub(super) turn: Turn,
    pub(super) at: u64,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

/// A filesystem as it would be.
pub(super) struct Editor<'s> {
    read_at: ReadAt<'s>,
    shape: Shape,
    table: Table,
    /// Sectors that change, by their number.
    changed: BTreeMap<u64, Vec<u8>>,
    /// Clusters that held nothing before.
    fresh: BTreeSet<u32>,
    /// Date and time, as an entry keeps them.
    now: (u16, u16),
}

impl<'s> Editor<'s> {
    /// Opens it, and looks through all of it.
    ///
    /// # Errors
    /// It is none, or damaged.
    pub(super) fn open(read_at: ReadAt<'s>, bytes: u64, now: (u16, u16)) -> Result<Self, String> {
        let shape = Fat::open(read_at, bytes)?.shape();
        let editor = Self {
            read_at,
            shape,
            table: Table::read(read_at, &shape)?,
            changed: BTreeMap::new(),
            fresh: BTreeSet::new(),
            now,
        };
        editor.look_through()?;
        Ok(editor)
    }

    /// Puts a file, with the directories above it.
    ///
    /// # Errors
    /// There is no room, or the path is none.
    pub(super) fn put(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let name = parts.pop().ok_or("a file needs a name")?;
        let mut folder = self.shape.root;
        for part in parts {
            folder = self.enter(folder, part)?;
        }
        let length = u32::try_from(content.len()).map_err(|_| "the file is too long")?;
        let Some(old) = self.find(folder, name)? else {
            let first = self.store(content)?;
            let mut slots = self.new_slots(folder, name)?;
            fill(&mut slots, (ARCHIVE, first, length), self.now);
            return self.add(folder, &slots);
        };
        if old.is_directory {
            return Err(format!("{path} is a directory"));
        }
        if old.bytes == length && content.len() <= SECTOR && old.cluster >= 2 {
            // One sector, which a disk writes as a whole.
            return self.write(self.at_cluster(old.cluster), content);
        }
        let first = self.store(content)?;
        let mut slot = self.slot(folder, old.slot)?;
        let what = (slot[11], first, length);
        fill(std::slice::from_mut(&mut slot), what, self.now);
        self.set_slot(folder, old.slot, &slot)?;
        self.table.free(old.cluster)
    }

    /// The sectors that change, in the order of writing: new content, then the
    /// tables, then the directories that lead there.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn finish(&mut self) -> Result<Vec<Sector>, String> {
        for (at, bytes) in self.table.changes(self.read_at, &self.shape)? {
            self.write(at, &bytes)?;
        }
        let mut all = Vec::new();
        for (number, after) in &self.changed {
            let at = number * SECTOR as u64;
            let before = (self.read_at)(at, SECTOR).map_err(|error| error.to_string())?;
            if before != *after {
                let (turn, after) = (self.turn(at), after.clone());
                all.push(Sector {
                    turn,
                    at,
                    before,
                    after,
                });
            }
        }
        all.sort_by_key(|sector| (sector.turn, sector.at));
        Ok(all)
    }

    fn turn(&self, at: u64) -> Turn {
        let Shape {
            table_at,
            tables,
            table_bytes,
            data_at,
            cluster_bytes,
            info_at,
            ..
        } = self.shape;
        let cluster = at.checked_sub(data_at).map(|at| at / cluster_bytes + 2);
        let cluster = cluster.and_then(|cluster| u32::try_from(cluster).ok());
        let in_table = (table_at..table_at + tables * table_bytes).contains(&at);
        match cluster.is_some_and(|cluster| self.fresh.contains(&cluster)) {
            true => Turn::Content,
            false if in_table || info_at == Some(at) => Turn::Tables,
            false => Turn::Directories,
        }
    }

    /// What the partition would hold.
    pub(super) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = (self.read_at)(at, length).map_err(|error| error.to_string())?;
        let end = at + bytes.len() as u64;
        let first = at / SECTOR as u64;
        for (number, sector) in self.changed.range(first..end.div_ceil(SECTOR as u64)) {
            let start = number * SECTOR as u64;
            let (from, to) = (start.max(at), (start + SECTOR as u64).min(end));
            let inside = |place: u64, base: u64| usize::try_from(place - base).unwrap_or(0);
            let part = &sector[inside(from, start)..inside(to, start)];
            bytes[inside(from, at)..inside(to, at)].copy_from_slice(part);
        }
        Ok(bytes)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), String> {
        let sector = SECTOR as u64;
        let start = at / sector * sector;
        let end = (at + bytes.len() as u64).div_ceil(sector) * sector;
        let length = usize::try_from(end - start).map_err(|_| "too much at once")?;
        let mut whole = self.read(start, length)?;
        let inside = usize::try_from(at - start).unwrap_or(0);
        let place = whole.get_mut(inside..inside + bytes.len());
        place
            .ok_or("a part of it lies behind the end of the partition")?
            .copy_from_slice(bytes);
        for (number, part) in whole.chunks(SECTOR).enumerate() {
            let number = start / sector + number as u64;
            self.changed.insert(number, part.to_vec());
        }
        Ok(())
    }

    fn at_cluster(&self, cluster: u32) -> u64 {
        self.shape.data_at + u64::from(cluster - 2) * self.shape.cluster_bytes
    }

    /// Writes content to free clusters; the first of them.
    fn store(&mut self, content: &[u8]) -> Result<u32, String> {
        if content.is_empty() {
            return Ok(0);
        }
        let size = usize::try_from(self.shape.cluster_bytes).unwrap_or(usize::MAX);
        let clusters = self
            .table
            .take(content.len().div_ceil(size), self.shape.cluster_bytes)?;
        for (cluster, part) in clusters.iter().zip(content.chunks(size)) {
            self.fresh.insert(*cluster);
            // What else is in the last sector belongs to nobody.
            self.write(self.at_cluster(*cluster), part)?;
        }
        clusters.first().copied().ok_or("no cluster".into())
    }

    /// The directory called so, made where it is not there.
    fn enter(&mut self, folder: Place, name: &str) -> Result<Place, String> {
        if let Some(found) = self.find(folder, name)? {
            return match found.is_directory && found.cluster >= 2 {
                true => Ok(Place::Chain(found.cluster)),
                false => Err(format!("{name} is no directory")),
            };
        }
        let mut slots = self.new_slots(folder, name)?;
        let size = usize::try_from(self.shape.cluster_bytes).unwrap_or(0);
        let mut content = vec![0; size];
        let first = self.store(&content)?;
        // The root is called 0 there, whatever cluster it has.
        let parent = match folder {
            Place::Chain(cluster) if folder != self.shape.root => cluster,
            _ => 0,
        };
        for (number, (dots, cluster)) in [(".", first), ("..", parent)].into_iter().enumerate() {
            let mut entry = [[b' '; ENTRY]];
            entry[0][11..].fill(0);
            entry[0][..dots.len()].copy_from_slice(dots.as_bytes());
            fill(&mut entry, (DIRECTORY, cluster, 0), self.now);
            content[number * ENTRY..(number + 1) * ENTRY].copy_from_slice(&entry[0]);
        }
        self.write(self.at_cluster(first), &content)?;
        fill(&mut slots, (DIRECTORY, first, 0), self.now);
        self.add(folder, &slots)?;
        Ok(Place::Chain(first))
    }

    fn find(&self, folder: Place, name: &str) -> Result<Option<Entry>, String> {
        let all = entries(&self.raw(folder)?, self.shape.width).into_iter();
        let mut all = all.filter(|entry| entry.name.eq_ignore_ascii_case(name));
        Ok(all.next())
    }

    fn new_slots(&self, folder: Place, name: &str) -> Result<Vec<[u8; ENTRY]>, String> {
        let all = entries(&self.raw(folder)?, self.shape.width);
        let taken: Vec<[u8; 11]> = all.into_iter().map(|entry| entry.short).collect();
        name::slots(name, &taken)
    }

    /// Adds slots where so many are free side by side; a directory that is full
    /// gets a cluster more.
    fn add(&mut self, folder: Place, slots: &[[u8; ENTRY]]) -> Result<(), String> {
        let raw = self.raw(folder)?;
        let free = |slot: &[u8]| matches!(slot[0], NEVER_USED | REMOVED);
        let all: Vec<&[u8]> = raw.chunks_exact(ENTRY).collect();
        let mut windows = all.windows(slots.len());
        if let Some(first) = windows.position(|window| window.iter().all(|slot| free(slot))) {
            for (number, slot) in slots.iter().enumerate() {
                self.set_slot(folder, first + number, slot)?;
            }
            return Ok(());
        }
        let Place::Chain(start) = folder else {
            return Err("its root directory is full".into());
        };
        let last = self.table.chain(start)?.last().copied();
        let size = usize::try_from(self.shape.cluster_bytes).unwrap_or(0);
        if raw.len() + size > DIRECTORY_BYTES_MAX {
            return Err("a directory is full".into());
        }
        let more = self.store(&vec![0; size])?;
        self.table
            .link(last.ok_or("a directory has no cluster")?, more);
        self.add(folder, slots)
    }

    fn place_of(&self, folder: Place, slot: usize) -> Result<u64, String> {
        let at = (slot * ENTRY) as u64;
        match folder {
            Place::Fixed => Ok(self.shape.fixed.0 + at),
            Place::Chain(first) => {
                let number = usize::try_from(at / self.shape.cluster_bytes).unwrap_or(usize::MAX);
                let chain = self.table.chain(first)?;
                let cluster = chain.get(number).ok_or("a directory is too short")?;
                Ok(self.at_cluster(*cluster) + at % self.shape.cluster_bytes)
            }
        }
    }

    fn slot(&self, folder: Place, slot: usize) -> Result<[u8; ENTRY], String> {
        let bytes = self.read(self.place_of(folder, slot)?, ENTRY)?;
        bytes.first_chunk().copied().ok_or("it is cut off".into())
    }

    fn set_slot(&mut self, folder: Place, slot: usize, bytes: &[u8]) -> Result<(), String> {
        self.write(self.place_of(folder, slot)?, bytes)
    }

    /// All bytes of a directory.
    fn raw(&self, folder: Place) -> Result<Vec<u8>, String> {
        let first = match folder {
            Place::Fixed => return self.read(self.shape.fixed.0, self.shape.fixed.1),
            Place::Chain(first) => first,
        };
        let size = usize::try_from(self.shape.cluster_bytes).unwrap_or(usize::MAX);
        let chain = self.table.chain(first)?;
        if chain.len().saturating_mul(size) > DIRECTORY_BYTES_MAX {
            return Err("a directory is longer than any should be".into());
        }
        let mut raw = Vec::new();
        for cluster in chain {
            raw.extend(self.read(self.at_cluster(cluster), size)?);
        }
        Ok(raw)
    }

    /// Every chain ends, has the length that its file has, and shares nothing
    /// with another one: then what the table calls free is free.
    fn look_through(&self) -> Result<(), String> {
        let damaged = |why: String| format!("its filesystem is damaged ({why})");
        let mut seen = BTreeSet::new();
        let mut own = |clusters: &[u32], path: &str| {
            let mut new = clusters.iter().map(|cluster| seen.insert(*cluster));
            match new.all(|new| new) {
                true => Ok(()),
                false => Err(damaged(format!("{path} and another file share clusters"))),
            }
        };
        let mut todo = vec![(String::new(), self.shape.root, 0)];
        let mut left = ENTRIES_MAX;
        while let Some((path, folder, depth)) = todo.pop() {
            if let Place::Chain(first) = folder {
                own(&self.table.chain(first).map_err(damaged)?, &path)?;
            }
            for entry in entries(&self.raw(folder).map_err(damaged)?, self.shape.width) {
                let inside = format!("{path}/{}", entry.name);
                left = left
                    .checked_sub(1)
                    .ok_or("it has more files than are looked at")?;
                if entry.is_directory {
                    if depth == DEPTH_MAX {
                        return Err("its directories lie too deep".into());
                    }
                    todo.push((inside, Place::Chain(entry.cluster), depth + 1));
                    continue;
                }
                let wanted = u64::from(entry.bytes).div_ceil(self.shape.cluster_bytes);
                let chain = match entry.cluster {
                    0 => Vec::new(),
                    first => self.table.chain(first).map_err(damaged)?,
                };
                if chain.len() as u64 != wanted {
                    return Err(damaged(format!("the length of {inside}")));
                }
                own(&chain, &inside)?;
            }
        }
        Ok(())
    }
}

/// Attributes, first cluster, length and times of the last of these slots.
fn fill(slots: &mut [[u8; ENTRY]], what: (u8, u32, u32), (date, time): (u16, u16)) {
    let Some(entry) = slots.last_mut() else {
        return;
    };
    let (attributes, cluster, bytes) = what;
    let [a, b, c, d] = cluster.to_le_bytes();
    let is_new = entry[11] == 0;
    entry[11] = attributes;
    entry[20..22].copy_from_slice(&[c, d]);
    entry[26..28].copy_from_slice(&[a, b]);
    entry[28..32].copy_from_slice(&bytes.to_le_bytes());
    entry[22..24].copy_from_slice(&time.to_le_bytes());
    entry[24..26].copy_from_slice(&date.to_le_bytes());
    if is_new {
        entry[14..16].copy_from_slice(&time.to_le_bytes());
        entry[16..18].copy_from_slice(&date.to_le_bytes());
        entry[18..20].copy_from_slice(&date.to_le_bytes());
    }
}
