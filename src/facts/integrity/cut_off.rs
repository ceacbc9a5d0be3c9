//! How a file that is not what its package shipped seems to have lost its
//! content: a power cut leaves files without a byte, or with NUL bytes where
//! their data never reached the disk.

use std::fs::File;

use super::hash::bytes_at;

/// So many NUL bytes at the end are no file's own.
const NULS_MIN: u64 = 512;

/// The end of a file that is looked at.
const TAIL_BYTES: u64 = 4096;

/// A way in which content was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutOff {
    /// The end of the file is NUL bytes, at least so many.
    Nuls(u64),
    /// An ELF file whose own header says that it is longer.
    Elf(u64),
}

impl CutOff {
    pub(super) fn of(file: &File, size: u64) -> Option<Self> {
        let longer = elf_size(&bytes_at(file, 0, 64)).filter(|whole| *whole > size);
        if let Some(whole) = longer {
            return Some(Self::Elf(whole));
        }
        let length = TAIL_BYTES.min(size);
        let tail = bytes_at(file, size - length, usize::try_from(length).ok()?);
        let nuls = tail.iter().rev().take_while(|byte| **byte == 0).count() as u64;
        let all = nuls == size && size > 0;
        (nuls >= NULS_MIN || all).then_some(Self::Nuls(nuls))
    }
}

/// The least size of a 64-bit little-endian ELF file: the section headers, at
/// its end (elf(5): e_shoff, e_shentsize, e_shnum).
fn elf_size(head: &[u8]) -> Option<u64> {
    const CLASS64_LITTLE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
    if !head.starts_with(&CLASS64_LITTLE) {
        return None;
    }
    let offset = u64::from_le_bytes(head.get(40..48)?.try_into().ok()?);
    let entry = u16::from_le_bytes(head.get(58..60)?.try_into().ok()?);
    let count = u16::from_le_bytes(head.get(60..62)?.try_into().ok()?);
    offset.checked_add(u64::from(entry) * u64::from(count))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn of(bytes: &[u8]) -> Option<CutOff> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        CutOff::of(&file, bytes.len() as u64)
    }

    #[test]
    fn lost_content_is_seen_and_other_content_is_not() {
        assert_eq!(of(b"changed by somebody\n"), None);
        assert_eq!(of(b""), None);
        assert_eq!(of(&[0; 100]), Some(CutOff::Nuls(100)));
        let mut text = vec![b'x'; 3000];
        text.extend([0; 511]);
        assert_eq!(of(&text), None);
        text.push(0);
        assert_eq!(of(&text), Some(CutOff::Nuls(512)));
    }

    #[test]
    fn an_elf_file_tells_its_size() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(of(&own), None);
        let cut = of(&own[..own.len() / 2]);
        assert_eq!(cut, Some(CutOff::Elf(elf_size(&own[..64]).unwrap())));
        assert_eq!(elf_size(&own[..61]), None);
    }
}
