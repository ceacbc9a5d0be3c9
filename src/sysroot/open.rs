//! Finding the root among the filesystems and mounting the whole tree.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::filesystems::{self, Backing, Filesystem};
use super::in_use::{self, InUse};
use super::{Candidate, MountedPart, Origin, Rejected, Search, Sysroot, SysrootInfo, candidates};
use crate::assembly::{self, Assembly, Handle, State};
use crate::kmod;
use crate::survey::Survey;
use crate::sys::consent::WriteToken;
use crate::sys::loopdev::{Access, LoopDevice};
use crate::sys::mount::Mounted;
use crate::sys::root_dir::RootDir;

/// Filesystems that can hold a root.
const ROOT_FORMATS: [&str; 5] = ["ext2", "ext3", "ext4", "xfs", "btrfs"];

/// Which root the operator wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--root-device`: a filesystem's name, UUID or label.
    pub device: Option<String>,
}

impl Choice {
    fn fits(&self, filesystem: &Filesystem) -> bool {
        let Some(wanted) = &self.device else {
            return true;
        };
        let wanted = wanted.strip_prefix("UUID=").unwrap_or(wanted);
        let array = match &filesystem.backing {
            Backing::Array { uuid, name, .. } => [uuid, name].contains(&&wanted.to_owned()),
            Backing::Plain { .. } => false,
        };
        array
            || filesystem.name == wanted
            || filesystem.name.strip_prefix("array ") == Some(wanted)
            || filesystem.signature.uuid.as_deref() == Some(wanted)
            || filesystem.signature.label.as_deref() == Some(wanted)
    }
}

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
    loops: Vec<LoopDevice>,
    arrays: Vec<Handle>,
    scratch: PathBuf,
    next: usize,
}

impl Opener {
    /// Makes the directory in which everything is mounted. The process must
    /// already be in a mount namespace of its own.
    ///
    /// # Errors
    /// No directory can be made.
    pub fn new() -> Result<Self> {
        let pid = std::process::id();
        let places = [
            format!("/run/lifeboot/mnt-{pid}"),
            format!("/tmp/lifeboot-mnt-{pid}"),
        ];
        for place in &places {
            if fs::create_dir_all(place).is_ok() {
                return Ok(Self {
                    sysroot: None,
                    mounts: MountStack::default(),
                    loops: Vec::new(),
                    arrays: Vec::new(),
                    scratch: PathBuf::from(place),
                    next: 0,
                });
            }
        }
        bail!("neither {} nor {} can be made", places[0], places[1]);
    }

    /// The open tree, once there is one.
    pub fn sysroot(&self) -> Option<&Sysroot> {
        self.sysroot.as_ref()
    }

    /// Opens every array that is not open yet for looking.
    pub fn assemble(&mut self, assembly: &mut Assembly) {
        for array in assembly.arrays.iter_mut().filter(|a| a.opened.is_none()) {
            match assembly::open_for_looking(array) {
                Ok((handle, opened)) => {
                    self.arrays.push(handle);
                    array.opened = Some(opened);
                }
                Err(error) if array.state != State::Diverged => {
                    let why = format!("{error:#}");
                    array.state = State::Unusable { why };
                }
                Err(_) => {}
            }
        }
    }

