//! The patient's root tree with the calls that change it.
//!
//! All paths are exact (see [`super::exact`]): a link swapped in as a parent
//! stops the call and nothing outside the root can be reached. No call here
//! overwrites anything.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, Flock, FlockArg, OFlag, RenameFlags};
use nix::sys::stat::{self, Mode, UtimensatFlags};
use nix::sys::statvfs::{self, FsFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{self, Gid, Uid, UnlinkatFlags};
use rustix::fs::XattrFlags;

use super::consent::WriteToken;
use super::root_dir::RootDir;
use super::{durable, exact, xattr};

/// The extended attribute of `/` while a journal lies on the filesystem.
const MARK: &str = "trusted.lifeboot";

/// More than any mark that was ever written.
const MARK_BYTES: usize = 4096;

/// A [`RootDir`] that may be changed. One writer at a time.
#[derive(Debug)]
pub struct WriteRoot<'a> {
    root: &'a RootDir,
    consent: &'a WriteToken,
    /// Held for as long as this lives; the kernel frees it if the process dies.
    _lock: Flock<OwnedFd>,
}

impl<'a> WriteRoot<'a> {
    /// Makes `root` writable for the holder of `token`.
    ///
    /// # Errors
    /// `ReadOnlyFilesystem`; `ResourceBusy` while another writer is at work.
    pub fn new(root: &'a RootDir, token: &'a WriteToken) -> io::Result<Self> {
        if statvfs::fstatvfs(root.fd())?
            .flags()
            .contains(FsFlags::ST_RDONLY)
        {
            return Err(Errno::EROFS.into());
        }
        let own = exact::open_dir(root, Path::new("/"))?;
        let lock =
            Flock::lock(own, FlockArg::LockExclusiveNonblock).map_err(
                |(_, errno)| match errno {
                    Errno::EWOULDBLOCK => io::Error::new(
                        io::ErrorKind::ResourceBusy,
                        "another Lifeboot is changing this root",
                    ),
                    other => other.into(),
                },
            )?;
        Ok(Self {
            root,
            consent: token,
            _lock: lock,
        })
    }

