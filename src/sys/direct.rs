//! Reading a disk past the page cache, so that the medium itself answers
//! (`open(2)`, O_DIRECT).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};

/// Enough for every logical sector size that the kernel knows.
const ALIGNMENT: usize = 4096;

/// A disk or image opened for such reads.
#[derive(Debug)]
pub struct DirectFile {
    file: File,
    direct: bool,
}

/// Memory whose start is aligned as direct reads need it.
#[derive(Debug)]
pub struct AlignedBuffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl AlignedBuffer {
    /// A buffer of `length` bytes.
    #[must_use]
    pub fn new(length: usize) -> Self {
        let memory = vec![0; length.saturating_add(ALIGNMENT)];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self {
            memory,
            start,
            length,
        }
    }

    fn bytes(&mut self, length: usize) -> &mut [u8] {
        let end = self.start + length.min(self.length);
        &mut self.memory[self.start..end]
    }
}

impl DirectFile {
    /// Opens `path` for reading; through the page cache where the filesystem
    /// of an image cannot do without.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(path: &Path) -> io::Result<Self> {
        let open = |flags: OFlag| {
            OpenOptions::new()
                .read(true)
                .custom_flags((flags | OFlag::O_NONBLOCK).bits())
                .open(path)
        };
        match open(OFlag::O_DIRECT) {
            Ok(file) => Ok(Self { file, direct: true }),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(Self {
                file: open(OFlag::empty())?,
                direct: false,
            }),
            Err(error) => Err(error),
        }
    }

    /// True when reads go past the page cache.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// Reads up to `length` bytes at `offset` and throws them away; how many
    /// there were. Both numbers are multiples of the sector size, except at
    /// the end of an image.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read(
        &self,
        buffer: &mut AlignedBuffer,
        offset: u64,
        length: usize,
    ) -> io::Result<usize> {
        if !self.direct
            && let (Ok(from), Ok(bytes)) = (i64::try_from(offset), i64::try_from(length))
        {
            // What the cache has already proves nothing about the medium.
            let _ = posix_fadvise(
                &self.file,
                from,
                bytes,
                PosixFadviseAdvice::POSIX_FADV_DONTNEED,
            );
        }
        loop {
            match self.file.read_at(buffer.bytes(length), offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    #[test]
    fn an_image_is_read_to_its_end() {
        let mut image = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        image.write_all(&vec![7; 10_000]).unwrap();
        image.as_file().sync_all().unwrap();
        let file = DirectFile::open(image.path()).unwrap();
        let mut buffer = AlignedBuffer::new(8192);
        assert_eq!(file.read(&mut buffer, 0, 8192).unwrap(), 8192);
        assert!(buffer.bytes(8192).iter().all(|byte| *byte == 7));
        assert_eq!(file.read(&mut buffer, 8192, 8192).unwrap(), 10_000 - 8192);
        assert_eq!(file.read(&mut buffer, 16384, 8192).unwrap(), 0);
    }

    #[test]
    fn a_buffer_begins_where_direct_reads_may() {
        for length in [0, 1, 4096, 1 << 20] {
            let mut buffer = AlignedBuffer::new(length);
            let bytes = buffer.bytes(usize::MAX);
            assert_eq!(bytes.len(), length);
            assert_eq!(bytes.as_ptr().align_offset(ALIGNMENT), 0);
        }
    }
}
