//! Filesystems and containers, recognised by their superblocks.
//!
//! Offsets from the kernel headers: `fs/ext4/ext4.h`, `fs/xfs/libxfs/
//! xfs_format.h`, `include/uapi/linux/btrfs_tree.h`, `include/linux/swap.h`,
//! and the FAT, LUKS and LVM2 on-disk formats.

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::Source;

/// The start of a volume that holds every superblock looked for (btrfs: 64 KiB).
const HEAD_BYTES: usize = 68 * 1024;

/// What lies on a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// `ext4`, `xfs`, `btrfs`, `vfat`, `swap`, `luks`, `lvm2`, ...
    pub format: String,
    /// Its UUID as fstab spells it.
    pub uuid: Option<String>,
    /// Its label.
    pub label: Option<String>,
    /// True when a journal waits to be replayed.
    pub dirty: bool,
    /// True when the filesystem recorded errors of its own.
    pub errors: bool,
}

/// Recognises what lies on `source`; none for something unknown.
///
/// # Errors
/// The disk's, when it cannot be read.
pub fn probe(file: &File, source: &Source) -> io::Result<Option<Signature>> {
    let head = source.read_at(file, 0, HEAD_BYTES)?;
    Ok(recognise(&head))
}

type Recogniser = fn(&[u8]) -> Option<Signature>;

/// Recognises a volume by its first 68 KiB, or what there is of them.
pub fn recognise(head: &[u8]) -> Option<Signature> {
    let known: [Recogniser; 8] = [luks, ext, xfs, btrfs, swap, lvm2, squashfs, fat];
    known.iter().find_map(|look| look(head))
}

fn magic(head: &[u8], at: usize, word: &[u8]) -> bool {
    head.get(at..at + word.len()) == Some(word)
}

fn field<const N: usize>(head: &[u8], at: usize) -> Option<[u8; N]> {
    head.get(at..at + N)?.try_into().ok()
}

fn u32_at(head: &[u8], at: usize) -> Option<u32> {
    field(head, at).map(u32::from_le_bytes)
}

fn u16_at(head: &[u8], at: usize) -> Option<u16> {
    field(head, at).map(u16::from_le_bytes)
}

fn uuid_at(head: &[u8], at: usize) -> Option<String> {
    let raw: [u8; 16] = field(head, at)?;
    Some(uuid_text(&raw))
}

/// A UUID whose bytes lie in the order in which they are spelled.
pub fn uuid_text(raw: &[u8; 16]) -> String {
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
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

fn ext(head: &[u8]) -> Option<Signature> {
    const SB: usize = 1024;
    if !magic(head, SB + 0x38, &[0x53, 0xEF]) {
        return None;
    }
    let state = u16_at(head, SB + 0x3A)?;
    let compat = u32_at(head, SB + 0x5C)?;
    let incompat = u32_at(head, SB + 0x60)?;
    let ro_compat = u32_at(head, SB + 0x64)?;
    // has_journal; and the features that ext3 does not know.
    let journal = compat & 4 != 0;
    let newer = incompat & !(0x2 | 0x4 | 0x10) != 0 || ro_compat & !0x7 != 0;
    let format = match (journal, newer) {
        (_, true) => "ext4",
        (true, false) => "ext3",
        (false, false) => "ext2",
    };
    Some(Signature {
        format: format.into(),
        uuid: uuid_at(head, SB + 0x68),
        label: text(head, SB + 0x78, 16),
        dirty: incompat & 4 != 0,
        errors: state & 2 != 0,
    })
}

fn xfs(head: &[u8]) -> Option<Signature> {
    magic(head, 0, b"XFSB").then(|| Signature {
        format: "xfs".into(),
        uuid: uuid_at(head, 32),
        label: text(head, 108, 12),
        ..Signature::default()
    })
}

fn btrfs(head: &[u8]) -> Option<Signature> {
    const SB: usize = 0x10000;
    magic(head, SB + 0x40, b"_BHRfS_M").then(|| Signature {
        format: "btrfs".into(),
        uuid: uuid_at(head, SB + 0x20),
        label: text(head, SB + 0x12B, 256),
        ..Signature::default()
    })
}

fn swap(head: &[u8]) -> Option<Signature> {
    // The magic ends the first page, whose size depends on the machine.
    let page = [4096, 8192, 16384, 65536];
    page.iter()
        .any(|size| magic(head, size - 10, b"SWAPSPACE2"))
        .then(|| Signature {
            format: "swap".into(),
            uuid: uuid_at(head, 1036),
            label: text(head, 1052, 16),
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
