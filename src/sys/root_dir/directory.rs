//! One open directory: what lies in it costs one call each, not a whole path.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag};
use nix::sys::stat::{self, Mode};
use rustix::fs::{FileType, RawDir, SeekFrom};

use super::memory::MemoryTree;
use super::{Entry, Kind, Meta, RootDir, kind_of};

/// An open directory of a root. Its names are taken as they are, links never
/// followed, so nothing leads out of it.
#[derive(Debug)]
pub struct Directory {
    place: Place,
    /// Its names were asked for, so the next time they begin anew.
    was_listed: bool,
}

#[derive(Debug)]
enum Place {
    Open(OwnedFd),
    InMemory(Arc<MemoryTree>, usize),
}

/// Names that one `getdents64(2)` gives at most, in bytes: all of nearly every
/// directory.
const NAMES_BYTES: usize = 32 * 1024;

impl RootDir {
    /// Opens the directory at `path`; a link there is not followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn directory(&self, path: impl AsRef<Path>) -> io::Result<Directory> {
        self.directory_at(path.as_ref(), false)
    }

    /// Opens the directory at `path`, links followed inside the root.
    ///
    /// # Errors
    /// The kernel's.
    pub fn directory_behind(&self, path: impl AsRef<Path>) -> io::Result<Directory> {
        self.directory_at(path.as_ref(), true)
    }

    pub(super) fn directory_at(&self, path: &Path, follow: bool) -> io::Result<Directory> {
        if let Some(tree) = &self.memory {
            let (number, found) = tree.walk(path, follow)?;
            return match found.meta.kind {
                Kind::Directory => Ok(Directory::of(Place::InMemory(Arc::clone(tree), number))),
                _ => Err(Errno::ENOTDIR.into()),
            };
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        Ok(Directory::of(Place::Open(
            self.open_at(path, flags, follow)?,
        )))
    }
}

impl Directory {
    fn of(place: Place) -> Self {
        Self {
            place,
            was_listed: false,
        }
    }

    pub(super) fn open(fd: OwnedFd) -> Self {
        Self::of(Place::Open(fd))
    }

    /// What the kernel knows it by; a directory in memory has no such thing.
    pub(super) fn descriptor(&self) -> io::Result<&OwnedFd> {
        match &self.place {
            Place::Open(fd) => Ok(fd),
            Place::InMemory(..) => Err(Errno::EOPNOTSUPP.into()),
        }
    }

    /// The names in it, without `.` and `..`, in no order.
    ///
    /// # Errors
    /// The kernel's.
    pub fn entries(&mut self) -> io::Result<Vec<Entry>> {
        let fd = match &self.place {
            Place::Open(fd) => fd,
            Place::InMemory(tree, number) => return tree.entries(*number),
        };
        let mut entries = Vec::new();
        let mut untold = Vec::new();
        if self.was_listed {
            rustix::fs::seek(fd, SeekFrom::Start(0))?;
        }
        self.was_listed = true;
        // Plain getdents: libc's opendir asks the kernel three things more.
        let mut names = [MaybeUninit::uninit(); NAMES_BYTES];
        let mut told = RawDir::new(fd, &mut names);
        while let Some(entry) = told.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let name = OsString::from_vec(name.to_vec());
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Symlink,
                FileType::Unknown => {
                    untold.push(name);
                    continue;
                }
                _ => Kind::Special,
            };
            entries.push(Entry { name, kind });
        }
        // Some filesystems do not tell; a name that has vanished since is
        // simply not there.
        for name in untold {
            if let Ok(meta) = self.metadata(&name) {
                let kind = meta.kind;
                entries.push(Entry { name, kind });
            }
        }
        Ok(entries)
    }

    /// What `name` is, a link not followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn metadata(&self, name: &OsStr) -> io::Result<Meta> {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        match &self.place {
            Place::Open(fd) => Ok(Meta::new(&stat::fstatat(fd, name, flags)?)),
            Place::InMemory(tree, number) => Ok(tree.meta(tree.named(*number, name)?)),
        }
    }

    /// Opens the regular file `name` for reading. Ask [`Directory::metadata`]
    /// first: opening some devices does something.
    ///
    /// # Errors
    /// The kernel's; `InvalidInput` when it is no regular file.
    pub fn open_file(&self, name: &OsStr) -> io::Result<(File, Meta)> {
        let place = match &self.place {
            Place::Open(fd) => fd,
            Place::InMemory(tree, number) => {
                let number = tree.named(*number, name)?;
                return Ok((tree.open(number)?, tree.meta(number)));
            }
        };
        // O_NONBLOCK: should a FIFO take its place meanwhile, it must not block.
        let flags = OFlag::O_RDONLY
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_NOCTTY
            | OFlag::O_CLOEXEC;
        let open = |flags| fcntl::openat(place, name, flags, Mode::empty());
        // Looking must not even leave a time behind; only owners may ask for it.
        let fd = match open(flags | OFlag::O_NOATIME) {
            Err(Errno::EPERM) => open(flags)?,
            answer => answer?,
        };
        let found = stat::fstat(&fd)?;
        if kind_of(found.st_mode) != Kind::File {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Ok((File::from(fd), Meta::new(&found)))
    }
}
