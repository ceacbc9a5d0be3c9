//! The patient's root tree, read without ever leaving it.
//!
//! Paths and symbolic links are resolved as the patient itself would resolve
//! them after booting: an absolute link starts again at the patient's root, and
//! `..` stops there. Linux 5.6 does that in one call (`openat2(2)` with
//! `RESOLVE_IN_ROOT`); older kernels and seccomp filters that refuse the call
//! get a walk of one component at a time with the same answers.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{self, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{self, FileStat, Mode, SFlag};
use serde::{Deserialize, Serialize};

mod details;
mod directory;
mod memory;
mod times;
mod walk;

pub use details::Details;
pub use directory::Directory;
pub use memory::{MemoryTree, New};
pub use times::Times;
use walk::{Place, Walk, link_text};

/// Tries of `openat2` while somebody renames things under it (`EAGAIN`).
const MAX_RACES: usize = 64;

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link (only from calls that do not follow it).
    Symlink,
    /// A device node, socket or FIFO.
    Special,
}

/// The part of `stat(2)` that the rest of the program uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Device of the filesystem it lies on.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Number of hard links.
    pub links: u64,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
    /// Time of the last change of mode, owner or content, seconds since 1970.
    pub ctime: i64,
}

impl Meta {
    fn new(stat: &FileStat) -> Self {
        Self {
            kind: kind_of(stat.st_mode),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            dev: stat.st_dev,
            ino: stat.st_ino,
            #[allow(clippy::useless_conversion)] // u32 on aarch64
            links: stat.st_nlink.into(),
            mtime: stat.st_mtime,
            ctime: stat.st_ctime,
        }
    }

    /// True when any of the three execute bits is set.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }

    /// True for a program that runs with its owner's or its group's rights.
    pub fn gives_rights(&self) -> bool {
        self.mode & 0o6000 != 0
    }
}

fn kind_of(mode: u32) -> Kind {
    match SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Directory,
        SFlag::S_IFLNK => Kind::Symlink,
        _ => Kind::Special,
    }
}

/// The room of a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that root can still write.
    pub bytes_free: u64,
    /// Files that it can have; 0 where it has no such limit.
    pub files: u64,
    /// Files that can still be made.
    pub files_free: u64,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the directory.
    pub name: OsString,
    /// What it is, links not followed.
    pub kind: Kind,
}

/// Where a path leads inside the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The path without any symbolic link, absolute inside the root.
    pub path: PathBuf,
    /// What is there.
    pub meta: Meta,
    /// Each link that was followed, in order: (where it lies, what it says).
    pub links: Vec<(PathBuf, PathBuf)>,
}

/// How far a path leads before it breaks off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEnd {
    /// The first place that could not be entered, inside the root.
    pub at: PathBuf,
    /// The links followed until there.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// The kernel's answer there.
    pub errno: Errno,
}

impl From<DeadEnd> for io::Error {
    fn from(end: DeadEnd) -> Self {
        end.errno.into()
    }
}

impl From<Box<DeadEnd>> for io::Error {
    fn from(end: Box<DeadEnd>) -> Self {
        end.errno.into()
    }
}

/// Which way paths are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolver {
    /// `openat2(2)`, with the walk where the kernel refuses it.
    Kernel,
    /// Always one component at a time, as on kernels before 5.6.
    Walk,
}

/// A directory that stands for `/`, and everything below it, read-only.
#[derive(Debug)]
pub struct RootDir {
    fd: OwnedFd,
    path: PathBuf,
    resolver: Resolver,
    /// A tree that lies in no filesystem; `fd` is no directory then.
    memory: Option<Arc<MemoryTree>>,
}

