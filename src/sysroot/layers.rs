//! The tree once more, with layers over it that take every change: where a
//! repair is rehearsed while the patient stays as it is.
//!
//! There are two layers. The lower one takes what a plan does to files by
//! itself; it is done again on the patient later, by the same calls. The upper
//! one takes what programs of the patient do; it is what they changed, exactly.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use procfs::process::Process;

use super::{Sysroot, SysrootInfo};
use crate::journal::{Changes, Stock};
use crate::kmod;
use crate::sys::exact;
use crate::sys::memory_overlay::free_memory;
use crate::sys::mount::{Mounted, Upper, path_of};
use crate::sys::root_dir::RootDir;

/// The share of the free memory that the layers may fill, in percent.
const MEMORY_PERCENT: u64 = 60;

/// With less a scratch counts as full.
const LEAST_FREE: u64 = 1 << 20;

/// Filesystems of the kernel's own, which somebody may have mounted in the tree
/// for a chroot: programs get others, and nothing of the patient is in them.
const OF_THE_KERNEL: [&str; 16] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "mqueue",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
    "tmpfs",
];

/// Scratches made by this process.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// Where the layers lie.
#[derive(Debug)]
pub struct Scratch {
    // Dropped in this order.
    memory: Option<Mounted>,
    path: PathBuf,
    bytes: u64,
}

impl Scratch {
    /// A place in memory, or below `elsewhere`. The process must be in a mount
    /// namespace of its own.
    ///
    /// # Errors
    /// The kernel's; no directory can be made.
    pub fn new(elsewhere: Option<&Path>) -> Result<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("lifeboot-scratch-{}-{number}", std::process::id());
        if let Some(place) = elsewhere {
            let path = place.join(name);
            fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
            let bytes = RootDir::open(&path)?.room("/")?.bytes_free;
            return Ok(Self {
                memory: None,
                path,
                bytes,
            });
        }
        let places = ["/run/lifeboot", "/tmp"].map(|place| Path::new(place).join(&name));
        let Some(path) = places.into_iter().find(|p| fs::create_dir_all(p).is_ok()) else {
            bail!("no directory for the scratch can be made in /run/lifeboot or /tmp");
        };
        let bytes = free_memory() / 100 * MEMORY_PERCENT;
        let memory = Mounted::memory(&path, bytes).context("a scratch in memory")?;
        Ok(Self {
            memory: Some(memory),
            path,
            bytes,
        })
    }

    /// Bytes that it can take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True when nothing more goes into it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn is_full(&self) -> Result<bool> {
        Ok(RootDir::open(&self.path)?.room("/")?.bytes_free < LEAST_FREE)
    }

    fn make(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match self.memory.take() {
            Some(memory) => drop(memory.unmount()),
            // Only what was made here: the directory did not exist before.
            None => drop(fs::remove_dir_all(&self.path)),
        }
        let _ = fs::remove_dir(&self.path);
    }
}

/// A filesystem of the tree.
#[derive(Debug)]
struct Part {
    /// Where in the tree: `/`, `/boot`, ...
    target: PathBuf,
    /// What lies there, without other filesystems mounted in it.
    below: RootDir,
    /// True where overlayfs refuses to work: it is shown, for reading.
    is_fixed: bool,
}

/// The tree with its layers.
#[derive(Debug)]
pub struct Layers<'s> {
    // Dropped in this order: what reads, then the mounts, the last one first.
    tree: Sysroot,
    before: Option<RootDir>,
    mounts: Mounts,
    parts: Vec<Part>,
    scratch: &'s Scratch,
}

#[derive(Debug, Default)]
struct Mounts(Vec<Mounted>);

impl Mounts {
    fn take_down(&mut self) -> Result<()> {
        while let Some(mounted) = self.0.pop() {
            mounted.unmount()?;
        }
        Ok(())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.take_down();
    }
}

impl<'s> Layers<'s> {
    /// Lays the first layer over `sysroot`.
    ///
    /// # Errors
    /// No overlayfs (Linux before 4.10, or built without it), or it refuses
    /// the patient's filesystem.
    pub fn over(sysroot: &Sysroot, scratch: &'s Scratch) -> Result<Self> {
        // What is built in need not show: a refusal is told where it matters.
        let _ = kmod::ensure(&["overlay"]);
        let parts = parts(&sysroot.root)?;
        let mut mounts = Mounts::default();
        let point = scratch.make("first")?;
        for (index, part) in parts.iter().enumerate() {
            let upper = Some(upper(scratch, "first", index)?);
            mounts.0.push(lay(part, &[], upper.as_ref(), &point)?);
        }
        Ok(Self {
            tree: tree(&point, &sysroot.info)?,
            before: None,
            mounts,
            parts,
            scratch,
        })
    }

    /// The tree with every change so far.
    pub fn tree(&self) -> &Sysroot {
        &self.tree
    }

