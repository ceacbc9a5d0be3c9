//! Finding the root among the filesystems and mounting the whole tree.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::filesystems::{self, Filesystem, Match};
use super::in_use::{self, InUse};
use super::open::{Opener, Purpose, part};
use super::{
    Candidate, Journal, Origin, Rejected, SUBVOLUME, Search, Sysroot, SysrootInfo, candidates,
    place_name,
};
use crate::sys::root_dir::{Kind, RootDir};

/// Filesystems that can hold a root.
pub(super) const ROOT_FORMATS: [&str; 5] = ["ext2", "ext3", "ext4", "xfs", "btrfs"];

/// The top of a subvolume has this inode number
/// (`BTRFS_FIRST_FREE_OBJECTID`).
const SUBVOLUME_TOP: u64 = 256;

/// Subvolumes at the top of one filesystem that are looked at.
const MOST_SUBVOLUMES: usize = 64;

/// Which root the operator wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--root-device`: a filesystem's name, UUID or label; for a subvolume of
    /// btrfs as the list of roots names it: `NAME subvolume @`.
    pub device: Option<String>,
}

impl Choice {
    /// The filesystem and the subvolume that are wanted.
    fn parts(&self) -> Option<(&str, Option<&str>)> {
        let wanted = self.device.as_deref()?;
        Some(match wanted.split_once(SUBVOLUME) {
            Some((device, subvolume)) => (device, Some(subvolume)),
            None => (wanted, None),
        })
    }

    fn subvolume(&self) -> Option<&str> {
        self.parts()?.1
    }

    fn fits(&self, filesystem: &Filesystem) -> bool {
        let Some((wanted, _)) = self.parts() else {
            return true;
        };
        let spec = wanted;
        let wanted = wanted.strip_prefix("UUID=").unwrap_or(wanted);
        let array = filesystem.array.as_ref();
        let names = || {
            let others = filesystem.volumes().map(|volume| volume.name.as_str());
            others.chain(filesystem.aliases.iter().map(String::as_str))
        };
        array.is_some_and(|array| array.uuid == wanted || array.name == wanted)
            || names().any(|name| name == wanted || name.strip_prefix("/dev/") == Some(wanted))
            || filesystem.name.strip_prefix("array ") == Some(wanted)
            || filesystem.signature.uuid.as_deref() == Some(wanted)
            || filesystem.signature.label.as_deref() == Some(wanted)
            || matches!(
                filesystems::find(std::slice::from_ref(filesystem), spec),
                Match::One(_)
            )
    }
}

/// A root that was found.
struct Root {
    filesystem: Filesystem,
    sysroot: Sysroot,
    candidate: Candidate,
}

