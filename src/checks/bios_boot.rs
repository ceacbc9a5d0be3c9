//! What several checks ask about GRUB on the disks of a BIOS machine.

use std::collections::BTreeMap;
use std::path::Path;

use super::boot_mode::{self, Mode};
use super::grub_cannot_read;
use crate::assembly::{Layer, Level, Volume};
use crate::facts::packages::Packages;
use crate::facts::{Facts, Tree};
use crate::finding::{Findings, Severity};
use crate::survey::{Content, Disk, GrubCore};
use crate::sysroot::filesystems::all_known;
use crate::sysroot::{MountedPart, Search, SysrootInfo};

/// The root, its disks, and GRUB's core on each that has one.
pub(super) struct BiosBoot<'f> {
    pub(super) tree: &'f Tree,
    pub(super) cores: Vec<(&'f Disk, &'f GrubCore)>,
    pub(super) facts: &'f Facts,
    pub(super) info: &'f SysrootInfo,
}

/// Whose filesystem a core goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// The one that holds the /boot of this root.
    Own,
    /// One that is on these disks and holds something else.
    Another,
    /// One that is on none of these disks.
    Nowhere,
    /// Its core does not say, or not everything on the disks is known.
    Unknown,
}

impl<'f> BiosBoot<'f> {
    /// Nothing for a machine that boots by UEFI alone, or whose /boot was not
    /// looked at.
    pub(super) fn of(facts: &'f Facts) -> Option<Self> {
        let (Search::Found(info), Some(tree)) = (&facts.search, &facts.tree) else {
            return None;
        };
        if super::boot_unseen(tree) || !boot_mode::of(facts, info, tree).may_be_bios() {
            return None;
        }
        let cores = own_disks(facts, info)
            .into_iter()
            .filter_map(|disk| Some((disk, disk.grub_core.as_ref()?)))
            .filter(|(_, core)| core.trouble.is_none())
            .collect();
        Some(Self {
            tree,
            cores,
            facts,
            info,
        })
    }

    /// What a fault of `count` of the cores does: the firmware may take any.
    pub(super) fn severity(&self, count: usize) -> Severity {
        let only = boot_mode::of(self.facts, self.info, self.tree) == Mode::Bios;
        if count == self.cores.len() && only {
            Severity::Blocker
        } else {
            Severity::Degraded
        }
    }

    /// Says it where a fault of all of them may not matter.
    pub(super) fn tell_either(&self, count: usize, out: &mut Findings) {
        if count == self.cores.len() {
            boot_mode::of(self.facts, self.info, self.tree).tell_either(out);
        }
    }

    /// The cores that go to this root.
    pub(super) fn own(&self) -> impl Iterator<Item = (&'f Disk, &'f GrubCore)> {
        let own = |(disk, core): &(&Disk, &GrubCore)| self.goal(disk, core) == Goal::Own;
        self.cores.iter().copied().filter(own)
    }

    /// What a GRUB with these drivers refuses of the filesystem of /boot.
    pub(super) fn refused(&self, refuses: &BTreeMap<String, u32>) -> Option<String> {
        grub_cannot_read::refused(self.facts, self.info, refuses)
    }

    /// Where the core of `disk` looks for its modules.
    pub(super) fn goal(&self, disk: &Disk, core: &GrubCore) -> Goal {
        goal(self.facts, self.info, Some(disk), core)
    }
}

/// Where a GRUB that was loaded from `disk` looks for its modules and menu.
pub(super) fn goal(
    facts: &Facts,
    info: &SysrootInfo,
    disk: Option<&Disk>,
    core: &GrubCore,
) -> Goal {
    let boot = boot_part(info);
    if let Some(uuid) = searched_uuid(core) {
        return goal_of_uuid(facts, info, uuid);
    }
    let Some(device) = device_of(core) else {
        // No device in the prefix: the one it was loaded from.
        return Goal::Unknown;
    };
    if let Some(hex) = device.strip_prefix("mduuid/") {
        let is = |uuid: &str| plain(uuid) == plain(hex);
        let own = boot.and_then(|part| part.array.as_deref()).is_some_and(is);
        let known = facts.assembly.arrays.iter().any(|a| is(&a.uuid));
        return judge(facts, own, known);
    }
    if let Some((group, volume)) = logical_of(device) {
        let mut volumes = facts.assembly.groups.iter().filter(|own| own.uuid == group);
        let found = volumes.find_map(|own| own.volumes.iter().find(|own| own.uuid == volume));
        let own = found.is_some_and(|found| boot.is_some_and(|part| part.device == found.name));
        return judge(facts, own, found.is_some());
    }
    if let (Some(disk), Some(number)) = (disk, device.strip_prefix(',').and_then(partition_number))
    {
        let part = disk.partitions.iter().find(|part| part.number == number);
        let own = boot.is_some_and(|boot| {
            part.is_some_and(|part| boot.device == part.name || boot.below.contains(&part.name))
        });
        return match part {
            Some(_) if own => Goal::Own,
            Some(_) => Goal::Another,
            None => Goal::Nowhere,
        };
    }
    Goal::Unknown
}

/// Whose filesystem has this UUID.
pub(super) fn goal_of_uuid(facts: &Facts, info: &SysrootInfo, uuid: &str) -> Goal {
    let own = boot_part(info).and_then(|part| uuid_of(facts, &part.device));
    let is = |known: Option<&str>| known.is_some_and(|k| k.eq_ignore_ascii_case(uuid));
    let mut all = facts.assembly.volumes.iter();
    let known = all.any(|v| is(content_uuid(&v.content)));
    judge(facts, is(own), known)
}