    /// Lays the second layer over the first one, which changes no more.
    ///
    /// # Errors
    /// The kernel's.
    pub fn seal(mut self) -> Result<Self> {
        let info = self.tree.info.clone();
        let (first, second) = (self.scratch.make("before")?, self.scratch.make("second")?);
        // The old tree is read no more.
        self.tree = tree(&first, &info)?;
        self.mounts.take_down()?;
        for (index, part) in self.parts.iter().enumerate() {
            let below = self.scratch.path.join(format!("first-{index}"));
            let below = [below.as_path()];
            let upper = upper(self.scratch, "second", index)?;
            self.mounts.0.push(lay(part, &below, None, &first)?);
            self.mounts
                .0
                .push(lay(part, &below, Some(&upper), &second)?);
        }
        self.before = Some(RootDir::open(&first)?);
        self.tree = tree(&second, &info)?;
        Ok(self)
    }

    /// The tree without what the second layer holds.
    pub fn before(&self) -> Option<&RootDir> {
        self.before.as_ref()
    }

    /// What the second layer holds, filesystem by filesystem.
    ///
    /// # Errors
    /// The scratch cannot be read.
    pub fn changes(&self) -> Result<Stock> {
        let mut all = Vec::new();
        let moving = self.parts.iter().enumerate().filter(|(_, p)| !p.is_fixed);
        for (index, part) in moving.filter(|_| self.before.is_some()) {
            let upper = self.scratch.path.join(format!("second-{index}"));
            all.push(Changes {
                target: part.target.clone(),
                upper: RootDir::open(upper)?,
            });
        }
        Ok(Stock(all))
    }

    /// Takes the layers away; what the second one holds stays in the scratch.
    ///
    /// # Errors
    /// The kernel's; a program that still runs in the tree.
    pub fn close(mut self) -> Result<()> {
        self.before = None;
        // The tree holds its mount open.
        self.tree.root = RootDir::open(&self.scratch.path)?;
        self.mounts.take_down()
    }
}

/// The directories of one layer for one filesystem.
struct Room {
    changes: PathBuf,
    work: PathBuf,
}

fn upper(scratch: &Scratch, layer: &str, index: usize) -> Result<Room> {
    Ok(Room {
        changes: scratch.make(&format!("{layer}-{index}"))?,
        work: scratch.make(&format!("{layer}-{index}-work"))?,
    })
}

/// Mounts one filesystem of the tree with its layers in the tree at `point`.
fn lay(part: &Part, between: &[&Path], upper: Option<&Room>, point: &Path) -> Result<Mounted> {
    // No link leads out of the tree on the way there.
    exact::open_dir(&RootDir::open(point)?, &part.target)
        .with_context(|| format!("{} of the tree", part.target.display()))?;
    let at = point.join(part.target.strip_prefix("/")?);
    let bottom = path_of(part.below.fd());
    if part.is_fixed {
        return Mounted::again(&bottom, &at)
            .with_context(|| format!("showing {}", part.target.display()));
    }
    let mut lowers = between.to_vec();
    lowers.push(&bottom);
    let upper = upper.map(|room| Upper {
        changes: &room.changes,
        work: &room.work,
    });
    if let Some(upper) = &upper {
        // The top of the tree has the attributes that its layer has.
        let top = part.below.metadata("/")?;
        chown(upper.changes, Some(top.uid), Some(top.gid))?;
        fs::set_permissions(upper.changes, fs::Permissions::from_mode(top.mode))?;
    }
    Mounted::overlay(&lowers, upper, &at)
        .with_context(|| format!("an overlay over {} of the patient", part.target.display()))
}

fn tree(point: &Path, info: &SysrootInfo) -> Result<Sysroot> {
    Ok(Sysroot {
        root: RootDir::open(point)?,
        info: SysrootInfo {
            path: point.to_owned(),
            ..info.clone()
        },
    })
}

/// The filesystems that are mounted in the tree, the outer ones first.
fn parts(root: &RootDir) -> Result<Vec<Part>> {
    let own = format!("/proc/self/fd/{}", root.fd().as_raw_fd());
    let top = fs::read_link(own).context("the path of the tree")?;
    let mounts = Process::myself()
        .and_then(|process| process.mountinfo())
        .context("reading /proc/self/mountinfo")?;
    let mut found = vec![(PathBuf::from("/"), top.clone(), false)];
    for mount in mounts {
        let inside = mount.mount_point.strip_prefix(&top);
        let Ok(inside) = inside.map(Path::to_owned) else {
            continue;
        };
        let kind = mount.fs_type.as_str();
        let below = !inside.as_os_str().is_empty();
        if below && !OF_THE_KERNEL.contains(&kind) {
            let is_fixed = matches!(kind, "vfat" | "msdos");
            found.push((Path::new("/").join(inside), mount.mount_point, is_fixed));
        }
    }
    found.sort();
    found.dedup_by(|one, other| one.0 == other.0);
    let opened = found.into_iter().map(|(target, path, is_fixed)| {
        let below = RootDir::open(&path).with_context(|| format!("opening {}", path.display()))?;
        Ok(Part {
            target,
            below,
            is_fixed,
        })
    });
    opened.collect()
}
