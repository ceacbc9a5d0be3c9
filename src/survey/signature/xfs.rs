//! xfs, and whether its log waits to be replayed (`fs/xfs/libxfs/xfs_format.h`
//! and `xfs_log_format.h`, all big-endian).

use std::fs::File;
use std::io;

use super::{Signature, field, magic, text, uuid_at};
use crate::survey::Source;

/// Logs are counted in these, whatever the sector size.
const BLOCK: u64 = 512;

/// `XLOG_HEADER_MAGIC_NUM`: begins each record.
const RECORD: u32 = 0xFEED_BABE;

/// `XLOG_UNMOUNT_TRANS`: the flag of the last operation of a clean unmount.
const UNMOUNT: u8 = 0x20;

/// Data behind a record's header of one block, in bytes (`XLOG_HEADER_CYCLE_SIZE`).
const CYCLE_BYTES: u32 = 32 * 1024;

/// How far back from the head the last record may begin, in blocks.
const LONGEST_RECORD: u64 = 1024;

pub(super) fn recognise(head: &[u8]) -> Option<Signature> {
    let version = u16::from_be_bytes(field(head, 100)?) & 0xF;
    magic(head, 0, b"XFSB").then(|| Signature {
        format: "xfs".into(),
        uuid: uuid_at(head, 32),
        label: text(head, 108, 12),
        // Older ones have none.
        incompat: field(head, 216)
            .filter(|_| version >= 5)
            .map(u32::from_be_bytes),
        detail: (version < 5).then(|| format!("version {version}")),
        ..Signature::default()
    })
}

/// True when the log does not end with a clean unmount, or cannot be followed.
pub(super) fn log_is_dirty(head: &[u8], file: &File, source: &Source) -> io::Result<bool> {
    let Some(log) = Log::of(head, file, source) else {
        return Ok(true);
    };
    // A log on another device is not followed.
    if log.blocks == 0 {
        return Ok(false);
    }
    Ok(!log.ends_clean()?)
}

struct Log<'a> {
    file: &'a File,
    source: &'a Source,
    /// Where it begins, in bytes.
    start: u64,
    /// Its length in blocks of 512 bytes; 0 when it lies elsewhere.
    blocks: u64,
}

impl<'a> Log<'a> {
    fn of(head: &[u8], file: &'a File, source: &'a Source) -> Option<Self> {
        let block = u64::from(u32::from_be_bytes(field(head, 4)?));
        let start = u64::from_be_bytes(field(head, 48)?);
        let group_blocks = u64::from(u32::from_be_bytes(field(head, 84)?));
        let length = u64::from(u32::from_be_bytes(field(head, 96)?));
        // A filesystem block's number holds its group in the upper bits.
        let bits = u32::from(*head.get(124)?);
        let (group, inside) = (
            start.checked_shr(bits)?,
            start & (1_u64.checked_shl(bits)? - 1),
        );
        let number = group.checked_mul(group_blocks)?.checked_add(inside)?;
        Some(Self {
            file,
            source,
            start: number.checked_mul(block)?,
            blocks: if start == 0 {
                0
            } else {
                length.checked_mul(block)? / BLOCK
            },
        })
    }

    fn read(&self, block: u64) -> io::Result<Vec<u8>> {
        let at = self.start.saturating_add((block % self.blocks) * BLOCK);
        let bytes = self.source.read_at(self.file, at, 512)?;
        if bytes.len() < 512 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    /// How often the log had wrapped when a block was written.
    fn cycle(&self, block: u64) -> io::Result<u32> {
        let bytes = self.read(block)?;
        Ok(match word(&bytes, 0) {
            RECORD => word(&bytes, 4),
            cycle => cycle,
        })
    }

    /// The first block that is older than the first one of all: there the next
    /// record would be written.
    fn head(&self) -> io::Result<u64> {
        let first = self.cycle(0)?;
        let (mut new, mut old) = (0, self.blocks);
        while new + 1 < old {
            let middle = new + (old - new) / 2;
            if self.cycle(middle)? == first {
                new = middle;
            } else {
                old = middle;
            }
        }
        Ok(old)
    }

    fn ends_clean(&self) -> io::Result<bool> {
        if self.cycle(0)? == 0 {
            // Never written to.
            return Ok(true);
        }
        let head = self.head()?;
        for back in 1..=LONGEST_RECORD.min(self.blocks) {
            let begin = (head + self.blocks - back) % self.blocks;
            let record = self.read(begin)?;
            if word(&record, 0) == RECORD {
                return self.is_unmount(&record, begin, back);
            }
        }
        Ok(false)
    }

    /// One operation, the unmount, and nothing behind it.
    fn is_unmount(&self, record: &[u8], begin: u64, back: u64) -> io::Result<bool> {
        let version = word(record, 8);
        let length = word(record, 12);
        let size = word(record, 320);
        let headers = if version & 2 != 0 && size > CYCLE_BYTES {
            u64::from(size.div_ceil(CYCLE_BYTES))
        } else {
            1
        };
        let blocks = headers + u64::from(length).div_ceil(BLOCK);
        let operations = word(record, 40);
        if operations != 1 || blocks != back {
            return Ok(false);
        }
        let operation = self.read(begin + headers)?;
        Ok(operation[9] & UNMOUNT != 0)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    field(bytes, at).map_or(0, u32::from_be_bytes)
}
