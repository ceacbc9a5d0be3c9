//! A folder of the rescue system that is filled with copies of the patient's
//! files, with their owners, modes and attributes.
//!
//! Only root may look into it: it may hold programs that give rights. Paths are
//! exact (see [`super::exact`]), so that a link of the patient's, put there by
//! an earlier run, leads no later one out of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag};
use nix::sys::stat::{self, FchmodatFlags, Mode, SFlag, UtimensatFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{self, Gid, LinkatFlags, Uid, UnlinkatFlags};
use rustix::fs::XattrFlags;

use super::exact;
use super::mount::path_of;
use super::root_dir::RootDir;

/// The name of a file that is being written.
const PART: &str = ".lifeboot-part";

/// What a copy gets beside its content.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, in seconds since 1970.
    pub mtime: i64,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

impl Rights {
    /// For a file of Lifeboot's own.
    pub fn of_lifeboot() -> Self {
        Self {
            mode: 0o600,
            uid: unistd::geteuid().as_raw(),
            gid: unistd::getegid().as_raw(),
            mtime: i64::try_from(crate::date::now()).unwrap_or(0),
            xattrs: BTreeMap::new(),
        }
    }
}

/// The folder.
#[derive(Debug)]
pub struct CopyFolder {
    root: RootDir,
}

impl CopyFolder {
    /// Opens or makes `name` in `folder`, which is made, too.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(folder: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if fs::symlink_metadata(&path)?.is_symlink() {
            return Err(Errno::ENOTDIR.into());
        }
        // A filesystem without modes is for its owner to guard.
        let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o700));
        Ok(Self {
            root: RootDir::open(path)?,
        })
    }

    fn parent<'p>(&self, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
        exact::open_parent(&self.root, path)
    }

    /// Makes a directory; without rights, one for its owner only.
    ///
    /// # Errors
    /// The kernel's, also for an attribute that it cannot have.
    pub fn directory(&self, path: &Path, rights: Option<&Rights>) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let mode = Mode::from_bits_truncate(0o700);
        match stat::mkdirat(&parent, name, mode) {
            Ok(()) => {}
            Err(Errno::EEXIST) if is(&parent, name, SFlag::S_IFDIR)? => {}
            Err(Errno::EEXIST) => {
                unistd::unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir)?;
                stat::mkdirat(&parent, name, mode)?;
            }
            Err(errno) => return Err(errno.into()),
        }
        match rights {
            // Root writes below it whatever its mode is.
            Some(rights) => give(&parent, name, rights, false),
            None => Ok(()),
        }
    }

    /// Makes a symbolic link in the place of whatever is no directory.
    ///
    /// # Errors
    /// Like [`CopyFolder::directory`].
    pub fn symlink(&self, path: &Path, target: &Path, rights: &Rights) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        clear(&parent, PART.as_ref())?;
        unistd::symlinkat(target, &parent, PART)?;
        replace(&parent, name)?;
        give(&parent, name, rights, true)
    }

    /// Gives the file at `from` a second name.
    ///
    /// # Errors
    /// Like [`CopyFolder::directory`].
    pub fn hard_link(&self, from: &Path, path: &Path) -> io::Result<()> {
        let (other, from) = self.parent(from)?;
        let (parent, name) = self.parent(path)?;
        clear(&parent, PART.as_ref())?;
        unistd::linkat(&other, from, &parent, PART, LinkatFlags::empty())?;
        replace(&parent, name)?;
        // Two names of one file: such a rename does nothing at all.
        clear(&parent, PART.as_ref())
    }

    /// Puts a file; false when it was there already, the same.
    ///
    /// # Errors
    /// Like [`CopyFolder::directory`].
    pub fn file(&self, path: &Path, content: &[u8], rights: &Rights) -> io::Result<bool> {
        let (parent, name) = self.parent(path)?;
        if holds(&parent, name, content) {
            give(&parent, name, rights, false)?;
            return Ok(false);
        }
        clear(&parent, PART.as_ref())?;
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = fcntl::openat(&parent, PART, flags, Mode::from_bits_truncate(0o600))?;
        let written = File::from(fd).write_all(content);
        if let Err(error) = written {
            clear(&parent, PART.as_ref())?;
            return Err(error);
        }
        replace(&parent, name)?;
        give(&parent, name, rights, false)?;
        Ok(true)
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// The kernel's.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(self.root.fd())?)
    }
}

