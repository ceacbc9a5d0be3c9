//! Extended attributes of what stands at an exact path (xattr(7)).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::exact;
use super::mount::path_of;
use super::root_dir::RootDir;

/// Attributes by name.
pub type Xattrs = BTreeMap<String, Vec<u8>>;

/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX` of the kernel (linux/limits.h).
const MOST_BYTES: usize = 65536;

/// What overlayfs notes for itself.
const OF_OVERLAYFS: &str = "trusted.overlay.";

/// All attributes of what stands at `path`, a link itself included, but for
/// what overlayfs notes. A filesystem that has none gives none.
///
/// # Errors
/// The kernel's.
pub fn all(root: &RootDir, path: &Path) -> io::Result<Xattrs> {
    let (_dir, path) = named(root, path)?;
    listed(&path)
}

/// The same of `name` in an open directory.
///
/// # Errors
/// The kernel's.
pub fn of(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<Xattrs> {
    listed(&path_of(directory).join(name))
}

fn listed(path: &Path) -> io::Result<Xattrs> {
    // Nearly nothing has any, and it is asked of every file of a machine: no
    // room for a name, so any name is out of its range.
    match rustix::fs::llistxattr(path, &mut [0_u8; 1][..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Xattrs::new()),
        Ok(_) | Err(Errno::RANGE) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut list = vec![0; MOST_BYTES];
    let length = rustix::fs::llistxattr(path, &mut list[..])?;
    let mut found = Xattrs::new();
    for name in list[..length].split(|&byte| byte == 0) {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        if name.is_empty() || name.starts_with(OF_OVERLAYFS) {
            continue;
        }
        let mut value = vec![0; MOST_BYTES];
        match rustix::fs::lgetxattr(path, name, &mut value[..]) {
            Ok(length) => value.truncate(length),
            // It went meanwhile, or belongs to a namespace not shown to us.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => continue,
            Err(errno) => return Err(errno.into()),
        }
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

/// One attribute of overlayfs's own of the directory at `path`.
///
/// # Errors
/// The kernel's.
pub fn of_overlayfs(root: &RootDir, path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let dir = exact::open_dir(root, path)?;
    let mut value = vec![0; MOST_BYTES];
    match rustix::fs::fgetxattr(&dir, format!("{OF_OVERLAYFS}{name}"), &mut value[..]) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// A path for calls that take nothing else; good while the directory is open.
pub(super) fn named(root: &RootDir, path: &Path) -> io::Result<(std::os::fd::OwnedFd, PathBuf)> {
    if path == Path::new("/") {
        let own = exact::open_dir(root, path)?;
        let name = path_of(own.as_fd()).join(".");
        return Ok((own, name));
    }
    let (dir, name) = exact::open_parent(root, path)?;
    let name = path_of(dir.as_fd()).join(name);
    Ok((dir, name))
}