    /// The same root, for reading.
    pub fn root(&self) -> &'a RootDir {
        self.root
    }

    /// What the operator agreed to.
    pub fn consent(&self) -> &str {
        self.consent.reason()
    }

    /// The proof of that.
    pub fn token(&self) -> &'a WriteToken {
        self.consent
    }

    /// Moves `from` to `to`, where nothing may stand yet.
    ///
    /// # Errors
    /// The kernel's; `EEXIST` when something stands at `to`.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = exact::open_parent(self.root, from)?;
        let (to_dir, to_name) = exact::open_parent(self.root, to)?;
        let flags = RenameFlags::RENAME_NOREPLACE;
        match fcntl::renameat2(&from_dir, from_name, &to_dir, to_name, flags) {
            // Linux before 3.15, or a filesystem that does not know the flag.
            Err(Errno::EINVAL | Errno::ENOSYS) => self.rename_checked(from, to),
            answer => Ok(answer?),
        }
    }

    /// [`WriteRoot::rename`] where the kernel cannot look and move in one step:
    /// looks first. Nobody else writes to a patient, so nothing comes between.
    pub(super) fn rename_checked(&self, from: &Path, to: &Path) -> io::Result<()> {
        if exact::look(self.root, to)?.is_some() {
            return Err(Errno::EEXIST.into());
        }
        let (from_dir, from_name) = exact::open_parent(self.root, from)?;
        let (to_dir, to_name) = exact::open_parent(self.root, to)?;
        Ok(fcntl::renameat(&from_dir, from_name, &to_dir, to_name)?)
    }

    /// Makes a directory that belongs to the caller.
    ///
    /// # Errors
    /// The kernel's; `EEXIST` when something stands there.
    pub fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let (dir, name) = exact::open_parent(self.root, path)?;
        let mode = Mode::from_bits_truncate(mode);
        Ok(stat::mkdirat(&dir, name, mode)?)
    }

    /// Sets the permission bits of a directory or a file, as they are: no umask.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        let own = self.standing(path)?;
        Ok(stat::fchmod(&own, Mode::from_bits_truncate(mode))?)
    }

    /// Waits until the mode, the owner and the extended attributes of a
    /// directory or a file are on the disk.
    ///
    /// # Errors
    /// The kernel's.
    pub fn sync_attributes(&self, path: &Path) -> io::Result<()> {
        durable::sync_dir(self.standing(path)?)
    }

    /// The directory or the file at `path`, for calls that want it open.
    fn standing(&self, path: &Path) -> io::Result<OwnedFd> {
        match exact::open_dir(self.root, path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Ok(exact::open_file(self.root, path)?.into())
            }
            answer => answer,
        }
    }

    /// Gives `path` (a link itself, not what it leads to) to another owner.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_owner(&self, path: &Path, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        if path == Path::new("/") {
            let own = exact::open_dir(self.root, path)?;
            return Ok(unistd::fchown(&own, Some(uid), Some(gid))?);
        }
        let (dir, name) = exact::open_parent(self.root, path)?;
        let flag = AtFlags::AT_SYMLINK_NOFOLLOW;
        Ok(unistd::fchownat(&dir, name, Some(uid), Some(gid), flag)?)
    }

    /// Makes a symbolic link that says `target`.
    ///
    /// # Errors
    /// The kernel's; `EEXIST` when something stands there.
    pub fn symlink(&self, path: &Path, target: &Path) -> io::Result<()> {
        let (dir, name) = exact::open_parent(self.root, path)?;
        Ok(unistd::symlinkat(target, &dir, name)?)
    }

    /// Gives the file at `existing` the name `path`, too.
    ///
    /// # Errors
    /// The kernel's; `EEXIST` when something stands there.
    pub fn link(&self, existing: &Path, path: &Path) -> io::Result<()> {
        let (from, old) = exact::open_parent(self.root, existing)?;
        let (dir, name) = exact::open_parent(self.root, path)?;
        let flag = AtFlags::empty();
        Ok(unistd::linkat(&from, old, &dir, name, flag)?)
    }

    /// Makes a device, a FIFO or a socket like the one at `from` of `other`.
    ///
    /// # Errors
    /// The kernel's; `EEXIST` when something stands there.
    pub fn make_node(&self, path: &Path, other: &RootDir, from: &Path) -> io::Result<()> {
        let (kind, number) = exact::node(other, from)?;
        let (dir, name) = exact::open_parent(self.root, path)?;
        let mode = Mode::from_bits_truncate(0o600);
        Ok(stat::mknodat(&dir, name, kind, mode, number)?)
    }

    /// Sets the permission bits of what [`WriteRoot::make_node`] made.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_node_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        let (dir, name) = exact::open_parent(self.root, path)?;
        let mode = Mode::from_bits_truncate(mode);
        Ok(stat::fchmodat(
            &dir,
            name,
            mode,
            stat::FchmodatFlags::FollowSymlink,
        )?)
    }

    /// Sets an extended attribute; of a link itself, not of what it leads to.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_xattr(&self, path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
        let (_dir, at) = xattr::named(self.root, path)?;
        Ok(rustix::fs::lsetxattr(
            &at,
            name,
            value,
            XattrFlags::empty(),
        )?)
    }

    /// Takes an extended attribute away.
    ///
    /// # Errors
    /// The kernel's. It is no error when it is not there.
    pub fn remove_xattr(&self, path: &Path, name: &str) -> io::Result<()> {
        let (_dir, at) = xattr::named(self.root, path)?;
        match rustix::fs::lremovexattr(&at, name) {
            Ok(()) | Err(rustix::io::Errno::NODATA) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until the whole filesystem that `path` is on is on the disk.
    ///
    /// # Errors
    /// The kernel's.
    pub fn sync_filesystem(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(exact::open_dir(self.root, path)?)?)
    }

    /// Removes what is no directory.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (dir, name) = exact::open_parent(self.root, path)?;
        Ok(unistd::unlinkat(&dir, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// The kernel's; `DirectoryNotEmpty`.
    pub fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let (dir, name) = exact::open_parent(self.root, path)?;
        Ok(unistd::unlinkat(&dir, name, UnlinkatFlags::RemoveDir)?)
    }

    /// Creates a file only its owner can read.
    ///
    /// # Errors
    /// The kernel's; `EEXIST` when something stands there.
    pub fn create(&self, path: &Path) -> io::Result<File> {
        let (dir, name) = exact::open_parent(self.root, path)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o600);
        Ok(File::from(fcntl::openat(&dir, name, flags, mode)?))
    }

    /// Opens a file to append to it.
    ///
    /// # Errors
    /// The kernel's; `ELOOP` for a symbolic link.
    pub fn open_append(&self, path: &Path) -> io::Result<File> {
        let (dir, name) = exact::open_parent(self.root, path)?;
        let flags = OFlag::O_WRONLY
            | OFlag::O_APPEND
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_CLOEXEC;
        let fd = fcntl::openat(&dir, name, flags, Mode::empty())?;
        Ok(File::from(fd))
    }

    /// Sets the modification time; a link itself, not what it leads to.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_mtime(&self, path: &Path, mtime: exact::Stamp) -> io::Result<()> {
        let mtime = TimeSpec::new(mtime.sec, mtime.nsec);
        if path == Path::new("/") {
            let own = exact::open_dir(self.root, path)?;
            return Ok(stat::futimens(&own, &TimeSpec::UTIME_OMIT, &mtime)?);
        }
        let (dir, name) = exact::open_parent(self.root, path)?;
        let flag = UtimensatFlags::NoFollowSymlink;
        Ok(stat::utimensat(
            &dir,
            name,
            &TimeSpec::UTIME_OMIT,
            &mtime,
            flag,
        )?)
    }

    /// Waits until the directory at `path` is on the disk, names and times.
    ///
    /// # Errors
    /// The kernel's.
    pub fn sync_dir(&self, path: &Path) -> io::Result<()> {
        durable::sync_dir(exact::open_dir(self.root, path)?)
    }

    /// Puts `mark` beside `/`, where it outlives every file of the journal.
    /// False when the filesystem has no place for it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_mark(&self, mark: &[u8]) -> io::Result<bool> {
        let set = rustix::fs::fsetxattr(self.root.fd(), MARK, mark, XattrFlags::empty());
        kept(set)
    }

    /// Takes the mark away.
    ///
    /// # Errors
    /// The kernel's. It is no error when there is none.
    pub fn clear_mark(&self) -> io::Result<()> {
        match rustix::fs::fremovexattr(self.root.fd(), MARK) {
            Err(rustix::io::Errno::NODATA) => Ok(()),
            other => kept(other).map(drop),
        }
    }
}

/// The mark beside `/`; `None` when there is none or it cannot be read.
pub fn mark(root: &RootDir) -> Option<Vec<u8>> {
    let mut value = vec![0; MARK_BYTES];
    let length = rustix::fs::fgetxattr(root.fd().as_fd(), MARK, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// False for a filesystem, or a user, that may not keep the mark.
fn kept(answer: rustix::io::Result<()>) -> io::Result<bool> {
    use rustix::io::Errno;
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::PERM | Errno::NOSYS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// True when `target` can be the text of a symbolic link.
pub fn is_link_text(target: &Path) -> bool {
    let bytes = target.as_os_str().as_bytes();
    !bytes.is_empty() && bytes.len() < 4096 && !bytes.contains(&0)
}

#[cfg(test)]
#[path = "write_root_tests.rs"]
mod tests;
