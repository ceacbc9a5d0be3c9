//! rpm's own database, `Packages.db`: slots that say where headers lie, and
//! blobs that hold them (rpm's lib/backend/ndb/rpmpkg.c).

use std::collections::HashSet;

use crate::facts::database::bytes::{Bytes, le32};
use crate::facts::database::sqlite::Trouble;

const PAGE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 16;
const BLOCK_BYTES: u64 = 16;

/// Pages of slots that are read: more than a million packages.
const SLOT_PAGES_MAX: u64 = 4096;

/// A blob has this many bytes at most (rpm's `HEADER_DATA_MAX` and more).
const BLOB_BYTES_MAX: u64 = 257 << 20;

/// Bytes before and behind what a blob holds.
const BLOB_HEAD_BYTES: usize = 16;
const BLOB_TAIL_BYTES: usize = 12;

/// Hands out each header with its number.
pub fn read(bytes: &Bytes, trouble: &mut Trouble, take: &mut dyn FnMut(u32, Vec<u8>)) {
    if bytes.size() == 0 {
        return trouble.add("it is empty".into());
    }
    let pages = match slot_pages(bytes) {
        Ok(pages) => pages,
        Err(why) => return trouble.add(why),
    };
    let mut numbers = HashSet::new();
    // No two blobs share their bytes.
    let mut left = bytes.size();
    for page in 0..pages {
        let slots = match bytes.read(page * PAGE_BYTES as u64, PAGE_BYTES) {
            Ok(slots) => slots,
            Err(why) => return trouble.add(format!("its table of packages: {why}")),
        };
        // The first two are the header of the file.
        let first = if page == 0 { 2 } else { 0 };
        for slot in slots.chunks_exact(SLOT_BYTES).skip(first) {
            if !slot.starts_with(b"Slot") {
                trouble.add("its table of packages is broken".into());
                continue;
            }
            let field = |at| le32(slot, at).unwrap_or(0);
            let (number, block, blocks) = (field(4), field(8), field(12));
            if block == 0 {
                continue;
            }
            let length = u64::from(blocks) * BLOCK_BYTES;
            if !numbers.insert(number) || length > left {
                trouble.add(format!("package #{number}: its place is another's, too"));
                continue;
            }
            left -= length;
            match blob(bytes, number, block, length) {
                Ok(header) => take(number, header),
                Err(why) => trouble.add(format!("package #{number}: {why}")),
            }
        }
    }
}

fn slot_pages(bytes: &Bytes) -> Result<u64, String> {
    let head = bytes.read(0, 32)?;
    if !head.starts_with(b"RpmP") {
        return Err("it does not begin as a database of rpm's does".into());
    }
    match le32(&head, 4) {
        Some(0) => {}
        _ => return Err("it has a version that is not known".into()),
    }
    match u64::from(le32(&head, 12).unwrap_or(0)) {
        pages @ 1..=SLOT_PAGES_MAX => Ok(pages),
        _ => Err("its header has an impossible number of slots".into()),
    }
}

fn blob(bytes: &Bytes, number: u32, block: u32, length: u64) -> Result<Vec<u8>, String> {
    let broken = || "its record is broken".to_owned();
    if length > BLOB_BYTES_MAX {
        return Err("its record is longer than any of rpm's".into());
    }
    let length = usize::try_from(length).map_err(|_| broken())?;
    let raw = bytes.read(u64::from(block) * BLOCK_BYTES, length)?;
    let size = le32(&raw, 12).and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(broken)?;
    let tail = length.checked_sub(BLOB_TAIL_BYTES).ok_or_else(broken)?;
    let head_is_right = raw.starts_with(b"BlbS") && le32(&raw, 4) == Some(number);
    let whole = BLOB_HEAD_BYTES + size.min(length) + BLOB_TAIL_BYTES;
    let tail_is_right = le32(&raw, tail + 4) == le32(&raw, 12) && raw[tail + 8..] == *b"BlbE";
    if !head_is_right || !tail_is_right || whole.div_ceil(16) * 16 != length {
        return Err(broken());
    }
    // The checksum is of everything before it, padding included.
    if le32(&raw, tail) != Some(adler32(&raw[..tail])) {
        return Err("its record was changed: its checksum is wrong".into());
    }
    let header = raw.get(BLOB_HEAD_BYTES..BLOB_HEAD_BYTES + size);
    header.map(<[u8]>::to_vec).ok_or_else(broken)
}

/// Adler-32 (RFC 1950).
fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for piece in bytes.chunks(5552) {
        for byte in piece {
            a += u32::from(*byte);
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_standard() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(adler32(b""), 1);
    }
}
