//! What is only named: formats that no server of a hoster boots from, or that
//! need tools of their own.

use std::fs::File;
use std::io;

use super::{Signature, field, magic, text, uuid_at};
use crate::survey::Source;

/// How many bytes at the end of a volume may hold a signature.
const TAIL: u64 = 4096;

fn named(format: &str) -> Signature {
    Signature {
        format: format.into(),
        ..Signature::default()
    }
}

/// By the first 68 KiB.
pub(super) fn recognise(head: &[u8]) -> Option<Signature> {
    if let Some(found) = zfs(head) {
        return Some(found);
    }
    // include/uapi/linux/bcache.h (its UUID: sb.magic) and fs/bcachefs.
    const BCACHE: &[u8] = b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
    const BCACHEFS: &[u8] = b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef";
    if magic(head, 4096 + 24, BCACHE) {
        return Some(Signature {
            uuid: uuid_at(head, 4096 + 40),
            ..named("bcache")
        });
    }
    if magic(head, 4096 + 24, BCACHEFS) {
        return Some(Signature {
            uuid: uuid_at(head, 4096 + 56),
            label: text(head, 4096 + 72, 32),
            ..named("bcachefs")
        });
    }
    let plain: [(usize, &[u8], &str); 7] = [
        (1024, &[0x10, 0x20, 0xF5, 0xF2], "f2fs"),
        (1024, &[0xE2, 0xE1, 0xF5, 0xE0], "erofs"),
        (3, b"NTFS    ", "ntfs"),
        (3, b"EXFAT   ", "exfat"),
        (32769, b"CD001", "iso9660"),
        (32768, b"JFS1", "jfs"),
        (65536 + 52, b"ReIsEr", "reiserfs"),
    ];
    plain
        .iter()
        .find(|(at, word, _)| magic(head, *at, word))
        .map(|(_, _, format)| named(format))
}

/// By what lies elsewhere: the meta-data of DRBD at the end.
pub(super) fn probe(file: &File, source: &Source) -> io::Result<Option<Signature>> {
    let Some(at) = source.bytes.checked_sub(TAIL) else {
        return Ok(None);
    };
    let tail = source.read_at(file, at / TAIL * TAIL, 128)?;
    // drbd_meta_data_on_disk: six numbers, then the magic of 8.0 to 9.
    let word = |at: usize| field(&tail, at).map(u32::from_be_bytes);
    let known = |word: Option<u32>| matches!(word, Some(0x8374_026B..=0x8374_026D));
    let drbd = known(word(60)) || known(word(64));
    Ok(drbd.then(|| named("drbd")))
}

/// The first label of a ZFS device: a list of names and values, and a ring of
/// uberblocks behind it (OpenZFS, `module/zfs/vdev_label.c`).
fn zfs(head: &[u8]) -> Option<Signature> {
    const LIST: usize = 16 * 1024;
    const MAGIC: u64 = 0x00BA_B10C;
    // The list is XDR: encoding, byte order, two reserved, version, flags.
    let list = head.get(LIST..)?;
    let pool = nvlist_text(list, "name");
    let version = nvlist_has(list, "version") && nvlist_has(list, "pool_guid");
    let ring = (128 * 1024..).step_by(1024).take(128);
    let uber = ring
        .map_while(|at| field(head, at))
        .any(|raw| u64::from_le_bytes(raw) == MAGIC || u64::from_be_bytes(raw) == MAGIC);
    (uber || (version && list.starts_with(&[1, 1]))).then(|| Signature {
        label: pool.clone(),
        detail: pool.map(|pool| format!("the pool {pool}")),
        ..named("zfs")
    })
}

/// Where the value of a name begins: length, text, padding to four bytes.
fn nvlist_at(list: &[u8], name: &str) -> Option<usize> {
    let mut key = u32::try_from(name.len()).ok()?.to_be_bytes().to_vec();
    key.extend_from_slice(name.as_bytes());
    let at = list.windows(key.len()).position(|window| window == key)?;
    Some(at + 4 + name.len().next_multiple_of(4))
}

fn nvlist_has(list: &[u8], name: &str) -> bool {
    nvlist_at(list, name).is_some()
}

fn nvlist_text(list: &[u8], name: &str) -> Option<String> {
    let at = nvlist_at(list, name)?;
    // Kind 9 is text; one element; its length.
    let word = |at: usize| field(list, at).map(u32::from_be_bytes);
    if word(at)? != 9 {
        return None;
    }
    let length = usize::try_from(word(at + 8)?).ok()?.min(256);
    text(list, at + 12, length)
}
