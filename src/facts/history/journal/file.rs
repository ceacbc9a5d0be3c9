//! A journal file, read where it lies: header, field and data objects, entries
//! (systemd's `docs/JOURNAL_FILE_FORMAT.md`, `journal-def.h`).
//!
//! No hash is computed: the table of fields leads to every field, a field to
//! all of its values, and a value to all entries that have it. Files are cut
//! off by crashes, so each offset is checked and each chain has a limit.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use super::object::{Data, Entry, OBJECT_HEADER, header_of, payload};
use crate::survey::little_endian::{u32_at, u64_at};

const SIGNATURE: &[u8; 8] = b"LPKSHHRH";

/// The header as of systemd 187; later ones are longer.
const HEADER: usize = 208;

/// Offsets are 32 bits (`HEADER_INCOMPATIBLE_COMPACT`).
const COMPACT: u32 = 1 << 4;

/// XZ, LZ4, keyed hash, ZSTD, compact.
const KNOWN: u32 = 0b1_1111;

/// Bytes of one object that are read.
const MOST_BYTES: u64 = 256 << 10;

/// Fields, and values of one field, that are looked at.
const MOST_FIELDS: usize = 4096;
const MOST_VALUES: usize = 16_384;

/// Arrays of one value: each is larger than the one before.
const MOST_ARRAYS: usize = 512;

/// Kinds of objects.
const DATA: u8 = 1;
const FIELD: u8 = 2;
const ENTRY: u8 = 3;
const ENTRY_ARRAY: u8 = 6;

/// Where the bytes are.
#[derive(Debug)]
enum Source {
    File(File),
    Memory(Vec<u8>),
}

/// An open journal file.
#[derive(Debug)]
pub struct Journal {
    source: Source,
    compact: bool,
    field_table: (u64, u64),
    /// The time of the newest entry, in microseconds since 1970.
    pub newest: u64,
}