    /// Opens the array with this UUID for writing.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn assemble_for_writing(
        &mut self,
        assembly: &mut Assembly,
        uuid: &str,
        consent: &WriteToken,
    ) -> Result<()> {
        for array in assembly.arrays.iter_mut().filter(|a| a.uuid == uuid) {
            let (handle, opened) = assembly::open_for_writing(array, consent)?;
            self.arrays.push(handle);
            array.opened = Some(opened);
        }
        Ok(())
    }

    /// Finds the root among all filesystems and mounts its tree.
    ///
    /// # Errors
    /// Only what makes further work senseless; a filesystem that cannot be
    /// looked at is part of the answer.
    pub fn search(
        &mut self,
        survey: &Survey,
        assembly: &Assembly,
        choice: &Choice,
        purpose: Purpose<'_>,
    ) -> Result<Search> {
        let all = filesystems::list(survey, assembly);
        let in_use = in_use::mounts();
        let mut looked_at = rejected_containers(&all);
        let mut roots: Vec<(Filesystem, Sysroot, Candidate)> = Vec::new();
        if let Some(wanted) = &choice.device
            && !all.iter().any(|filesystem| choice.fits(filesystem))
        {
            let names: Vec<_> = all.iter().map(|f| f.name.as_str()).collect();
            bail!(
                "there is no {wanted:?} here; there is: {}",
                names.join(", ")
            );
        }
        let rootable = all
            .iter()
            .filter(|f| ROOT_FORMATS.contains(&f.signature.format.as_str()) && choice.fits(f));
        for filesystem in rootable {
            match self.try_root(filesystem, &in_use, purpose) {
                Ok(Ok((sysroot, candidate))) => {
                    roots.push((filesystem.clone(), sysroot, candidate));
                }
                Ok(Err(why)) => looked_at.push(Rejected {
                    name: filesystem.name.clone(),
                    why,
                    unknown: false,
                }),
                Err(error) => looked_at.push(Rejected {
                    name: filesystem.name.clone(),
                    why: format!("{error:#}"),
                    unknown: true,
                }),
            }
        }
        if roots.len() > 1 {
            let candidates = roots.into_iter().map(|(_, _, c)| c).collect();
            return Ok(Search::Several { candidates });
        }
        let Some((filesystem, mut sysroot, _)) = roots.pop() else {
            return Ok(Search::None { looked_at });
        };
        looked_at.retain(|rejected| rejected.unknown);
        sysroot.info.unopened = looked_at;
        if sysroot.info.origin == Origin::Disks {
            self.mount_parts(&mut sysroot, &filesystem, &all, purpose);
        }
        let info = sysroot.info.clone();
        self.sysroot = Some(sysroot);
        Ok(Search::Found(info))
    }

    /// Looks at one filesystem: a root, or why it is none.
    fn try_root(
        &mut self,
        filesystem: &Filesystem,
        in_use: &[InUse],
        purpose: Purpose<'_>,
    ) -> Result<Result<(Sysroot, Candidate), String>> {
        let used = in_use.iter().find(|m| {
            filesystem.members.iter().any(|d| m.devices.contains(d))
                || filesystem.sources.iter().any(|source| m.shows(source))
        });
        if let (Some(used), Purpose::Write(..)) = (used, purpose) {
            bail!(
                "it is already mounted at {}; unmount it, or repair that tree \
                 with --root {}",
                used.point.display(),
                used.point.display()
            );
        }
        let (path, origin) = match used {
            Some(used) => (used.point.clone(), Origin::AlreadyMounted),
            None => {
                let point = self.scratch.join(self.next.to_string());
                self.next += 1;
                fs::create_dir_all(&point)?;
                let consent = purpose.consent_for(Path::new("/"));
                self.mount(filesystem, &point, consent)
                    .with_context(|| format!("mounting {}", filesystem.name))?;
                (point, Origin::Disks)
            }
        };
        let root = RootDir::open(&path)?;
        let signs = candidates::signs(&root);
        if signs.is_empty() {
            if filesystem.signature.format == "btrfs" {
                bail!("no system at its top; roots in subvolumes are not opened by this version");
            }
            // What is only in a journal is not seen; xfs does not say whether
            // there is anything in it.
            if filesystem.signature.dirty || filesystem.signature.format == "xfs" {
                bail!("no system is seen in it as long as its journal is not replayed");
            }
            return Ok(Err("holds no system".into()));
        }
        let candidate = Candidate {
            name: filesystem.name.clone(),
            uuid: filesystem.signature.uuid.clone(),
            system: candidates::system_name(&root),
            signs,
        };
        let info = SysrootInfo {
            origin,
            path,
            parts: vec![part(Path::new("/"), filesystem)],
            missing: Vec::new(),
            disks: filesystem.disks.clone(),
            mounted_for_writing: used.is_some_and(|used| used.writable),
            unopened: Vec::new(),
        };
        Ok(Ok((Sysroot { root, info }, candidate)))
    }

    pub(super) fn mount(
        &mut self,
        filesystem: &Filesystem,
        point: &Path,
        consent: Option<&WriteToken>,
    ) -> Result<()> {
        let format = filesystem.signature.format.as_str();
        // A driver that is missing shows up as a refused mount.
        let _ = kmod::ensure(&[format]);
        let device = self.device_of(filesystem, consent)?;
        let mounted = match consent {
            Some(consent) => Mounted::for_writing(&device, format, point, consent)?,
            None => Mounted::look(&device, format, point)?,
        };
        self.mounts.0.push(mounted);
        Ok(())
    }

    fn device_of(
        &mut self,
        filesystem: &Filesystem,
        consent: Option<&WriteToken>,
    ) -> Result<PathBuf> {
        let (source, sector) = match &filesystem.backing {
            Backing::Array { device, .. } => {
                return device.clone().context("its array is not open");
            }
            Backing::Plain {
                source,
                sector_bytes,
            } => (source, *sector_bytes),
        };
        let is_node = source.offset == 0 && source.path.starts_with("/dev");
        let access = match consent {
            Some(_) if is_node => return Ok(source.path.clone()),
            Some(_) => Access::ReadWrite,
            None => Access::ReadOnly,
        };
        match source.attach(sector, access) {
            Ok(device) => {
                let path = device.path().to_owned();
                self.loops.push(device);
                Ok(path)
            }
            // Without a loop driver the mount options alone must do.
            Err(_) if is_node && !Path::new("/dev/loop-control").exists() => {
                Ok(source.path.clone())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Closes everything and says what did not close.
    ///
    /// # Errors
    /// A mount or an array that the kernel does not let go.
    pub fn close(mut self) -> Result<()> {
        self.sysroot = None;
        self.mounts.take_down()?;
        self.loops.clear();
        for handle in self.arrays.drain(..) {
            handle.close()?;
        }
        Ok(())
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

pub(super) fn part(target: &Path, filesystem: &Filesystem) -> MountedPart {
    MountedPart {
        target: target.to_owned(),
        device: filesystem.name.clone(),
        fstype: filesystem.signature.format.clone(),
        array: match &filesystem.backing {
            Backing::Array { uuid, .. } => Some(uuid.clone()),
            Backing::Plain { .. } => None,
        },
    }
}

/// Containers that may hold a root and are not opened by this version.
fn rejected_containers(all: &[Filesystem]) -> Vec<Rejected> {
    all.iter()
        .filter(|f| ["luks", "lvm2"].contains(&f.signature.format.as_str()))
        .map(|f| Rejected {
            name: f.name.clone(),
            why: format!("{} is not opened by this version", f.signature.format),
            unknown: true,
        })
        .collect()
}
