//! Objects of a journal file.

use crate::kmod::unpack::{Packing, unpack};
use crate::survey::little_endian::{u32_at, u64_at};

/// Type, flags, six reserved bytes, size.
pub(super) const OBJECT_HEADER: usize = 16;

/// Bytes that a packed value may become.
const MOST_UNPACKED: u64 = 256 << 10;

/// Items of one entry.
const MOST_ITEMS: usize = 256;

/// One value of a field.
#[derive(Debug, Clone)]
pub struct Data {
    /// `FIELD=value`
    pub text: String,
    /// The next value of the same field.
    pub(super) next: u64,
    /// The first entry with it.
    pub(super) first: u64,
    /// The array of the others.
    pub(super) arrays: u64,
    /// Entries with it.
    pub(super) entries: u64,
}

impl Data {
    /// What stands behind the `=`.
    pub fn value(&self) -> &str {
        self.text.split_once('=').map_or("", |(_, value)| value)
    }

    /// The offset of the first entry with it.
    pub fn first_entry(&self) -> u64 {
        self.first
    }
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Microseconds since 1970.
    pub realtime: u64,
    /// The boot, 32 hexadecimal digits.
    pub boot: String,
    /// Offsets of its values.
    pub(super) items: Vec<u64>,
}

impl Entry {
    pub(super) fn read(object: &[u8], compact: bool) -> Option<Self> {
        let boot = object.get(40..56)?;
        let size = if compact { 4 } else { 16 };
        let items = object
            .get(64..)?
            .chunks_exact(size)
            .take(MOST_ITEMS)
            .filter_map(|item| match compact {
                true => u32_at(item, 0).map(u64::from),
                false => u64_at(item, 0),
            })
            .collect();
        Some(Self {
            realtime: u64_at(object, 24)?,
            boot: hex::encode(boot),
            items,
        })
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> i64 {
        i64::try_from(self.realtime / 1_000_000).unwrap_or(i64::MAX)
    }
}

/// Kind, flags and size of an object.
pub(super) fn header_of(header: &[u8]) -> Option<(u8, u8, u64)> {
    let size = u64_at(header, 8)?;
    (size >= OBJECT_HEADER as u64).then_some((*header.first()?, *header.get(1)?, size))
}

/// The text of a value, unpacked where it is packed.
pub(super) fn payload(flags: u8, raw: &[u8]) -> Option<String> {
    let bytes = match flags & 0b111 {
        0 => raw.to_vec(),
        1 => unpack(raw, Packing::Xz, MOST_UNPACKED).ok()?,
        2 => {
            // LZ4: the size, then one block.
            let size = u64_at(raw, 0)?;
            let size = usize::try_from(size.min(MOST_UNPACKED)).ok()?;
            lz4_flex::block::decompress(raw.get(8..)?, size).ok()?
        }
        4 => unpack(raw, Packing::Zstd, MOST_UNPACKED).ok()?,
        _ => return None,
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
