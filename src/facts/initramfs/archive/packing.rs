//! What a segment of an initramfs is packed with, and its unpacking.
//!
//! Kernel: `lib/decompress.c` (magics), `lib/decompress_unlz4.c` (the legacy
//! frame), `Documentation/staging/xz.rst` (checks that the kernel has).

use std::io::{self, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::{LzmaReader, XzReader};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use serde::{Deserialize, Serialize};

use super::source::Source;

/// Most memory that a dictionary or window may take.
const WINDOW_BYTES_MAX: u64 = 128 << 20;

/// An LZ4 legacy frame: its magic, the size of its blocks, and the most that a
/// block that did not shrink takes (`LZ4_compressBound`).
const LZ4_MAGIC: [u8; 4] = [0x02, 0x21, 0x4C, 0x18];
const LZ4_BLOCK: usize = 8 << 20;
const LZ4_PACKED_MAX: usize = LZ4_BLOCK + LZ4_BLOCK / 255 + 16;

/// How a segment is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip(1)
    Gzip,
    /// bzip2(1)
    Bzip2,
    /// lzma(1)
    Lzma,
    /// xz(1)
    Xz,
    /// lzop(1)
    Lzo,
    /// lz4(1), the legacy frame
    Lz4,
    /// zstd(1)
    Zstd,
}

impl Packing {
    /// What a segment with these first bytes is packed with; none when the
    /// kernel would not know either.
    pub fn of(head: &[u8]) -> Option<Self> {
        Some(match head {
            [b'0', b'7', b'0', b'7', b'0', b'1' | b'2', ..] => Self::None,
            [0x1F, 0x8B | 0x9E, ..] => Self::Gzip,
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            [0x5D, 0, 0, ..] => Self::Lzma,
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x89, b'L', b'Z', b'O', ..] => Self::Lzo,
            [0x02, 0x21, 0x4C, 0x18, ..] => Self::Lz4,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Self::Zstd,
            _ => return None,
        })
    }

    /// The word in reports, and in the kernel's `CONFIG_RD_*`.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "cpio",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Xz => "xz",
            Self::Lzo => "lzo",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Why the kernel would refuse a segment that is sound.
pub(super) fn refused_by_kernel(packing: Packing, head: &[u8]) -> Option<String> {
    let check = head.get(7)? & 0x0F;
    (packing == Packing::Xz && check > 1).then(|| {
        "its xz stream has a check that the kernel does not know (xz --check=crc32 is needed)"
            .to_owned()
    })
}

/// One segment, as it comes out.
pub(super) enum Unpacker<'a, R: Read> {
    Gzip(GzDecoder<&'a mut Source<R>>),
    Bzip2(BzDecoder<&'a mut Source<R>>),
    Lzma(Box<LzmaReader<&'a mut Source<R>>>),
    Xz(Box<XzReader<&'a mut Source<R>>>),
    Lz4(Lz4<'a, R>),
    Zstd(Box<StreamingDecoder<&'a mut Source<R>, FrameDecoder>>),
}

impl<'a, R: Read> Unpacker<'a, R> {
    /// Begins with a segment; none for a packing that is not understood.
    pub(super) fn new(packing: Packing, source: &'a mut Source<R>) -> io::Result<Option<Self>> {
        let kib = u32::try_from(WINDOW_BYTES_MAX / 1024).unwrap_or(u32::MAX);
        Ok(Some(match packing {
            Packing::Gzip => Self::Gzip(GzDecoder::new(source)),
            Packing::Bzip2 => Self::Bzip2(BzDecoder::new(source)),
            Packing::Lzma => {
                let reader = LzmaReader::new_mem_limit(source, kib, None);
                Self::Lzma(Box::new(reader?))
            }
            Packing::Xz => Self::Xz(Box::new(XzReader::new_mem_limit(source, false, kib))),
            Packing::Lz4 => Self::Lz4(Lz4::new(source)?),
            Packing::Zstd => {
                let decoder = StreamingDecoder::new_with_max_window_size(source, WINDOW_BYTES_MAX);
                Self::Zstd(Box::new(decoder.map_err(zstd_error)?))
            }
            Packing::None | Packing::Lzo => return Ok(None),
        }))
    }

    /// What the end of the stream says against its content.
    pub(super) fn wrong_at_end(&self) -> Option<&'static str> {
        let Self::Zstd(decoder) = self else {
            return None; // the others give an error themselves
        };
        let told = decoder.decoder.get_checksum_from_data()?;
        let seen = decoder.decoder.get_calculated_checksum()?;
        (told != seen).then_some("its checksum is wrong")
    }
}

impl<R: Read> Read for Unpacker<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(inner) => inner.read(into),
            Self::Bzip2(inner) => inner.read(into),
            Self::Lzma(inner) => inner.read(into),
            Self::Xz(inner) => inner.read(into),
            Self::Lz4(inner) => inner.read(into),
            Self::Zstd(inner) => inner.read(into),
        }
    }
}

/// A window larger than what is allowed is no damage.
fn zstd_error(error: FrameDecoderError) -> io::Error {
    match error {
        FrameDecoderError::WindowSizeTooBig { .. } => {
            io::Error::new(io::ErrorKind::OutOfMemory, error)
        }
        other => io::Error::other(other),
    }
}

/// Blocks of at most 8 MiB, each after its packed size.
pub(super) struct Lz4<'a, R: Read> {
    source: &'a mut Source<R>,
    block: Vec<u8>,
    start: usize,
    ended: bool,
}

impl<'a, R: Read> Lz4<'a, R> {
    fn new(source: &'a mut Source<R>) -> io::Result<Self> {
        let mut magic = [0; 4];
        source.read_exact(&mut magic)?;
        Ok(Self {
            source,
            block: Vec::new(),
            start: 0,
            ended: false,
        })
    }

    fn next_block(&mut self) -> io::Result<()> {
        self.block.clear();
        self.start = 0;
        while self.block.is_empty() {
            let head: Option<[u8; 4]> = self.source.head(4)?.try_into().ok();
            let Some(head) = head else {
                self.ended = true;
                return match self.source.head(1)? {
                    [] => Ok(()),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            };
            let size = u32::from_le_bytes(head) as usize;
            if head == LZ4_MAGIC {
                // Frames may follow each other.
                self.source.read_exact(&mut [0; 4])?;
                continue;
            }
            // No size, or what begins the next segment.
            if size == 0 || size > LZ4_PACKED_MAX {
                self.ended = true;
                return Ok(());
            }
            self.source.read_exact(&mut [0; 4])?;
            let mut packed = Vec::new();
            let read = self
                .source
                .by_ref()
                .take(size as u64)
                .read_to_end(&mut packed)?;
            if read < size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.block.resize(LZ4_BLOCK, 0);
            let length = lz4_flex::block::decompress_into(&packed, &mut self.block)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.block.truncate(length);
        }
        Ok(())
    }
}

impl<R: Read> Read for Lz4<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.start >= self.block.len() && !self.ended {
            self.next_block()?;
        }
        let held = self.block.get(self.start..).unwrap_or(&[]);
        let count = held.len().min(into.len());
        into[..count].copy_from_slice(&held[..count]);
        self.start += count;
        Ok(count)
    }
}