fn judge(facts: &Facts, own: bool, known: bool) -> Goal {
    match (own, known) {
        (true, _) => Goal::Own,
        (false, true) => Goal::Another,
        (false, false) if all_known(&facts.survey, &facts.assembly) => Goal::Nowhere,
        (false, false) => Goal::Unknown,
    }
}

/// The mounted part that holds /boot.
pub(super) fn boot_part(info: &SysrootInfo) -> Option<&MountedPart> {
    let at = |target: &str| {
        let mut parts = info.parts.iter();
        parts.find(|part| part.target.as_os_str() == target)
    };
    at("/boot").or_else(|| at("/"))
}

/// True when the patient is a machine that starts a kernel of its own, and not
/// a container's root: it has a kernel package, a boot loader's configuration,
/// or GRUB in the first sector of its disk.
pub(super) fn boots_itself(facts: &Facts, tree: &Tree) -> bool {
    let package = match &tree.packages {
        Packages::Dpkg(dpkg) => {
            // Tools of GRUB's may be there to build images with.
            let installs = |name: &str| {
                ["grub-pc", "grub-efi"]
                    .iter()
                    .any(|of| name.starts_with(of))
            };
            dpkg.has(|name| {
                name.starts_with("linux-image-") || (installs(name) && !name.ends_with("-bin"))
            })
        }
        _ => false,
    };
    let disks = facts.has_disks() && facts.survey.disks.iter().any(|disk| disk.grub_boot_code);
    package || tree.kernels.grub.is_some() || !tree.kernels.kernels.is_empty() || disks
}

/// The disks that the root lies on.
pub(super) fn own_disks<'f>(facts: &'f Facts, info: &SysrootInfo) -> Vec<&'f Disk> {
    let disks = facts.survey.disks.iter();
    disks
        .filter(|disk| info.disks.contains(&disk.name))
        .collect()
}

/// True when the root or its /boot lies on a volume that outlives a disk, so
/// that the machine is to boot from any of its disks.
pub(super) fn on_a_mirror(facts: &Facts, info: &SysrootInfo) -> bool {
    let places = [Path::new("/"), Path::new("/boot")];
    let parts = info.parts.iter();
    let below: Vec<&String> = parts
        .filter(|part| places.contains(&part.target.as_path()))
        .flat_map(|part| &part.below)
        .collect();
    let mut volumes = facts.assembly.volumes.iter();
    volumes.any(|volume| {
        below.contains(&&volume.name) && (outlives_a_disk(facts, volume) || is_kept_twice(volume))
    })
}

/// True for a device of a btrfs that may lose one.
fn is_kept_twice(volume: &Volume) -> bool {
    let Content::Signature(found) = &volume.content else {
        return false;
    };
    let profiles = found.member.as_ref().and_then(|m| m.profiles.as_ref());
    profiles.is_some_and(|profiles| profiles.spare_devices() > 0)
}

fn outlives_a_disk(facts: &Facts, volume: &Volume) -> bool {
    match &volume.layer {
        Layer::Array { uuid } => {
            let mut arrays = facts.assembly.arrays.iter();
            let array = arrays.find(|array| array.uuid == *uuid);
            let level = array.and_then(|array| Level::of(array.level));
            !matches!(level, None | Some(Level::Linear | Level::Raid0))
        }
        Layer::Logical { group } => {
            let group = facts.assembly.groups.iter().find(|own| own.uuid == *group);
            let mut volumes = group.iter().flat_map(|group| &group.volumes);
            let own = volumes.find(|own| own.name == volume.name);
            own.is_some_and(|own| {
                own.kind == "mirror" || (own.kind.starts_with("raid") && own.kind != "raid0")
            })
        }
        _ => false,
    }
}

/// Where on the disk a core begins, as evidence names it.
pub(super) fn place(disk: &Disk, core: &GrubCore) -> String {
    format!("/dev/{} sector {}", disk.name, core.sector)
}

/// `(mduuid/...)/boot/grub`: what stands between the brackets.
fn device_of(core: &GrubCore) -> Option<&str> {
    let inside = core.prefix.as_deref()?.strip_prefix('(')?;
    inside.split_once(')').map(|(device, _)| device)
}

/// `lvmid/GROUP/VOLUME`, both by their UUIDs (GRUB 2.12, `grub-core/disk/lvm.c`).
fn logical_of(device: &str) -> Option<(&str, &str)> {
    device.strip_prefix("lvmid/")?.split_once('/')
}

/// True for a core that names its place so that it means the same on any disk.
pub(super) fn is_named(core: &GrubCore) -> bool {
    let array = |device: &str| device.starts_with("mduuid/");
    let by_device = |device: &str| array(device) || logical_of(device).is_some();
    searched_uuid(core).is_some() || device_of(core).is_some_and(by_device)
}

/// `search.fs_uuid UUID root ...` in the commands that come first.
pub(super) fn searched_uuid(core: &GrubCore) -> Option<&str> {
    let mut lines = core.config.as_deref()?.lines();
    lines.find_map(|line| {
        let rest = line.trim().strip_prefix("search.fs_uuid ")?;
        rest.split_whitespace().next()
    })
}

/// `gpt2`, `msdos1`.
fn partition_number(name: &str) -> Option<u32> {
    name.trim_start_matches(|c: char| c.is_ascii_alphabetic())
        .parse()
        .ok()
}

pub(super) fn uuid_of<'f>(facts: &'f Facts, volume: &str) -> Option<&'f str> {
    content_uuid(&facts.assembly.volume(volume)?.content)
}

fn content_uuid(content: &Content) -> Option<&str> {
    match content {
        Content::Signature(found) => found.uuid.as_deref(),
        _ => None,
    }
}

fn plain(uuid: &str) -> String {
    let digits = uuid.chars().filter(char::is_ascii_hexdigit);
    digits.collect::<String>().to_ascii_lowercase()
}
