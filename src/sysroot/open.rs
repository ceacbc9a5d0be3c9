//! The opener: what is open and mounted, and how it is closed again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

use super::filesystems::Filesystem;
use super::view::{self, View};
use super::{Journal, MountedPart, Sysroot};
use crate::assembly::{self, Assembly, Keys, Stack};
use crate::survey::Survey;
use crate::sys::consent::WriteToken;
use crate::sys::mount::Mounted;
use crate::sys::root_dir::RootDir;

/// Counts the openers of this process.
static OPENED: AtomicU32 = AtomicU32::new(0);

/// What may be written.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// Nothing.
    Look,
    /// The parts at these places, after consent.
    Write(&'a WriteToken, &'a [PathBuf]),
}

impl Purpose<'_> {
    pub(super) fn consent_for(&self, target: &Path) -> Option<&WriteToken> {
        match self {
            Self::Look => None,
            Self::Write(token, targets) => targets.iter().any(|t| t == target).then_some(*token),
        }
    }
}

/// Mounts that go away in reverse order.
#[derive(Debug, Default)]
struct MountStack(Vec<Mounted>);

impl MountStack {
    fn take_down(&mut self) -> Result<()> {
        while let Some(mounted) = self.0.pop() {
            mounted.unmount()?;
        }
        Ok(())
    }
}

impl Drop for MountStack {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

/// Opens arrays and filesystems and keeps them open. Dropping it, or an error
/// on the way, closes everything that was opened.
#[derive(Debug)]
pub struct Opener {
    // Dropped in this order: readers, mounts, what they stand on.
    sysroot: Option<Sysroot>,
    mounts: MountStack,
    views: BTreeMap<String, View>,
    stack: Stack,
    scratch: PathBuf,
    next: usize,
}

impl Opener {
    /// Opens what stands on the disks, and makes the directory in which
    /// everything is mounted. The process must already be in a mount namespace
    /// of its own.
    ///
    /// # Errors
    /// No directory can be made.
    pub fn new(
        survey: &Survey,
        options: assembly::Options<'_>,
        keys: &mut dyn Keys,
    ) -> Result<Self> {
        // A stick with packages is open beside the patient.
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let name = format!("mnt-{}-{number}", std::process::id());
        let places = [
            format!("/run/lifeboot/{name}"),
            format!("/tmp/lifeboot-{name}"),
        ];
        let Some(place) = places
            .iter()
            .find(|place| fs::create_dir_all(place).is_ok())
        else {
            bail!("neither {} nor {} can be made", places[0], places[1]);
        };
        Ok(Self {
            sysroot: None,
            mounts: MountStack::default(),
            views: BTreeMap::new(),
            stack: Stack::open(survey, options, keys),
            scratch: PathBuf::from(place),
            next: 0,
        })
    }

    /// The open tree, once there is one.
    pub fn sysroot(&self) -> Option<&Sysroot> {
        self.sysroot.as_ref()
    }

    /// Every array and volume.
    pub fn assembly(&self) -> &Assembly {
        self.stack.assembly()
    }

    /// Like [`Stack::rejoin`].
    ///
    /// # Errors
    /// The same.
    pub fn rejoin(&mut self, uuid: &str, leg: &str, consent: &WriteToken) -> Result<(String, u32)> {
        self.stack.rejoin(uuid, leg, consent)
    }

    /// Mounts one filesystem for looking, wherever it belongs.
    ///
    /// # Errors
    /// The kernel's; a filesystem that cannot be mounted without a write.
    pub fn look_at(&mut self, filesystem: &Filesystem) -> Result<RootDir> {
        let point = self.new_point()?;
        self.mount(filesystem, None, &point, None)
            .with_context(|| format!("mounting {}", filesystem.name))?;
        Ok(RootDir::open(point)?)
    }

    /// Mounts a filesystem, or a subvolume of it, at `point`; what became of
    /// its journal.
    pub(super) fn mount(
        &mut self,
        filesystem: &Filesystem,
        subvolume: Option<&str>,
        point: &Path,
        consent: Option<&WriteToken>,
    ) -> Result<Journal> {
        if let Some(view) = self.views.get(&filesystem.name) {
            let mounted = view::again(view, filesystem, subvolume, point, consent)?;
            self.mounts.0.push(mounted);
            return Ok(view.journal.clone());
        }
        let (view, mounted) = view::open(filesystem, subvolume, point, consent)?;
        self.mounts.0.push(mounted);
        let journal = view.journal.clone();
        self.views.insert(filesystem.name.clone(), view);
        Ok(journal)
    }

    /// A new directory to mount something at.
    pub(super) fn new_point(&mut self) -> Result<PathBuf> {
        let point = self.scratch.join(self.next.to_string());
        self.next += 1;
        fs::create_dir_all(&point)?;
        Ok(point)
    }

    pub(super) fn set_sysroot(&mut self, sysroot: Sysroot) {
        self.sysroot = Some(sysroot);
    }

    /// Closes everything and says what did not close.
    ///
    /// # Errors
    /// A mount or an array that the kernel does not let go.
    pub fn close(mut self) -> Result<()> {
        self.sysroot = None;
        self.mounts.take_down()?;
        for (_, view) in std::mem::take(&mut self.views) {
            view.close()?;
        }
        std::mem::take(&mut self.stack).close()
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.sysroot = None;
        while self.mounts.0.pop().is_some() {}
        // Only empty directories go: a mount that stayed keeps its own.
        for number in 0..self.next {
            let _ = fs::remove_dir(self.scratch.join(number.to_string()));
        }
        let _ = fs::remove_dir(&self.scratch);
    }
}

pub(super) fn part(
    target: &Path,
    filesystem: &Filesystem,
    subvolume: Option<&str>,
    journal: Journal,
) -> MountedPart {
    MountedPart {
        target: target.to_owned(),
        device: filesystem.name.clone(),
        subvolume: subvolume.map(str::to_owned),
        fstype: filesystem.signature.format.clone(),
        array: filesystem.array.as_ref().map(|array| array.uuid.clone()),
        below: filesystem.below.clone(),
        journal,
    }
}
