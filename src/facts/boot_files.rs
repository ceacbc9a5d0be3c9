//! Whether a kernel or an initramfs looks whole by its first bytes.
//!
//! `Documentation/arch/x86/boot.rst`, `Documentation/arch/arm64/booting.rst`,
//! `init/initramfs.c` and `lib/decompress.c` of the kernel.

use std::os::unix::fs::FileExt;
use std::path::Path;

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

fn head(root: &RootDir, path: &Path) -> Option<(Vec<u8>, u64)> {
    let file = root.open_file(path).ok()?;
    let bytes = file.metadata().ok()?.len();
    let mut head = vec![0; 0x210];
    let read = file.read_at(&mut head, 0).ok()?;
    head.truncate(read);
    Some((head, bytes))
}

/// True for an image that begins like a kernel and is not cut off.
pub(super) fn is_kernel(root: &RootDir, path: impl AsRef<Path>) -> bool {
    head(root, path.as_ref()).is_some_and(|(head, bytes)| kernel(&head, bytes))
}

fn kernel(head: &[u8], bytes: u64) -> bool {
    if head.get(0x202..0x206) == Some(b"HdrS") {
        // Sectors of the real-mode code, and paragraphs of the rest.
        let setup = match head.get(0x1F1) {
            Some(0) | None => 4,
            Some(sectors) => u64::from(*sectors),
        };
        let raw = head.get(0x1F4..0x1F8).and_then(|raw| raw.try_into().ok());
        let rest = u64::from(raw.map_or(0, u32::from_le_bytes)) * 16;
        return bytes >= (setup + 1) * 512 + rest;
    }
    // arm64, plain, packed, or as a program of UEFI.
    head.get(0x38..0x3C) == Some(b"ARM\x64")
        || head.starts_with(&[0x1F, 0x8B])
        || head.starts_with(b"MZ")
}

/// True for a file that begins like an initramfs.
pub(super) fn is_initramfs(root: &RootDir, path: impl AsRef<Path>) -> bool {
    head(root, path.as_ref()).is_some_and(|(head, _)| {
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
        assert!(kernel(&head, 1056));
        assert!(!kernel(&head, 1055));
        assert!(!kernel(b"x", 1));
        assert!(!kernel(&[], 0));
    }
}
