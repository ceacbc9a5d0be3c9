//! Module files, plain or compressed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// The biggest module that is unpacked. `amdgpu.ko`, the largest that
/// distributions ship, has about 30 MiB; with debug information three times that.
pub const MAX_MODULE_BYTES: u64 = 128 * 1024 * 1024;

/// How a module file is packed; known by its first bytes, not by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// An ELF file as it is.
    None,
    /// `.ko.gz`
    Gzip,
    /// `.ko.xz`
    Xz,
    /// `.ko.zst`
    Zstd,
}

/// Looks at the first bytes of a file.
pub fn packing(start: &[u8]) -> Packing {
    match start {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        _ => Packing::None,
    }
}

/// The packing of the file at `path`.
pub fn packing_of(path: &Path) -> io::Result<Packing> {
    let mut start = Vec::new();
    File::open(path)?.take(6).read_to_end(&mut start)?;
    Ok(packing(&start))
}

/// Reads the module at `path`, unpacked.
pub fn read_module(path: &Path) -> io::Result<Vec<u8>> {
    let packing = packing_of(path)?;
    unpack(BufReader::new(File::open(path)?), packing, MAX_MODULE_BYTES)
}

/// Unpacks all of `packed`, which must not become longer than `limit` bytes.
pub fn unpack(packed: impl io::BufRead, packing: Packing, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that "too long" can be told from "full".
    let bound = limit.saturating_add(1);
    match packing {
        Packing::None => packed.take(bound).read_to_end(&mut bytes),
        Packing::Gzip => MultiGzDecoder::new(packed)
            .take(bound)
            .read_to_end(&mut bytes),
        Packing::Xz => XzReader::new(packed, true)
            .take(bound)
            .read_to_end(&mut bytes),
        Packing::Zstd => StreamingDecoder::new(packed)
            .map_err(io::Error::other)?
            .take(bound)
            .read_to_end(&mut bytes),
    }?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {limit} bytes when unpacked"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// What the real tool makes of it; none where it is not installed.
    pub(crate) fn packed_by(tool: &[&str], plain: &[u8]) -> Option<Vec<u8>> {
        let mut child = Command::new(tool[0])
            .args(&tool[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut input = child.stdin.take()?;
        let plain = plain.to_vec();
        let writer = std::thread::spawn(move || input.write_all(&plain));
        let output = child.wait_with_output().ok()?;
        writer.join().ok()?.ok()?;
        output.status.success().then_some(output.stdout)
    }

    #[test]
    fn what_the_real_tools_pack_comes_back() {
        let plain: Vec<u8> = (0..300_000_u32)
            .flat_map(|number| (number / 7).to_le_bytes())
            .collect();
        let tools: &[(&[&str], Packing)] = &[
            (&["gzip", "-9"], Packing::Gzip),
            (&["xz", "--check=crc32", "--lzma2=dict=1MiB"], Packing::Xz),
            (&["xz", "--x86", "--lzma2"], Packing::Xz),
            (&["zstd", "-19", "-q"], Packing::Zstd),
            (&["cat"], Packing::None),
        ];
        for (tool, expected) in tools {
            // A machine without the tool has nothing to compare with.
            let Some(packed) = packed_by(tool, &plain) else {
                continue;
            };
            assert_eq!(packing(&packed), *expected, "{tool:?}");
            let back = unpack(&packed[..], *expected, MAX_MODULE_BYTES);
            assert_eq!(back.ok().as_deref(), Some(&plain[..]), "{tool:?}");
            let exact = unpack(&packed[..], *expected, plain.len() as u64);
            assert!(exact.is_ok(), "{tool:?}");
            let error = unpack(&packed[..], *expected, plain.len() as u64 - 1);
            assert_eq!(
                error.map_err(|error| error.kind()),
                Err(io::ErrorKind::FileTooLarge),
                "{tool:?}"
            );
            if *expected != Packing::None {
                let half = unpack(&packed[..packed.len() / 2], *expected, MAX_MODULE_BYTES);
                assert!(half.is_err(), "{tool:?}");
            }
        }
    }

    #[test]
    fn rubbish_is_an_error_not_a_panic() {
        for packing in [Packing::Gzip, Packing::Xz, Packing::Zstd] {
            for length in [0_usize, 1, 7, 64] {
                assert!(unpack(&vec![0x5a; length][..], packing, 100).is_err());
            }
        }
        assert_eq!(super::packing(b""), Packing::None);
    }
}
