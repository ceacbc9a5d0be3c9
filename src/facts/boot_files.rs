//! Whether a kernel or an initramfs looks whole by its first bytes.
//!
//! `Documentation/arch/x86/boot.rst`, `Documentation/arch/arm64/booting.rst`,
//! `init/initramfs.c` and `lib/decompress.c` of the kernel.

use std::path::Path;

use super::elf::image::{Bytes, FileBytes};
use crate::sys::root_dir::RootDir;

/// What an initramfs may begin with: cpio, gzip, bzip2, lzma, xz, lzo, lz4,
/// zstd.
const INITRAMFS_MAGICS: [&[u8]; 9] = [
    b"070701",
    b"070702",
    &[0x1F, 0x8B],
    b"BZh",
    &[0x5D, 0x00, 0x00],
    &[0xFD, b'7', b'z', b'X', b'Z', 0x00],
    &[0x89, b'L', b'Z', b'O'],
    &[0x02, 0x21, 0x4C, 0x18],
    &[0x28, 0xB5, 0x2F, 0xFD],
];

/// Enough for the setup code of a kernel: 64 sectors and the first.
const KERNEL_HEAD_BYTES: usize = 65 * 512;

fn head(root: &RootDir, path: &Path, most: usize) -> std::io::Result<(Vec<u8>, u64)> {
    let file = root.open_file(path)?;
    let bytes = file.metadata()?.len();
    let mut head = vec![0; most];
    let read = FileBytes::new(file)?.read_at(&mut head, 0)?;
    head.truncate(read);
    Ok((head, bytes))
}

/// True for an image that begins like a kernel and is not cut off.
pub(super) fn is_kernel(root: &RootDir, path: impl AsRef<Path>) -> bool {
    release_of(root, path).is_ok()
}

/// The release that a kernel image tells of itself, where it does.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn release_of(root: &RootDir, path: impl AsRef<Path>) -> Result<Option<String>, String> {
    let (head, bytes) =
        head(root, path.as_ref(), KERNEL_HEAD_BYTES).map_err(|error| error.to_string())?;
    kernel(&head, bytes)
}

fn kernel(head: &[u8], bytes: u64) -> Result<Option<String>, String> {
    let needed = |end: u64| match end > bytes {
        true => Err(format!(
            "it ends at byte {bytes}, and its header wants {end}"
        )),
        false => Ok(()),
    };
    if head.starts_with(b"MZ") {
        needed(end_of_sections(head))?;
    }
    if head.get(0x202..0x206) == Some(b"HdrS") {
        // Sectors of the real-mode code, and paragraphs of the rest.
        let setup = match head.get(0x1F1) {
            Some(0) | None => 4,
            Some(sectors) => u64::from(*sectors),
        };
        let rest = u64::from(word(head, 0x1F4)) * 16;
        needed((setup + 1) * 512 + rest)?;
        return Ok(version(head));
    }
    // arm64, plain, packed, or as a program of UEFI.
    let known = head.get(0x38..0x3C) == Some(b"ARM\x64")
        || head.starts_with(&[0x1F, 0x8B])
        || head.starts_with(b"MZ");
    match known {
        true => Ok(None),
        false if bytes == 0 => Err("it is empty".into()),
        false => Err("it does not begin like a kernel".into()),
    }
}

fn word(head: &[u8], at: usize) -> u32 {
    let raw = head.get(at..at + 4).and_then(|raw| raw.try_into().ok());
    raw.map_or(0, u32::from_le_bytes)
}

fn half(head: &[u8], at: usize) -> u16 {
    let raw = head.get(at..at + 2).and_then(|raw| raw.try_into().ok());
    raw.map_or(0, u16::from_le_bytes)
}

/// `6.1.0-18-amd64 (builder@host) #1 ...`, of which the first word counts.
fn version(head: &[u8]) -> Option<String> {
    let at = match half(head, 0x20E) {
        0 => return None,
        at => usize::from(at) + 0x200,
    };
    let text = head.get(at..)?.split(|byte| *byte == 0).next()?;
    let text = std::str::from_utf8(text).ok()?;
    let word = text.split_whitespace().next()?;
    let plain = |c: char| c.is_ascii_graphic() && c != '/';
    (word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(plain))
        .then(|| word.to_owned())
}

/// Where the last section of a program of UEFI ends in its file (PE format:
/// the header's place at 0x3C, then sections of 40 bytes behind it).
fn end_of_sections(head: &[u8]) -> u64 {
    let pe = word(head, 0x3C) as usize;
    if head.get(pe..pe.saturating_add(4)) != Some(b"PE\0\0") {
        return 0;
    }
    let count = usize::from(half(head, pe + 6));
    let table = pe + 24 + usize::from(half(head, pe + 20));
    let sections = (0..count).map(|index| table + index * 40);
    let ends = sections.map(|at| u64::from(word(head, at + 16)) + u64::from(word(head, at + 20)));
    ends.max().unwrap_or(0)
}

/// True for a file that begins like an initramfs.
pub(super) fn is_initramfs(root: &RootDir, path: impl AsRef<Path>) -> bool {
    head(root, path.as_ref(), 0x210).is_ok_and(|(head, _)| {
        // Zero bytes may stand before the archive.
        let start = head.iter().position(|byte| *byte != 0).unwrap_or(0);
        let rest = &head[start..];
        INITRAMFS_MAGICS.iter().any(|magic| rest.starts_with(magic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_is_cut_off_is_none() {
        let mut head = vec![0; 0x210];
        head[0x202..0x206].copy_from_slice(b"HdrS");
        head[0x1F1] = 1;
        head[0x1F4] = 2;
        assert_eq!(kernel(&head, 1056), Ok(None));
        let cut = kernel(&head, 1055);
        assert!(cut.is_err_and(|why| why.contains("1056")));
        assert!(kernel(b"x", 1).is_err());
        assert!(kernel(&[], 0).is_err());
        // Its name is told, and nothing that could be a path.
        head.resize(0x400, 0);
        head[0x20E] = 0x80;
        head[0x280..0x28A].copy_from_slice(b"6.1.0-5 (x");
        assert_eq!(kernel(&head, 1056), Ok(Some("6.1.0-5".into())));
        head[0x281] = b'/';
        assert_eq!(kernel(&head, 1056), Ok(None));
    }
}
