//! The bytes of a database: a file that is read piece by piece, or memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::sys::root_dir::RootDir;

/// Where a database's bytes come from.
#[derive(Debug)]
pub struct Bytes {
    from: From,
    size: u64,
}

#[derive(Debug)]
enum From {
    File(File),
    Memory(Vec<u8>),
}

impl Bytes {
    /// A file of the patient's.
    pub fn open(root: &RootDir, path: impl AsRef<Path>) -> io::Result<Self> {
        let file = root.open_file(path)?;
        let size = file.metadata()?.len();
        let from = From::File(file);
        Ok(Self { from, size })
    }

    /// What is in memory already.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            size: bytes.len() as u64,
            from: From::Memory(bytes.to_vec()),
        }
    }

    /// How many there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Exactly `count` bytes at `offset`.
    pub fn read(&self, offset: u64, count: usize) -> Result<Vec<u8>, String> {
        let end = offset.checked_add(count as u64);
        // Before anything of that size is asked for.
        if end.is_none_or(|end| end > self.size) {
            return Err("it ends early".into());
        }
        match &self.from {
            From::File(file) => {
                let mut bytes = vec![0; count];
                file.read_exact_at(&mut bytes, offset)
                    .map_err(|error| format!("cannot be read: {error}"))?;
                Ok(bytes)
            }
            From::Memory(all) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let found = all.get(start..start.saturating_add(count));
                found.map(<[u8]>::to_vec).ok_or("it ends early".into())
            }
        }
    }
}

/// The big-endian number of two bytes at `at`.
pub(in crate::facts) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let raw = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(raw.try_into().ok()?))
}

/// The big-endian number of four bytes at `at`.
pub(in crate::facts) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let raw = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(raw.try_into().ok()?))
}

/// The little-endian number of four bytes at `at`.
pub(in crate::facts) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    be32(bytes, at).map(u32::swap_bytes)
}
