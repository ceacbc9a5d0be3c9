//! Exact paths: below the root, with no symbolic link anywhere in them.
//!
//! What the journal wrote down must be found again in the same place. A path
//! with a link in it leads somewhere else as soon as the link is swapped, so
//! these calls enter one component at a time and stop at the first that is no
//! directory (`ENOTDIR`). They only read; [`super::write_root`] writes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag};
use nix::sys::stat::{self, FileStat, Mode, SFlag};
use serde::{Deserialize, Serialize};

use super::root_dir::{Kind, RootDir};

/// A point in time as filesystems store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stamp {
    /// Seconds since 1970.
    pub sec: i64,
    /// Nanoseconds within that second.
    pub nsec: i64,
}

/// What stands at a path: enough to know it again and to tell it apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Inode number: the same object keeps it wherever it is moved.
    pub ino: u64,
    /// Device of its filesystem. Differs from boot to boot, so never stored.
    #[serde(skip)]
    pub dev: u64,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Modification time.
    pub mtime: Stamp,
    /// Number of its names. Not stored.
    #[serde(skip)]
    pub links: u64,
}

impl Object {
    fn new(stat: &FileStat) -> Self {
        let kind = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => Kind::File,
            SFlag::S_IFDIR => Kind::Directory,
            SFlag::S_IFLNK => Kind::Symlink,
            _ => Kind::Special,
        };
        Self {
            kind,
            ino: stat.st_ino,
            dev: stat.st_dev,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: Stamp {
                sec: stat.st_mtime,
                nsec: stat.st_mtime_nsec,
            },
            #[allow(clippy::useless_conversion)] // u32 on aarch64
            links: stat.st_nlink.into(),
        }
    }

    /// True when `other` is the same object, as far as that can be known after
    /// a reboot. A link that was replaced may have got the inode of the old one
    /// again; its text never changes, so size and time tell it apart.
    pub fn is_same(&self, other: &Self) -> bool {
        let link = self.kind == Kind::Symlink;
        self.ino == other.ino
            && self.kind == other.kind
            && (!link || (self.size, self.mtime) == (other.size, other.mtime))
    }
}

/// True for an absolute path in its plainest form: no `.`, `..`, empty
/// component or trailing slash, and not `/` itself.
pub fn is_exact(path: &Path) -> bool {
    let plain: PathBuf = path.components().collect();
    plain.as_os_str() == path.as_os_str()
        && path.is_absolute()
        && path.file_name().is_some()
        && path.components().all(|c| c != Component::ParentDir)
        && !path.as_os_str().as_bytes().contains(&0)
}

/// Opens the directory at `path` for calls relative to it.
///
/// # Errors
/// The kernel's; `ENOTDIR` also for a symbolic link on the way.
pub fn open_dir(root: &RootDir, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut dir = fcntl::openat(root.fd(), ".", flags, Mode::empty())?;
    for component in path.components() {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => dir = fcntl::openat(&dir, name, flags, Mode::empty())?,
            _ => return Err(Errno::EINVAL.into()),
        }
    }
    Ok(dir)
}

/// Opens the directory that holds `path`, and tells the name in it.
///
/// # Errors
/// Like [`open_dir`]; `EINVAL` for a path that ends in no name.
pub fn open_parent<'p>(root: &RootDir, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::EINVAL.into());
    };
    Ok((open_dir(root, parent)?, name))
}

/// What stands at `path`; `None` when nothing does.
///
/// # Errors
/// The kernel's, also when the directory that should hold it is not there.
pub fn look(root: &RootDir, path: &Path) -> io::Result<Option<Object>> {
    if path == Path::new("/") {
        return Ok(Some(Object::new(&stat::fstat(root.fd())?)));
    }
    let (dir, name) = open_parent(root, path)?;
    match stat::fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(Object::new(&found))),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// The text of the symbolic link at `path`.
///
/// # Errors
/// The kernel's; `EINVAL` when it is no link.
pub fn read_link(root: &RootDir, path: &Path) -> io::Result<PathBuf> {
    let (dir, name) = open_parent(root, path)?;
    Ok(PathBuf::from(fcntl::readlinkat(&dir, name)?))
}

/// The names in the directory at `path`, sorted.
///
/// # Errors
/// Like [`open_dir`].
pub fn names(root: &RootDir, path: &Path) -> io::Result<Vec<OsString>> {
    let mut dir = Dir::from_fd(open_dir(root, path)?)?;
    let mut names = Vec::new();
    for entry in dir.iter() {
        let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Opens the regular file at `path` for reading.
///
/// # Errors
/// The kernel's; `InvalidInput` when it is no regular file.
pub fn open_file(root: &RootDir, path: &Path) -> io::Result<File> {
    let (dir, name) = open_parent(root, path)?;
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = fcntl::openat(&dir, name, flags, Mode::empty())?;
    if Object::new(&stat::fstat(&fd)?).kind != Kind::File {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        return Err(error);
    }
    Ok(File::from(fd))
}

/// What `mknod(2)` wants to make the same device, FIFO or socket: its kind and
/// its number.
///
/// # Errors
/// The kernel's.
pub fn node(root: &RootDir, path: &Path) -> io::Result<(SFlag, u64)> {
    let (dir, name) = open_parent(root, path)?;
    let found = stat::fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits());
    Ok((kind, found.st_rdev))
}

/// True for a socket.
///
/// # Errors
/// The kernel's.
pub fn is_socket(root: &RootDir, path: &Path) -> io::Result<bool> {
    Ok(node(root, path)?.0 == SFlag::S_IFSOCK)
}

/// Reads the regular file at `path`, of at most `limit` bytes.
///
/// # Errors
/// The kernel's; `InvalidInput` when it is no regular file, `FileTooLarge`
/// when it is larger than `limit`.
pub fn read(root: &RootDir, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = open_file(root, path)?.take(limit.saturating_add(1));
    file.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let text = format!("larger than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}
