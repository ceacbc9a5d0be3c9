//! Mounts that are gone when their guard is dropped, whatever happens.
//!
//! A lab program also lives in a mount namespace of its own ([`isolate`]), so
//! even a SIGKILL leaves no mount and no loop device on the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::run;

/// Puts this process, and all it starts from now on, into a mount namespace
/// of its own. Call it first of all, while there is one thread.
pub fn isolate() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)
        .context("making a mount namespace (the lab must run as root)")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("making the mounts of this namespace private")
}

/// One mount; dropping it unmounts.
#[derive(Debug)]
pub struct Mounted {
    path: PathBuf,
}

impl Mounted {
    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unmounts now and tells whether that worked.
    pub fn unmount(self) -> Result<()> {
        let path = self.path.clone();
        std::mem::forget(self);
        umount2(&path, MntFlags::empty()).with_context(|| format!("unmounting {}", path.display()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Detached when busy: an error on the way may have left a process in it.
        if umount2(&self.path, MntFlags::empty()).is_err() {
            let _ = umount2(&self.path, MntFlags::MNT_DETACH);
        }
    }
}

/// Mounts with the host's `mount`; a loop device it makes ends with the mount.
pub fn with_mount_program(arguments: &[&str], source: &Path, path: &Path) -> Result<Mounted> {
    fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))?;
    run::output(
        "mounting",
        Command::new("mount").args(arguments).arg(source).arg(path),
    )?;
    Ok(Mounted {
        path: path.to_owned(),
    })
}

/// A writable view of a tree: the changes stay in memory.
#[derive(Debug)]
pub struct Overlay {
    merged: Mounted,
    _memory: Mounted,
}

impl Overlay {
    /// Lays an empty layer over `lower`, in the folder `at`.
    pub fn over(lower: &Path, at: &Path) -> Result<Self> {
        let memory = with_mount_program(&["-t", "tmpfs"], Path::new("lab"), &at.join("memory"))?;
        let (upper, work) = (memory.path().join("upper"), memory.path().join("work"));
        for dir in [&upper, &work] {
            fs::create_dir(dir).with_context(|| format!("creating {}", dir.display()))?;
        }
        // redirect_dir: a folder of the lower tree can be renamed, as on a disk.
        let options = format!(
            "lowerdir={},upperdir={},workdir={},redirect_dir=on",
            lower.display(),
            upper.display(),
            work.display()
        );
        let merged = with_mount_program(
            &["-t", "overlay", "-o", &options],
            Path::new("lab"),
            &at.join("root"),
        )?;
        Ok(Self {
            merged,
            _memory: memory,
        })
    }

    /// The root of the writable view.
    pub fn path(&self) -> &Path {
        self.merged.path()
    }
}
