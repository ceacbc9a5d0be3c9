//! A header of rpm: an index of tags and a store of their values (rpm's
//! lib/header.c and docs/manual/format_header.md).

use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::facts::database::bytes::be32;

/// Tags that are read (rpm's include/rpm/rpmtag.h).
pub(crate) mod tag {
    pub const IMMUTABLE: u32 = 63;
    pub const SHA1_HEADER: u32 = 269;
    pub const SHA256_HEADER: u32 = 273;
    pub const NAME: u32 = 1000;
    pub const VERSION: u32 = 1001;
    pub const RELEASE: u32 = 1002;
    pub const EPOCH: u32 = 1003;
    pub const INSTALL_TIME: u32 = 1008;
    pub const ARCHITECTURE: u32 = 1022;
    pub const OLD_FILE_NAMES: u32 = 1027;
    pub const SIZES: u32 = 1028;
    pub const STATES: u32 = 1029;
    pub const MODES: u32 = 1030;
    pub const DEVICES: u32 = 1033;
    pub const TIMES: u32 = 1034;
    pub const DIGESTS: u32 = 1035;
    pub const LINKS: u32 = 1036;
    pub const FLAGS: u32 = 1037;
    pub const USERS: u32 = 1039;
    pub const GROUPS: u32 = 1040;
    pub const VERIFY_FLAGS: u32 = 1045;
    pub const PROVIDES: u32 = 1047;
    pub const DIRECTORY_INDEXES: u32 = 1116;
    pub const BASE_NAMES: u32 = 1117;
    pub const DIRECTORIES: u32 = 1118;
    pub const TRANSACTION: u32 = 1128;
    pub const LONG_SIZES: u32 = 5008;
    pub const DIGEST_ALGORITHM: u32 = 5011;
}

/// What rpm allows (`HEADER_TAGS_MAX`, `HEADER_DATA_MAX`).
const TAGS_MAX: u32 = 0xffff;
const DATA_MAX: u32 = 0x1000_0000;

/// Values of one tag that are read: far more than any package has files.
const VALUES_MAX: usize = 1 << 20;

const ENTRY_BYTES: usize = 16;
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/// An entry of the index.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u32,
    kind: u32,
    offset: usize,
    count: usize,
}

/// A header whose index was read.
#[derive(Debug)]
pub struct Header<'b> {
    index: &'b [u8],
    store: &'b [u8],
    entries: Vec<Entry>,
}