impl Journal {
    /// Opens a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(file: File) -> Result<Self, String> {
        Self::from(Source::File(file))
    }

    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, String> {
        Self::from(Source::Memory(bytes))
    }

    fn from(source: Source) -> Result<Self, String> {
        let header = read(&source, 0, HEADER).ok_or("shorter than its header")?;
        if header.get(..8) != Some(SIGNATURE) {
            return Err("not a journal file".into());
        }
        let number = |at| u64_at(&header, at).ok_or("shorter than its header");
        let flags = u32_at(&header, 12).ok_or("shorter than its header")?;
        if flags & !KNOWN != 0 {
            return Err(format!(
                "its form is newer than this version knows ({flags:#x})"
            ));
        }
        Ok(Self {
            compact: flags & COMPACT != 0,
            field_table: (number(120)?, number(128)?),
            newest: number(192)?,
            source,
        })
    }

    /// The object of this kind at `offset`: its flags and its bytes.
    fn object(&self, offset: u64, kind: u8) -> Option<(u8, Vec<u8>)> {
        if offset == 0 || !offset.is_multiple_of(8) {
            return None;
        }
        let header = read(&self.source, offset, OBJECT_HEADER)?;
        let (found, flags, size) = header_of(&header)?;
        if found != kind {
            return None;
        }
        let size = usize::try_from(size.min(MOST_BYTES)).ok()?;
        Some((flags, read(&self.source, offset, size)?))
    }

    /// The values of a field: `_BOOT_ID` gives `_BOOT_ID=...`, as they stand.
    pub fn values(&self, field: &str) -> Vec<Data> {
        let mut next = self.field(field).unwrap_or(0);
        let mut values = Vec::new();
        let mut seen = HashSet::new();
        while next != 0 && values.len() < MOST_VALUES && seen.insert(next) {
            let Some(data) = self.data(next) else { break };
            next = data.next;
            values.push(data);
        }
        values
    }

    /// Where the values of a field begin.
    fn field(&self, name: &str) -> Option<u64> {
        let (table, bytes) = self.field_table;
        let mut looked_at = 0;
        for bucket in 0..(bytes / 16).min(1 << 16) {
            let item = read(&self.source, table.checked_add(bucket * 16)?, 16)?;
            let mut next = u64_at(&item, 0)?;
            while next != 0 && looked_at < MOST_FIELDS {
                looked_at += 1;
                let Some((_, field)) = self.object(next, FIELD) else {
                    break;
                };
                if field.get(40..) == Some(name.as_bytes()) {
                    return u64_at(&field, 32);
                }
                next = u64_at(&field, 24)?;
            }
        }
        None
    }

    /// The data object at `offset`.
    fn data(&self, offset: u64) -> Option<Data> {
        let (flags, object) = self.object(offset, DATA)?;
        let start = if self.compact { 72 } else { 64 };
        Some(Data {
            text: payload(flags, object.get(start..)?)?,
            next: u64_at(&object, 32)?,
            first: u64_at(&object, 40)?,
            arrays: u64_at(&object, 48)?,
            entries: u64_at(&object, 56)?,
        })
    }

    /// The entry at `offset`.
    pub fn entry(&self, offset: u64) -> Option<Entry> {
        let (_, object) = self.object(offset, ENTRY)?;
        Entry::read(&object, self.compact)
    }

    /// What an entry says in the field `name`.
    pub fn text(&self, entry: &Entry, name: &str) -> Option<String> {
        entry.items.iter().find_map(|offset| {
            let text = self.data(*offset)?.text;
            let value = text.strip_prefix(name)?.strip_prefix('=')?;
            Some(value.to_owned())
        })
    }

    /// Offsets of the last `most` entries that have this value.
    pub fn last_entries(&self, data: &Data, most: usize) -> Vec<u64> {
        let step = if self.compact { 4 } else { 8 };
        let mut offsets = Vec::new();
        let mut left = data.entries.saturating_sub(1);
        let mut next = data.arrays;
        let mut seen = HashSet::new();
        while next != 0 && left > 0 && seen.len() < MOST_ARRAYS && seen.insert(next) {
            let Some(header) = read(&self.source, next, OBJECT_HEADER + 8) else {
                break;
            };
            let Some((ENTRY_ARRAY, _, size)) = header_of(&header) else {
                break;
            };
            let room = size.saturating_sub(24) / step;
            let used = room.min(left);
            // Only the end of a long array can be among the last.
            let skipped = used.saturating_sub(most as u64);
            let start = next
                .saturating_add(24)
                .saturating_add(skipped.saturating_mul(step));
            offsets.extend(self.offsets(start, used - skipped, step));
            left -= used;
            next = u64_at(&header, 16).unwrap_or(0);
            let surplus = offsets.len().saturating_sub(most);
            offsets.drain(..surplus);
        }
        if offsets.len() < most && data.first != 0 {
            offsets.insert(0, data.first);
        }
        offsets
    }

    fn offsets(&self, start: u64, count: u64, step: u64) -> Vec<u64> {
        let bytes = count.saturating_mul(step).min(MOST_BYTES);
        let Some(raw) = usize::try_from(bytes)
            .ok()
            .and_then(|bytes| read(&self.source, start, bytes))
        else {
            return Vec::new();
        };
        let at = |piece: &[u8]| match step {
            4 => u32_at(piece, 0).map(u64::from),
            _ => u64_at(piece, 0),
        };
        let size = if step == 4 { 4 } else { 8 };
        let found = raw.chunks_exact(size).filter_map(at);
        found.filter(|offset| *offset != 0).collect()
    }
}

fn read(source: &Source, offset: u64, length: usize) -> Option<Vec<u8>> {
    match source {
        Source::File(file) => {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, offset).ok()?;
            Some(bytes)
        }
        Source::Memory(all) => {
            let start = usize::try_from(offset).ok()?;
            Some(all.get(start..start.checked_add(length)?)?.to_vec())
        }
    }
}
