//! The list of bad blocks of a 1.x member (kernel: `super_1_load`).

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::{SECTOR_BYTES, Source, u16_at, u32_at, u64_at};

/// The list is one page in every array made so far.
const MOST_SECTORS: u16 = 128;

/// A stretch that is known to be bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Range {
    /// Its first sector, from the start of the member.
    pub sector: u64,
    /// Its length in sectors.
    pub sectors: u64,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BadBlocks {
    /// What is known to be bad.
    pub ranges: Vec<Range>,
}

impl BadBlocks {
    /// Reads the list that the superblock `header` at `sector` speaks of.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn read(
        file: &File,
        source: &Source,
        sector: u64,
        header: &[u8],
    ) -> io::Result<Option<Self>> {
        let shift = header.get(185).copied().unwrap_or(0);
        let sectors = u16_at(header, 186).unwrap_or(0).min(MOST_SECTORS);
        let offset = u32_at(header, 188).unwrap_or(0).cast_signed();
        let Some(at) = sector.checked_add_signed(i64::from(offset)) else {
            return Ok(None);
        };
        if offset == 0 || sectors == 0 || shift > 32 {
            return Ok(None);
        }
        let at = at.saturating_mul(SECTOR_BYTES);
        let bytes = source.read_at(file, at, usize::from(sectors) * 512)?;
        Ok(Some(Self::parse(&bytes, shift)))
    }

    /// The entries: 54 bits of sector, 10 bits of length, both shifted.
    pub(super) fn parse(bytes: &[u8], shift: u8) -> Self {
        let entries = bytes.chunks_exact(8).filter_map(|raw| u64_at(raw, 0));
        let ranges = entries
            .take_while(|entry| *entry != u64::MAX)
            .filter(|entry| entry & 0x3FF != 0)
            .map(|entry| Range {
                sector: (entry >> 10) << shift,
                sectors: (entry & 0x3FF) << shift,
            })
            .collect();
        Self { ranges }
    }
}