impl Opener {
    /// Finds the root among all filesystems and mounts its tree.
    ///
    /// # Errors
    /// Only what makes further work senseless; a filesystem that cannot be
    /// looked at is part of the answer.
    pub fn search(&mut self, choice: &Choice, purpose: Purpose<'_>) -> Result<Search> {
        let all = filesystems::list(self.assembly());
        let in_use = in_use::mounts();
        let mut looked_at = self.closed_volumes();
        let mut roots: Vec<Root> = Vec::new();
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
            let rejected = |why, unknown| Rejected {
                name: filesystem.name.clone(),
                why,
                unknown,
            };
            match self.roots_of(filesystem, choice, &in_use, purpose) {
                Ok(Ok(found)) => roots.extend(found),
                Ok(Err(why)) => looked_at.push(rejected(why, false)),
                Err(error) => looked_at.push(rejected(format!("{error:#}"), true)),
            }
        }
        if roots.len() > 1 {
            let mut candidates: Vec<_> = roots.into_iter().map(|root| root.candidate).collect();
            candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.last_used));
            return Ok(Search::Several { candidates });
        }
        let Some(root) = roots.pop() else {
            return Ok(Search::None { looked_at });
        };
        let mut sysroot = root.sysroot;
        sysroot.info.candidate = Some(Box::new(root.candidate));
        looked_at.retain(|rejected| rejected.unknown);
        sysroot.info.unopened = looked_at;
        if sysroot.info.origin == Origin::Disks {
            self.mount_parts(&mut sysroot, &root.filesystem, &all, purpose);
        }
        let info = sysroot.info.clone();
        self.set_sysroot(sysroot);
        Ok(Search::Found(info))
    }

    /// Volumes that may hold a root and stay closed.
    fn closed_volumes(&self) -> Vec<Rejected> {
        let unopened = self.assembly().unopened.iter();
        unopened
            .map(|volume| Rejected {
                name: volume.name.clone(),
                why: volume.why.clone(),
                unknown: true,
            })
            .collect()
    }

    /// The roots in one filesystem, or why there is none.
    fn roots_of(
        &mut self,
        filesystem: &Filesystem,
        choice: &Choice,
        in_use: &[InUse],
        purpose: Purpose<'_>,
    ) -> Result<Result<Vec<Root>, String>> {
        if let Some(used) = in_use.iter().find(|m| m.is(filesystem)) {
            return used_root(filesystem, used, purpose);
        }
        if filesystem.signature.format == "btrfs" && choice.subvolume().is_some() {
            let root = self.try_root(filesystem, choice.subvolume(), purpose)?;
            return Ok(root.map(|root| vec![root]));
        }
        let first = self.try_root(filesystem, None, purpose)?;
        let none = match first {
            Ok(root) => return Ok(Ok(vec![root])),
            Err(none) => none,
        };
        if filesystem.signature.format != "btrfs" {
            return Ok(Err(none));
        }
        let mut roots = Vec::new();
        for name in self.subvolumes(filesystem, purpose)? {
            // One that cannot be mounted says nothing about the others.
            if let Ok(Ok(root)) = self.try_root(filesystem, Some(&name), purpose) {
                roots.push(root);
            }
        }
        if roots.is_empty() {
            return Ok(Err(none));
        }
        Ok(Ok(roots))
    }

    /// The subvolumes at the top of a btrfs.
    fn subvolumes(&mut self, filesystem: &Filesystem, purpose: Purpose<'_>) -> Result<Vec<String>> {
        let point = self.new_point()?;
        let consent = purpose.consent_for(Path::new("/"));
        self.mount(filesystem, Some(""), &point, consent)?;
        let top = RootDir::open(&point)?;
        let names = top.read_dir("/")?.into_iter().filter_map(|entry| {
            let name = entry.name.into_string().ok()?;
            let meta = top.symlink_metadata(&name).ok()?;
            (meta.kind == Kind::Directory && meta.ino == SUBVOLUME_TOP).then_some(name)
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names.truncate(MOST_SUBVOLUMES);
        Ok(names)
    }

    /// Looks at one place: a root, or why it is none.
    fn try_root(
        &mut self,
        filesystem: &Filesystem,
        subvolume: Option<&str>,
        purpose: Purpose<'_>,
    ) -> Result<Result<Root, String>> {
        let point = self.new_point()?;
        let consent = purpose.consent_for(Path::new("/"));
        let journal = self
            .mount(filesystem, subvolume, &point, consent)
            .with_context(|| format!("mounting {}", filesystem.name))?;
        let root = RootDir::open(&point)?;
        let (signs, not_replayed) = match &journal {
            Journal::NotReplayed { why } => (candidates::signs(&root), Some(why.clone())),
            _ => (candidates::signs(&root), None),
        };
        if signs.is_empty() {
            // What is only in a journal is not seen.
            if let Some(why) = not_replayed {
                bail!("no system is seen in it as long as its journal is not replayed: {why}");
            }
            return Ok(Err("holds no system".into()));
        }
        let part = part(Path::new("/"), filesystem, subvolume, journal);
        let info = SysrootInfo {
            candidate: None,
            origin: Origin::Disks,
            path: point,
            parts: vec![part],
            missing: Vec::new(),
            disks: disks(filesystem),
            mounted_for_writing: false,
            unopened: Vec::new(),
        };
        Ok(Ok(Root {
            filesystem: filesystem.clone(),
            candidate: candidate(filesystem, subvolume, &root, signs),
            sysroot: Sysroot { root, info },
        }))
    }
}

fn candidate(
    filesystem: &Filesystem,
    subvolume: Option<&str>,
    root: &RootDir,
    signs: Vec<String>,
) -> Candidate {
    Candidate {
        name: place_name(&filesystem.name, subvolume),
        uuid: filesystem.signature.uuid.clone(),
        system: candidates::system_name(root),
        signs,
        installed: candidates::installed(root),
        last_used: candidates::last_used(root),
        below: filesystem.below.clone(),
    }
}

fn disks(filesystem: &Filesystem) -> Vec<String> {
    let mut disks: Vec<String> = filesystem
        .volumes()
        .flat_map(|volume| volume.disks.clone())
        .collect();
    disks.sort();
    disks.dedup();
    disks
}

/// A filesystem that somebody else mounted: it is looked at where it is.
fn used_root(
    filesystem: &Filesystem,
    used: &InUse,
    purpose: Purpose<'_>,
) -> Result<Result<Vec<Root>, String>> {
    if let Purpose::Write(..) = purpose {
        bail!(
            "it is already mounted at {}; unmount it, or repair that tree \
             with --root {}",
            used.point.display(),
            used.point.display()
        );
    }
    let root = RootDir::open(&used.point)?;
    let signs = candidates::signs(&root);
    if signs.is_empty() {
        return Ok(Err("holds no system".into()));
    }
    let info = SysrootInfo {
        candidate: None,
        origin: Origin::AlreadyMounted,
        path: used.point.clone(),
        parts: vec![part(Path::new("/"), filesystem, None, Journal::Clean)],
        missing: Vec::new(),
        disks: disks(filesystem),
        mounted_for_writing: used.writable,
        unopened: Vec::new(),
    };
    Ok(Ok(vec![Root {
        filesystem: filesystem.clone(),
        candidate: candidate(filesystem, None, &root, signs),
        sysroot: Sysroot { root, info },
    }]))
}
