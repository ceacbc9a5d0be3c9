//! Mounts: in a namespace of our own, without a journal replay when looking.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;
use sys_mount::{Mount, MountFlags};

use super::consent::WriteToken;
use super::retry;

/// "Invalid argument" (errno(3)): an option that the kernel does not know.
const EINVAL: i32 = nix::errno::Errno::EINVAL as i32;

/// Moves this process into a mount namespace of its own, so that no mount
/// outlives it, however it ends. Before any thread is started.
///
/// # Errors
/// The kernel's; not being root.
pub fn private_namespace() -> io::Result<()> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)?;
    nix::mount::mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    Ok(())
}

/// A mount of ours, taken away when dropped.
#[derive(Debug)]
pub struct Mounted {
    point: PathBuf,
    done: bool,
}

/// Mount options that keep the kernel from replaying a journal, by filesystem.
///
/// `ro` alone writes: ext4, xfs and btrfs replay their journals first.
pub fn look_options(filesystem: &str) -> Option<&'static str> {
    match filesystem {
        "ext2" | "vfat" | "exfat" | "squashfs" | "iso9660" => Some(""),
        "ext3" | "ext4" => Some("noload"),
        "xfs" => Some("norecovery,nouuid"),
        "btrfs" => Some("rescue=nologreplay"),
        _ => None,
    }
}

/// The layer of an overlay that takes the changes.
#[derive(Debug, Clone, Copy)]
pub struct Upper<'a> {
    /// The directory with what was changed.
    pub changes: &'a Path,
    /// A directory beside it, for overlayfs itself.
    pub work: &'a Path,
}

impl Mounted {
    /// Mounts `device` at `point` for looking: read-only, no journal replay,
    /// no program, device or set-user-id bit honoured. `more` are options of
    /// the filesystem, or nothing.
    ///
    /// # Errors
    /// The kernel's; `Unsupported` for a filesystem whose read-only mount may
    /// write.
    pub fn look(device: &Path, filesystem: &str, point: &Path, more: &str) -> io::Result<Self> {
        let options = look_options(filesystem).ok_or_else(|| {
            let what = format!("lifeboot does not know how to mount {filesystem} without a write");
            io::Error::new(io::ErrorKind::Unsupported, what)
        })?;
        let mounted = Self::read_only(device, filesystem, point, &joined(options, more));
        match mounted {
            // Its name before Linux 5.9.
            Err(error) if filesystem == "btrfs" && error.raw_os_error() == Some(EINVAL) => {
                Self::read_only(device, filesystem, point, &joined("nologreplay", more))
                    .map_err(|_| error)
            }
            mounted => mounted,
        }
    }

    /// The same with the journal replayed, which writes: `overlay` keeps what
    /// is written in memory.
    ///
    /// # Errors
    /// The kernel's.
    pub fn look_replayed(
        overlay: &Path,
        filesystem: &str,
        point: &Path,
        more: &str,
    ) -> io::Result<Self> {
        let options = if filesystem == "xfs" { "nouuid" } else { "" };
        Self::read_only(overlay, filesystem, point, &joined(options, more))
    }

    fn read_only(device: &Path, filesystem: &str, point: &Path, options: &str) -> io::Result<Self> {
        let flags = MountFlags::RDONLY
            | MountFlags::NOSUID
            | MountFlags::NODEV
            | MountFlags::NOEXEC
            | MountFlags::NOATIME;
        // ext2 and ext3 are both read by the ext4 driver.
        let driver = match filesystem {
            "ext2" | "ext3" => "ext4",
            other => other,
        };
        Self::mount(device, driver, point, flags, options)
    }

    /// Mounts `device` at `point` for a repair; the journal is replayed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn for_writing(
        device: &Path,
        filesystem: &str,
        point: &Path,
        more: &str,
        _consent: &WriteToken,
    ) -> io::Result<Self> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOATIME;
        Self::mount(device, filesystem, point, flags, more)
    }

    /// Mounts an overlay at `point`: `lowers`, the topmost first, under `upper`,
    /// which takes every change; without one it is for reading. Programs run in
    /// it, device nodes do not work (overlayfs, Documentation/filesystems).
    ///
    /// # Errors
    /// The kernel's; no overlayfs; a filesystem that it does not take, such as
    /// FAT.
    pub fn overlay(lowers: &[&Path], upper: Option<Upper<'_>>, point: &Path) -> io::Result<Self> {
        let lowers: Vec<String> = lowers
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut options = format!("lowerdir={}", lowers.join(":"));
        if let Some(Upper { changes, work }) = &upper {
            let (changes, work) = (changes.display(), work.display());
            options += &format!(",upperdir={changes},workdir={work}");
        }
        // Directories of the lower layers are moved by a note in the upper one:
        // what merges /usr refuses to work where that is not possible.
        let renames = if upper.is_some() { "on" } else { "follow" };
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOATIME;
        // Each file of the upper layer is to be whole and to stand for itself,
        // whatever this kernel does by default.
        let all = format!("{options},redirect_dir={renames},metacopy=off,index=off");
        let device = Path::new("overlay");
        match Self::mount(device, "overlay", point, flags, &all) {
            // Before Linux 4.19 not all of them were known, and none was on.
            Err(error) if error.raw_os_error() == Some(EINVAL) && upper.is_none() => {
                Self::mount(device, "overlay", point, flags, &options)
            }
            mounted => mounted,
        }
    }

    /// Mounts a directory in memory that may take `bytes`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn memory(point: &Path, bytes: u64) -> io::Result<Self> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOATIME;
        let options = format!("mode=0700,nr_inodes=0,size={bytes}");
        Self::mount(Path::new("tmpfs"), "tmpfs", point, flags, &options)
    }

    /// Shows what is mounted at `from` at `point`, too.
    ///
    /// # Errors
    /// The kernel's.
    pub fn again(from: &Path, point: &Path) -> io::Result<Self> {
        let mounted = Mount::builder().flags(MountFlags::BIND).mount(from, point);
        mounted.map(|_| Self {
            point: point.to_owned(),
            done: false,
        })
    }

    fn mount(
        device: &Path,
        filesystem: &str,
        point: &Path,
        flags: MountFlags,
        options: &str,
    ) -> io::Result<Self> {
        let mut builder = Mount::builder().fstype(filesystem).flags(flags);
        if !options.is_empty() {
            builder = builder.data(options);
        }
        builder.mount(device, point)?;
        Ok(Self {
            point: point.to_owned(),
            done: false,
        })
    }

    /// Where it is mounted.
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// Takes the mount away, waiting for the last reader.
    ///
    /// # Errors
    /// The kernel's; `ResourceBusy` when somebody keeps a file open in it.
    pub fn unmount(mut self) -> io::Result<()> {
        self.done = true;
        take_away(&self.point)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if !self.done {
            // Never lazily: written data has to reach the disk before the
            // array below is stopped. A failure leaves it to the namespace.
            let _ = take_away(&self.point);
        }
    }
}

fn joined(some: &str, more: &str) -> String {
    let all = [some, more];
    let all: Vec<_> = all.into_iter().filter(|o| !o.is_empty()).collect();
    all.join(",")
}

fn take_away(point: &Path) -> io::Result<()> {
    retry::while_busy(|| {
        nix::mount::umount2(point, MntFlags::UMOUNT_NOFOLLOW)
            .map_err(io::Error::from)
            .map_err(|e| io::Error::new(e.kind(), format!("unmounting {}: {e}", point.display())))
    })
}

/// The path by which an open directory can be named in a mount call, so that
/// no symbolic link on the way can be swapped in.
pub fn path_of(directory: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}
