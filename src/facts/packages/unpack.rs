//! Packed files read as a stream: what dpkg, apt and logrotate write.

use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::{LzmaReader, XzReader};
use ruzstd::decoding::StreamingDecoder;

/// The most memory for an `.lzma` file: `lzma -9` takes a dictionary of 64 MiB.
const LZMA_KIB_MAX: u32 = 128 << 10;

/// The unpacked content of `packed`; how it is packed is told by its first
/// bytes, and what is not packed is passed on as it is.
///
/// # Errors
/// The reader's; a header that is damaged.
pub fn reader<'a>(mut packed: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match packed.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(packed)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(XzReader::new(packed, true)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(StreamingDecoder::new(packed).map_err(io::Error::other)?)
        }
        [0x04, 0x22, 0x4d, 0x18, ..] => Box::new(FrameDecoder::new(packed)),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Box::new(MultiBzDecoder::new(packed)),
        _ => Box::new(packed),
    })
}

/// The unpacked content of an `.lzma` file, which no first bytes tell (the
/// format is in doc/lzma-file-format.txt of XZ Utils).
///
/// # Errors
/// The reader's; a header that is damaged or asks for too much memory.
pub fn lzma<'a>(packed: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let reader = LzmaReader::new_mem_limit(packed, LZMA_KIB_MAX, None)?;
    Ok(Box::new(reader))
}

/// All of it, of at most `limit` bytes.
///
/// # Errors
/// Like [`reader`]; `FileTooLarge`.
pub fn whole(packed: impl BufRead, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader(packed)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {limit} bytes when unpacked"),
        ));
    }
    Ok(bytes)
}