fn is(parent: &OwnedFd, name: &OsStr, kind: SFlag) -> io::Result<bool> {
    let found = stat::fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) == kind)
}

fn clear(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match unistd::unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn replace(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    fcntl::renameat(parent, PART, parent, name).map_err(|errno| {
        let _ = clear(parent, PART.as_ref());
        errno.into()
    })
}

/// True for a file with exactly this content.
fn holds(parent: &OwnedFd, name: &OsStr, content: &[u8]) -> bool {
    let same = || -> io::Result<bool> {
        let found = stat::fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let size = u64::try_from(found.st_size).unwrap_or(0);
        if !is(parent, name, SFlag::S_IFREG)? || size != content.len() as u64 {
            return Ok(false);
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = File::from(fcntl::openat(parent, name, flags, Mode::empty())?);
        let mut held = Vec::with_capacity(content.len());
        file.take(size.saturating_add(1)).read_to_end(&mut held)?;
        Ok(held == content)
    };
    same().unwrap_or(false)
}

/// Owner first: a change of it takes the bits that give rights.
fn give(parent: &OwnedFd, name: &OsStr, rights: &Rights, is_link: bool) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(rights.uid), Gid::from_raw(rights.gid));
    let nofollow = AtFlags::AT_SYMLINK_NOFOLLOW;
    unistd::fchownat(parent, name, Some(uid), Some(gid), nofollow)?;
    if !is_link {
        let mode = Mode::from_bits_truncate(rights.mode);
        stat::fchmodat(parent, name, mode, FchmodatFlags::FollowSymlink)?;
    }
    let path: PathBuf = path_of(parent.as_fd()).join(name);
    for (key, value) in &rights.xattrs {
        rustix::fs::lsetxattr(&path, key.as_str(), value, XattrFlags::empty())?;
    }
    let time = TimeSpec::new(rights.mtime, 0);
    stat::utimensat(
        parent,
        name,
        &TimeSpec::UTIME_OMIT,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_second_run_writes_nothing_again_and_no_link_leads_out() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let folder = CopyFolder::open(&dir.path().join("new"), "top").unwrap();
        let rights = Rights {
            mode: 0o640,
            mtime: 1_000_000_000,
            ..Rights::of_lifeboot()
        };
        let file = Path::new("a");
        assert!(folder.file(file, b"one", &rights).unwrap());
        assert!(!folder.file(file, b"one", &rights).unwrap());
        assert!(folder.file(file, b"two", &rights).unwrap());
        let top = dir.path().join("new/top");
        let found = fs::metadata(top.join("a")).unwrap();
        assert_eq!(
            (found.mode() & 0o7777, found.mtime()),
            (0o640, 1_000_000_000)
        );
        assert_eq!(fs::metadata(&top).unwrap().mode() & 0o777, 0o700);
        folder.hard_link(file, Path::new("b")).unwrap();
        folder.hard_link(file, Path::new("b")).unwrap();
        assert_eq!(fs::metadata(top.join("b")).unwrap().nlink(), 2);
        symlink(outside.path(), top.join("d")).unwrap();
        assert!(folder.file(Path::new("d/x"), b"x", &rights).is_err());
        folder.directory(Path::new("d"), Some(&rights)).unwrap();
        folder.file(Path::new("d/x"), b"x", &rights).unwrap();
        assert!(fs::read_dir(outside.path()).unwrap().next().is_none());
        folder
            .symlink(Path::new("l"), Path::new("/nowhere"), &rights)
            .unwrap();
        folder.sync().unwrap();
    }
}
