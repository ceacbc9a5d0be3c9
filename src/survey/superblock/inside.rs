//! The filesystem that a member shows where its data begins: only its dates,
//! to compare members with each other and with the array's own date.

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::{Role, SECTOR_BYTES, Source, Superblock, u16_at, u32_at};
use crate::survey::signature;

/// What such a filesystem says of its past. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Inside {
    /// `ext4`, `xfs`, ...
    pub format: String,
    /// Its UUID.
    pub uuid: Option<String>,
    /// When it was made (ext only).
    pub created: Option<u64>,
    /// When it was last mounted (ext only).
    pub mounted: Option<u64>,
    /// When it was last written (ext only).
    pub written: Option<u64>,
    /// How often it was mounted since its last check (ext only).
    pub mounts: Option<u16>,
    /// What grows with each change: the log sequence number of xfs, the
    /// generation of btrfs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<u64>,
}

/// The filesystem that begins with the data of `superblock`; none unless the
/// array's first bytes lie there.
///
/// # Errors
/// The disk's.
pub(super) fn look(
    file: &File,
    source: &Source,
    superblock: &Superblock,
) -> io::Result<Option<Inside>> {
    let first = match superblock.role() {
        // RAID6 begins in another slot; striped levels show a whole chunk.
        Role::Active(_) if superblock.level == 1 => true,
        Role::Active(0) => matches!(superblock.level, -1 | 0 | 4 | 5 | 10),
        _ => false,
    };
    if !first {
        return Ok(None);
    }
    let start = superblock.data_offset.saturating_mul(SECTOR_BYTES);
    let room = superblock.used().saturating_mul(SECTOR_BYTES);
    let head = source.part(start, room).read_at(file, 0, 68 * 1024)?;
    let Some(found) = signature::recognise(&head) else {
        return Ok(None);
    };
    let mut inside = Inside {
        format: found.format,
        uuid: found.uuid,
        ..Inside::default()
    };
    // fs/ext4/ext4.h: the superblock lies at 1 KiB; zero means never.
    if inside.format.starts_with("ext") {
        let time = |at: usize| u32_at(&head, 1024 + at).filter(|t| *t != 0).map(u64::from);
        inside.created = time(0x108);
        inside.mounted = time(0x2C);
        inside.written = time(0x30);
        inside.mounts = u16_at(&head, 1024 + 0x34);
    }
    inside.counter = match inside.format.as_str() {
        // sb_lsn, of version 5 (fs/xfs/libxfs/xfs_format.h)
        "xfs" => head
            .get(240..248)
            .and_then(|raw| raw.try_into().ok())
            .map(u64::from_be_bytes),
        "btrfs" => found.member.map(|member| member.generation),
        _ => None,
    };
    Ok(Some(inside))
}