impl RootDir {
    /// Opens `path` (of the rescue system) as a root.
    ///
    /// # Errors
    /// The kernel's, when `path` is not a directory that can be opened.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        Self::open_with(path, Resolver::Kernel)
    }

    /// Like [`RootDir::open`], with the way of resolving chosen.
    ///
    /// # Errors
    /// The kernel's, when `path` is not a directory that can be opened.
    pub fn open_with(path: impl Into<PathBuf>, resolver: Resolver) -> io::Result<Self> {
        let path = path.into();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = fcntl::open(&path, flags, Mode::empty())?;
        Ok(Self {
            fd,
            path,
            resolver,
            memory: None,
        })
    }

    /// A root that lies in memory; `path` says in messages where it came from.
    ///
    /// # Errors
    /// The kernel's, when it gives no memory.
    pub fn in_memory(tree: MemoryTree, path: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(Self {
            fd: memory::anonymous()?,
            path: path.into(),
            resolver: Resolver::Kernel,
            memory: Some(Arc::new(tree)),
        })
    }

    /// The root as the rescue system sees it, for messages only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The root's own descriptor, for calls relative to it.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Opens the regular file at `path`, links followed, for reading.
    ///
    /// # Errors
    /// The kernel's; `InvalidInput` when it is no regular file.
    pub fn open_file(&self, path: impl AsRef<Path>) -> io::Result<File> {
        if let Some(tree) = &self.memory {
            let (number, _) = tree.walk(path.as_ref(), true)?;
            return tree.open(number);
        }
        let refused = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        // Looked at before it is opened: opening some devices does something.
        let seen = self.open_at(path.as_ref(), OFlag::O_PATH, true)?;
        let seen = stat::fstat(&seen)?;
        if kind_of(seen.st_mode) != Kind::File {
            return Err(refused());
        }
        // O_NONBLOCK: should a FIFO take its place now, it must not block.
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let fd = self.open_at(path.as_ref(), flags, true)?;
        if kind_of(stat::fstat(&fd)?.st_mode) != Kind::File {
            return Err(refused());
        }
        Ok(File::from(fd))
    }

    /// True when the regular file at `path` has capabilities of its own
    /// (capabilities(7): `security.capability`).
    ///
    /// # Errors
    /// The kernel's; the filesystem has no such attributes.
    pub fn has_capabilities(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        let file = self.open_file(path)?;
        let mut value = [0_u8; 64];
        match rustix::fs::fgetxattr(&file, "security.capability", &mut value) {
            Ok(length) => Ok(length > 0),
            Err(rustix::io::Errno::NODATA) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a whole file of at most `limit` bytes.
    ///
    /// # Errors
    /// The kernel's; `FileTooLarge` when the file is larger than `limit`.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.open_file(path)?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("larger than {limit} bytes"),
            ));
        }
        Ok(bytes)
    }

    /// Reads a text file of at most `limit` bytes; wrong UTF-8 is replaced.
    ///
    /// # Errors
    /// Like [`RootDir::read`].
    pub fn read_text(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<String> {
        let bytes = self.read(path, limit)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned()))
    }

    /// What `path` is, links followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn metadata(&self, path: impl AsRef<Path>) -> io::Result<Meta> {
        self.metadata_at(path.as_ref(), true)
    }

    /// What `path` is, a link at its end not followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn symlink_metadata(&self, path: impl AsRef<Path>) -> io::Result<Meta> {
        self.metadata_at(path.as_ref(), false)
    }

    fn metadata_at(&self, path: &Path, follow: bool) -> io::Result<Meta> {
        if let Some(tree) = &self.memory {
            return Ok(tree.walk(path, follow)?.1.meta);
        }
        let fd = self.open_at(path, OFlag::O_PATH, follow)?;
        Ok(Meta::new(&stat::fstat(&fd)?))
    }

    /// The text of the symbolic link at `path`.
    ///
    /// # Errors
    /// The kernel's; `InvalidInput` when it is no link.
    pub fn read_link(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        if let Some(tree) = &self.memory {
            return tree.link_text(path.as_ref());
        }
        let fd = self.open_at(path.as_ref(), OFlag::O_PATH, false)?;
        Ok(link_text(&fd)?)
    }

    /// The names in the directory at `path`, sorted, without `.` and `..`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read_dir(&self, path: impl AsRef<Path>) -> io::Result<Vec<Entry>> {
        let mut entries = self.directory_at(path.as_ref(), true)?.entries()?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Follows `path` to its end and tells every link on the way.
    ///
    /// # Errors
    /// [`DeadEnd`]: the place where it breaks off.
    pub fn resolve(&self, path: impl AsRef<Path>) -> Result<Resolved, Box<DeadEnd>> {
        self.resolve_at(path.as_ref(), true)
    }

    /// Like [`RootDir::resolve`], but a link at the end is not followed.
    ///
    /// # Errors
    /// [`DeadEnd`]: the place where it breaks off.
    pub fn resolve_parent(&self, path: impl AsRef<Path>) -> Result<Resolved, Box<DeadEnd>> {
        self.resolve_at(path.as_ref(), false)
    }

    fn resolve_at(&self, path: &Path, follow: bool) -> Result<Resolved, Box<DeadEnd>> {
        match &self.memory {
            Some(tree) => tree.walk(path, follow).map(|(_, resolved)| resolved),
            None => self.walk(path, follow).map(|(_, resolved)| resolved),
        }
    }

    /// How much room the filesystem at `path` has.
    ///
    /// # Errors
    /// The kernel's.
    pub fn room(&self, path: impl AsRef<Path>) -> io::Result<Room> {
        let fd = self.open_at(path.as_ref(), OFlag::O_RDONLY | OFlag::O_DIRECTORY, true)?;
        let told = nix::sys::statvfs::fstatvfs(&fd)?;
        #[allow(clippy::useless_conversion)] // u32 on 32-bit machines
        Ok(Room {
            bytes_free: u64::from(told.blocks_free()).saturating_mul(told.fragment_size().into()),
            files: told.files().into(),
            files_free: told.files_free().into(),
        })
    }

    /// Opens the directory at `path`, for calls relative to it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open_dir(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        Ok(self.open_at(path.as_ref(), flags, true)?)
    }

    fn open_at(&self, path: &Path, flags: OFlag, follow: bool) -> nix::Result<OwnedFd> {
        let mut flags = flags | OFlag::O_CLOEXEC;
        if !follow {
            flags |= OFlag::O_NOFOLLOW;
        }
        if self.resolver == Resolver::Kernel {
            match self.open_in_root(path, flags) {
                Err(Errno::ENOSYS | Errno::EPERM | Errno::EAGAIN) => {}
                answer => return answer,
            }
        }
        let (found, _) = self.walk(path, follow).map_err(|end| end.errno)?;
        found.reopen(&self.fd, flags)
    }

    fn open_in_root(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        for _ in 0..MAX_RACES {
            match fcntl::openat2(&self.fd, path, how) {
                Err(Errno::EAGAIN) => {}
                answer => return answer,
            }
        }
        Err(Errno::EAGAIN)
    }

    /// The walk: one component at a time, never through a link of the kernel's.
    fn walk(&self, path: &Path, follow: bool) -> Result<(Place, Resolved), Box<DeadEnd>> {
        let mut walk = Walk::new(&self.fd);
        match walk.run(path, follow) {
            Ok((place, meta)) => Ok((
                place,
                Resolved {
                    path: walk.path,
                    meta,
                    links: walk.links,
                },
            )),
            Err(errno) => Err(Box::new(DeadEnd {
                at: walk.path,
                links: walk.links,
                errno,
            })),
        }
    }
}

#[cfg(test)]
#[path = "root_dir/tests.rs"]
mod tests;