impl<'b> Header<'b> {
    /// The header in a record of the database.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, String> {
        let cut = || "its record is cut off".to_owned();
        let tags = be32(bytes, 0).ok_or_else(cut)?;
        let data = be32(bytes, 4).ok_or_else(cut)?;
        if tags == 0 || tags > TAGS_MAX || data > DATA_MAX {
            return Err("its record is no header".into());
        }
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let index_end = 8 + place(tags) * ENTRY_BYTES;
        let end = index_end + place(data);
        let index = bytes.get(8..index_end).ok_or_else(cut)?;
        let store = bytes.get(index_end..end).ok_or_else(cut)?;
        if bytes.len() != end {
            return Err("its record has another length than its header".into());
        }
        let entries = index.chunks_exact(ENTRY_BYTES).map(|raw| {
            let field = |at| be32(raw, at).unwrap_or(0);
            Entry {
                tag: field(0),
                kind: field(4),
                offset: place(field(8)),
                count: place(field(12)),
            }
        });
        let header = Self {
            entries: entries.collect(),
            index,
            store,
        };
        let beyond = |entry: &Entry| entry.offset > store.len() || entry.count > store.len();
        match header.entries.iter().any(beyond) {
            true => Err("its record is broken: a value lies outside of it".into()),
            false => Ok(header),
        }
    }

    /// The entry of a tag; what rpm added last counts.
    fn entry(&self, tag: u32) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.tag == tag)
    }

    /// The strings of a tag.
    pub fn strings(&self, tag: u32) -> Vec<&'b [u8]> {
        let Some(entry) = self.entry(tag) else {
            return Vec::new();
        };
        // A string, an array of them, and one for each language.
        let count = match entry.kind {
            6 => 1,
            8 | 9 => entry.count.min(VALUES_MAX),
            _ => return Vec::new(),
        };
        let mut rest = self.store.get(entry.offset..).unwrap_or_default();
        let mut found = Vec::new();
        for _ in 0..count {
            let Some(end) = memchr::memchr(0, rest) else {
                break;
            };
            found.push(&rest[..end]);
            rest = &rest[end + 1..];
        }
        found
    }

    /// The first string of a tag, as text.
    pub fn text(&self, tag: u32) -> Option<String> {
        let strings = self.strings(tag);
        let first = strings.first()?;
        Some(String::from_utf8_lossy(first).into_owned())
    }

    /// The numbers of a tag.
    pub fn numbers(&self, tag: u32) -> Vec<u64> {
        let Some(entry) = self.entry(tag) else {
            return Vec::new();
        };
        let width = match entry.kind {
            1 | 2 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            _ => return Vec::new(),
        };
        let bytes = entry.count.min(VALUES_MAX).saturating_mul(width);
        let end = entry.offset.saturating_add(bytes);
        let raw = self.store.get(entry.offset..end).unwrap_or_default();
        let number = |raw: &[u8]| {
            raw.iter()
                .fold(0, |value: u64, byte| value << 8 | u64::from(*byte))
        };
        raw.chunks_exact(width).map(number).collect()
    }

    /// The first number of a tag.
    pub fn number(&self, tag: u32) -> Option<u64> {
        self.numbers(tag).first().copied()
    }

    /// Whether what the package brought is still what its own digests say of
    /// it; none when it brought none.
    pub fn is_as_signed(&self) -> Option<bool> {
        let wanted = |tag| self.text(tag);
        let (sha256, sha1) = (wanted(tag::SHA256_HEADER), wanted(tag::SHA1_HEADER));
        if sha256.is_none() && sha1.is_none() {
            return None;
        }
        let Some((index, store)) = self.immutable() else {
            return Some(false);
        };
        let count = |bytes: usize| u32::try_from(bytes).unwrap_or(0).to_be_bytes();
        let sizes = [count(index.len() / ENTRY_BYTES), count(store.len())];
        let parts = [&MAGIC[..], &sizes[0], &sizes[1], index, store];
        let found = match sha256.is_some() {
            true => hex_digest::<Sha256>(&parts),
            false => hex_digest::<Sha1>(&parts),
        };
        Some(sha256.or(sha1).is_some_and(|wanted| wanted == found))
    }

    /// The index and the store of what the package brought: its first entry
    /// has its extent in the sixteen bytes that it leads to.
    fn immutable(&self) -> Option<(&'b [u8], &'b [u8])> {
        let first = self.entries.first()?;
        if first.tag != tag::IMMUTABLE || first.count != ENTRY_BYTES {
            return None;
        }
        let end = first.offset.checked_add(ENTRY_BYTES)?;
        let extent = self.store.get(first.offset..end)?;
        // Its offset is the length of the index, as a negative number.
        let index_bytes = usize::try_from(be32(extent, 8)?.wrapping_neg()).ok()?;
        Some((self.index.get(..index_bytes)?, self.store.get(..end)?))
    }
}

fn hex_digest<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hash = D::new();
    parts.iter().for_each(|part| hash.update(part));
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::package;
    use super::*;

    #[test]
    fn a_header_of_one_tag() {
        // One string at offset 0, as rpm writes it.
        let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 3];
        bytes.extend([0, 0, 0x03, 0xe8, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend(b"ab\0");
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.text(tag::NAME).as_deref(), Some("ab"));
        assert_eq!(header.is_as_signed(), None);
        assert!(Header::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(tags in 0u8..9, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let data = bytes.len().saturating_sub(usize::from(tags) * 16);
            let mut all = vec![0, 0, 0, tags, 0, 0];
            all.extend(u16::try_from(data).unwrap().to_be_bytes());
            all.extend(bytes);
            if let Ok(header) = Header::parse(&all) {
                package::files(&header);
                header.is_as_signed();
            }
        }
    }
}
