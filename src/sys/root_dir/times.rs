//! The times of an inode: what was written when, and what was only touched.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat;
use rustix::fs::{self, StatxFlags};

use super::{Directory, RootDir};

/// Seconds since 1970, of the inode itself (links not followed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When its content was written, or what a tool set instead.
    pub modified: i64,
    /// When the inode last changed: content, mode, owner, links or name.
    /// Nothing can set it.
    pub changed: i64,
    /// When the inode was made, where kernel and filesystem tell.
    pub born: Option<i64>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// True for a directory.
    pub directory: bool,
}

impl RootDir {
    /// The times of `path`, a link at its end not followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn times(&self, path: impl AsRef<Path>) -> io::Result<Times> {
        let fd = self.open_at(path.as_ref(), OFlag::O_PATH, false)?;
        read(fd.as_fd(), OsStr::new(""), true)
    }
}

impl Directory {
    /// The times of `name`, a link not followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn times(&self, name: &OsStr) -> io::Result<Times> {
        read(self.descriptor()?.as_fd(), name, false)
    }
}

/// `statx(2)`, and `fstatat(2)` on kernels before 4.11.
fn read(fd: std::os::fd::BorrowedFd<'_>, name: &OsStr, itself: bool) -> io::Result<Times> {
    let mut flags = fs::AtFlags::SYMLINK_NOFOLLOW | fs::AtFlags::STATX_DONT_SYNC;
    let mut old = AtFlags::AT_SYMLINK_NOFOLLOW;
    if itself {
        flags |= fs::AtFlags::EMPTY_PATH;
        old |= AtFlags::AT_EMPTY_PATH;
    }
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    if let Ok(found) = fs::statx(fd, name, flags, wanted) {
        let told = StatxFlags::from_bits_retain(found.stx_mask);
        let kind = u32::from(found.stx_mode);
        return Ok(Times {
            modified: found.stx_mtime.tv_sec,
            changed: found.stx_ctime.tv_sec,
            born: told
                .contains(StatxFlags::BTIME)
                .then_some(found.stx_btime.tv_sec),
            mode: kind & 0o7777,
            uid: found.stx_uid,
            directory: super::kind_of(kind) == super::Kind::Directory,
        });
    }
    let found = stat::fstatat(fd, name, old)?;
    Ok(Times {
        modified: found.st_mtime,
        changed: found.st_ctime,
        born: None,
        mode: found.st_mode & 0o7777,
        uid: found.st_uid,
        directory: super::kind_of(found.st_mode) == super::Kind::Directory,
    })
}
