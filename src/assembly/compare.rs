//! How much two legs of a mirror differ, block by block.

use std::io;

use serde::{Deserialize, Serialize};

use crate::survey::Source;

/// Bytes in a block: the smallest that filesystems write.
pub const BLOCK_BYTES: u64 = 4096;

/// Bytes read at once.
const PIECE_BYTES: u64 = 256 * 1024;

/// Pieces in a sample, evenly spread: 256 MiB of each leg.
const SAMPLE_PIECES: u64 = 1024;

/// Different stretches that are kept; more are only counted.
const MOST_RANGES: usize = 10_000;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Pieces spread over all of it.
    Sample,
    /// Everything.
    Full,
}

/// A stretch that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Range {
    /// Where it begins, in bytes from the start of the array.
    pub start: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// How much was read.
    pub depth: Depth,
    /// Blocks of [`BLOCK_BYTES`] in each leg.
    pub blocks: u64,
    /// Blocks that were compared.
    pub compared: u64,
    /// Blocks that differ.
    pub different: u64,
    /// Blocks that one of the legs does not give.
    pub unreadable: u64,
    /// The stretches that differ, the first ten thousand.
    pub ranges: Vec<Range>,
}

/// Compares the data of two legs. `progress` hears the percentage done.
///
/// # Errors
/// A leg cannot be opened. What cannot be read is counted and passed over.
pub fn compare(
    one: &Source,
    other: &Source,
    depth: Depth,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Comparison> {
    let (first, second) = (one.open()?, other.open()?);
    let bytes = one.bytes.min(other.bytes);
    let pieces = bytes.div_ceil(PIECE_BYTES);
    let step = match depth {
        Depth::Full => 1,
        Depth::Sample => pieces.div_ceil(SAMPLE_PIECES).max(1),
    };
    let mut found = Comparison {
        depth,
        blocks: bytes.div_ceil(BLOCK_BYTES),
        compared: 0,
        different: 0,
        unreadable: 0,
        ranges: Vec::new(),
    };
    let mut piece = 0;
    while piece < pieces {
        let at = piece * PIECE_BYTES;
        let length = usize::try_from(PIECE_BYTES.min(bytes - at)).unwrap_or(0);
        match (
            one.read_at(&first, at, length),
            other.read_at(&second, at, length),
        ) {
            (Ok(a), Ok(b)) => found.add(at, &a, &b),
            _ => found.unreadable += (length as u64).div_ceil(BLOCK_BYTES),
        }
        piece += step;
        progress(piece.min(pieces) * 100 / pieces);
    }
    Ok(found)
}

impl Comparison {
    fn add(&mut self, at: u64, one: &[u8], other: &[u8]) {
        let size = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        for (index, (a, b)) in one.chunks(size).zip(other.chunks(size)).enumerate() {
            self.compared += 1;
            if a != b {
                self.different += 1;
                self.add_range(at + index as u64 * BLOCK_BYTES, a.len() as u64);
            }
        }
    }

    fn add_range(&mut self, start: u64, bytes: u64) {
        if let Some(last) = self.ranges.last_mut()
            && last.start + last.bytes == start
        {
            last.bytes += bytes;
        } else if self.ranges.len() < MOST_RANGES {
            self.ranges.push(Range { start, bytes });
        }
    }

    /// True when any kept stretch lies in `start..start + bytes`.
    pub fn touches(&self, start: u64, bytes: u64) -> bool {
        let end = start.saturating_add(bytes);
        let before = self
            .ranges
            .partition_point(|range| range.start + range.bytes <= start);
        self.ranges
            .get(before)
            .is_some_and(|range| range.start < end)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn leg(bytes: &[u8]) -> (tempfile::NamedTempFile, Source) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let source = Source {
            path: file.path().to_owned(),
            offset: 0,
            bytes: bytes.len() as u64,
        };
        (file, source)
    }

    #[test]
    fn differing_blocks_are_counted_and_joined() {
        let one = vec![0_u8; 3 << 20];
        let mut other = one.clone();
        for at in [8192, 8192 + 4096, (2 << 20) + 5] {
            other[at] = 1;
        }
        let ((_a, one), (_b, other)) = (leg(&one), leg(&other));
        let mut last = 0;
        let found = compare(&one, &other, Depth::Full, &mut |percent| last = percent).unwrap();
        assert_eq!(
            (found.blocks, found.compared, found.different),
            (768, 768, 3)
        );
        let joined = Range {
            start: 8192,
            bytes: 8192,
        };
        assert_eq!((found.ranges.len(), found.ranges[0]), (2, joined));
        assert_eq!(last, 100);
        assert!(found.touches(0, 8193) && !found.touches(0, 8192));
        assert!(found.touches(2 << 20, 1) && !found.touches(16384, 4096));
    }

    #[test]
    fn a_sample_reads_a_part_of_a_large_leg() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8 << 30).unwrap();
        let (_a, mut one) = leg(&[]);
        std::fs::File::options()
            .write(true)
            .open(&one.path)
            .unwrap()
            .set_len(8 << 30)
            .unwrap();
        one.bytes = 8 << 30;
        let found = compare(&one, &one.clone(), Depth::Sample, &mut |_| {}).unwrap();
        assert_eq!((found.different, found.compared), (0, 1024 * 64));
    }
}
