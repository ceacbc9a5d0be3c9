//! Filesystems and containers, recognised by their superblocks.
//!
//! Offsets from the kernel headers: `fs/ext4/ext4.h`, `fs/xfs/libxfs/
//! xfs_format.h`, `include/uapi/linux/btrfs_tree.h`, `include/linux/swap.h`,
//! and the FAT, LUKS and LVM2 on-disk formats.

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::little_endian::{field, u16_at, u32_at, u64_at};
use super::{Content, Source, lvm};

mod btrfs;
mod exotic;
mod ext;
mod profiles;
mod xfs;

pub use btrfs::Member;
pub use profiles::Profiles;

/// The start of a volume that holds every superblock looked for (btrfs: 64 KiB).
const HEAD_BYTES: usize = 68 * 1024;

/// What lies on a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Signature {
    /// `ext4`, `xfs`, `btrfs`, `vfat`, `swap`, `luks`, `lvm2`, ...
    pub format: String,
    /// Its UUID as fstab spells it.
    pub uuid: Option<String>,
    /// Its label.
    pub label: Option<String>,
    /// True when a journal waits to be replayed.
    pub dirty: bool,
    /// True when its journal lies on another device.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external_journal: bool,
    /// True when files were deleted while open, which the next mount finishes
    /// even where it is asked for read-only (ext only).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphans: bool,
    /// True when a hibernated system lies in it: writing to what that has
    /// mounted destroys it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hibernated: bool,
    /// Features without which it must not be read (ext: `s_feature_incompat`,
    /// xfs: `sb_features_incompat`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incompat: Option<u32>,
    /// True when the filesystem recorded errors of its own.
    pub errors: bool,
    /// What more it is: a pool's name, a hibernation image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the filesystem recorded of its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<Life>,
    /// Its place among the devices of one btrfs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Box<Member>>,
}

/// What a filesystem recorded of its life; times in seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Life {
    /// When it was made.
    pub created: Option<u64>,
    /// When its superblock was last written.
    pub written: Option<u64>,
    /// When it was last mounted.
    pub mounted: Option<u64>,
    /// How often it was mounted since the last check.
    pub mounts: Option<u16>,
    /// Where it was last mounted.
    pub mounted_on: Option<String>,
    /// Errors that the kernel counted.
    pub error_count: u32,
}

/// Recognises what lies on `source`, arrays apart.
///
/// # Errors
/// The disk's, when it cannot be read.
pub fn content(file: &File, source: &Source) -> io::Result<Content> {
    // Its label may lie behind the signature of what was there before.
    if let Some(physical) = lvm::probe(file, source)? {
        return Ok(Content::PhysicalVolume(Box::new(physical)));
    }
    Ok(probe(file, source)?.map_or(Content::Unknown, Content::Signature))
}

/// Recognises a filesystem or container on `source`; none for something
/// unknown.
///
/// # Errors
/// The disk's, when it cannot be read.
pub fn probe(file: &File, source: &Source) -> io::Result<Option<Signature>> {
    let head = source.read_at(file, 0, HEAD_BYTES)?;
    let mut found = recognise(&head);
    if let Some(found) = &mut found
        && found.format == "xfs"
    {
        found.dirty = xfs::log_is_dirty(&head, file, source)?;
    }
    if let Some(member) = found.as_mut().and_then(|found| found.member.as_mut())
        && member.devices > 1
    {
        member.profiles = profiles::read(&head, file, source);
    }
    if found.is_none() {
        found = exotic::probe(file, source)?;
    }
    Ok(found)
}

type Recogniser = fn(&[u8]) -> Option<Signature>;

/// Recognises a volume by its first 68 KiB, or what there is of them.
pub fn recognise(head: &[u8]) -> Option<Signature> {
    let known: [Recogniser; 9] = [
        luks,
        exotic::recognise,
        ext::recognise,
        xfs::recognise,
        btrfs::recognise,
        swap,
        lvm2,
        squashfs,
        fat,
    ];
    known.iter().find_map(|look| look(head))
}

fn magic(head: &[u8], at: usize, word: &[u8]) -> bool {
    head.get(at..at + word.len()) == Some(word)
}

fn uuid_at(head: &[u8], at: usize) -> Option<String> {
    let raw: [u8; 16] = field(head, at)?;
    Some(uuid_text(&raw))
}

/// A UUID whose bytes lie in the order in which they are spelled.
pub fn uuid_text(raw: &[u8; 16]) -> String {
    let hex = hex::encode(raw);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

fn text(head: &[u8], at: usize, length: usize) -> Option<String> {
    let raw = head.get(at..at + length)?;
    let end = raw.iter().position(|byte| *byte == 0).unwrap_or(length);
    let text = String::from_utf8_lossy(&raw[..end]).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}

fn swap(head: &[u8]) -> Option<Signature> {
    // The magic ends the first page, whose size depends on the machine. While
    // a hibernated system lies in it, that has a word of its own there
    // (`kernel/power/swap.c`).
    let pages = [4096, 8192, 16384, 65536];
    let has = |word: &[u8]| pages.iter().any(|size| magic(head, size - 10, word));
    let hibernated = has(b"S1SUSPEND") || has(b"S2SUSPEND") || has(b"ULSUSPEND");
    let hibernated = hibernated || has(b"LINHIB0001");
    (hibernated || has(b"SWAPSPACE2") || has(b"SWAP-SPACE")).then(|| Signature {
        format: "swap".into(),
        uuid: uuid_at(head, 1036),
        label: text(head, 1052, 16),
        hibernated,
        detail: hibernated.then(|| "a hibernated system is in it".into()),
        ..Signature::default()
    })
}

fn luks(head: &[u8]) -> Option<Signature> {
    magic(head, 0, b"LUKS\xBA\xBE").then(|| Signature {
        format: "luks".into(),
        uuid: text(head, 168, 40),
        ..Signature::default()
    })
}

fn lvm2(head: &[u8]) -> Option<Signature> {
    (0..4)
        .any(|sector| magic(head, sector * 512, b"LABELONE"))
        .then(|| Signature {
            format: "lvm2".into(),
            ..Signature::default()
        })
}

fn squashfs(head: &[u8]) -> Option<Signature> {
    magic(head, 0, b"hsqs").then(|| Signature {
        format: "squashfs".into(),
        ..Signature::default()
    })
}

fn fat(head: &[u8]) -> Option<Signature> {
    if !magic(head, 510, &[0x55, 0xAA]) {
        return None;
    }
    let (serial, label) = if magic(head, 0x52, b"FAT32   ") {
        (0x43, 0x47)
    } else if magic(head, 0x36, b"FAT1") {
        (0x27, 0x2B)
    } else {
        return None;
    };
    let raw = u32_at(head, serial)?;
    Some(Signature {
        format: "vfat".into(),
        uuid: Some(format!("{:04X}-{:04X}", raw >> 16, raw & 0xFFFF)),
        label: text(head, label, 11).filter(|label| label != "NO NAME"),
        ..Signature::default()
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
