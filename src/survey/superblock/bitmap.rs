//! The header of a write-intent bitmap (kernel: `drivers/md/md-bitmap.h`).

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::{SECTOR_BYTES, Source, u32_at, u64_at};

const MAGIC: &[u8] = b"bitm";

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bitmap {
    /// 3 or 4 usually, 5 for clusters, 6 for the lockless kind.
    pub version: u32,
    /// The array's events when it was last written.
    pub events: u64,
    /// The array's events when it was last known to be whole: a member that
    /// left after that can come back by copying only what changed.
    pub events_cleared: u64,
    /// Bits of its state: 2 for out of date, 4 for a write error.
    pub state: u32,
    /// Bytes of the array for each bit.
    pub chunk_bytes: u32,
}

impl Bitmap {
    /// Reads the header `offset` sectors from the superblock at `sector`; none
    /// where there is none.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn read(
        file: &File,
        source: &Source,
        sector: u64,
        offset: i32,
    ) -> io::Result<Option<Self>> {
        let Some(at) = sector.checked_add_signed(i64::from(offset)) else {
            return Ok(None);
        };
        let bytes = source.read_at(file, at.saturating_mul(SECTOR_BYTES), 256)?;
        Ok(Self::parse(&bytes))
    }

    /// The header in `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.starts_with(MAGIC).then_some(())?;
        Some(Self {
            version: u32_at(bytes, 4)?,
            events: u64_at(bytes, 24)?,
            events_cleared: u64_at(bytes, 32)?,
            state: u32_at(bytes, 48)?,
            chunk_bytes: u32_at(bytes, 52)?,
        })
    }
}
