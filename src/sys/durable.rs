//! Bytes that are on the disk when the call returns.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{self, FallocateFlags};
use nix::unistd;

/// Writes `bytes` to the end of `file` and waits until they are on the disk.
///
/// # Errors
/// The kernel's: no space, a read error of the disk.
pub fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_data()
}

/// Waits until the names in a directory are on the disk.
///
/// # Errors
/// The kernel's.
pub fn sync_dir(dir: impl AsFd) -> io::Result<()> {
    match unistd::fsync(dir) {
        // What filesystems answer that know no fsync of a directory.
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Keeps `bytes` of disk space for `file`, so that appending that much cannot
/// fail for want of space. Its size does not change.
///
/// # Errors
/// No space. A filesystem that cannot reserve is no error.
pub fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    let length = i64::try_from(bytes).map_err(|_| Errno::EFBIG)?;
    match fcntl::fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, length) {
        Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
