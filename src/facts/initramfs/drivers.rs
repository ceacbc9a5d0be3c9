//! Which drivers this machine needs to reach its root, and whether the kernel
//! will have each: built in, or as a module inside the initramfs.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::super::mounts::Mounts;
use crate::assembly::{Assembly, Layer, Level, Volume};
use crate::kmod::index::{Index, canonical};
use crate::survey::Survey;
use crate::sys::root_dir::{Kind, RootDir};
use crate::sysroot::SysrootInfo;

/// Most bytes of an index of modules; a distribution's largest has 4 MiB.
const INDEX_BYTES_MAX: u64 = 32 << 20;

/// Most directories of modules that are walked; a real tree has 1000.
const DIRECTORIES_MAX: usize = 20_000;

/// Most names in them that are looked at; a real tree has 10000.
const ENTRIES_MAX: usize = 500_000;

/// One thing that the boot needs a driver for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Driver {
    /// The module: `raid1`. Any one of several is enough.
    pub names: Vec<String>,
    /// What for: `the array lab:0`.
    pub what: String,
    /// Whether the kernel will have it.
    pub state: DriverState,
}

/// Whether the kernel will have a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum DriverState {
    /// It is a part of the kernel.
    BuiltIn,
    /// The initramfs has it, with all that it needs.
    Inside,
    /// The initramfs lacks these modules.
    Missing {
        /// Their names.
        lacks: Vec<String>,
    },
    /// It could not be told.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What is needed, before it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// Any one of these is enough.
    pub(super) names: Vec<String>,
    pub(super) what: String,
}

impl Need {
    pub(super) fn new(names: &[&str], what: impl Into<String>) -> Self {
        Self {
            names: names.iter().map(|name| canonical(name)).collect(),
            what: what.into(),
        }
    }
}

/// What stands between the firmware and the root filesystem of this machine.
pub(super) fn needs(
    info: &SysrootInfo,
    survey: &Survey,
    assembly: &Assembly,
    mounts: &Mounts,
    index: &Index,
) -> Vec<Need> {
    let mut needs = Vec::new();
    let early = |target: &std::path::Path| {
        target == std::path::Path::new("/") || target == std::path::Path::new("/usr")
    };
    for part in info.parts.iter().filter(|part| early(&part.target)) {
        let by_fstab = mounts.lines.iter().find(|l| l.entry.target == part.target);
        let fstype = match part.fstype.as_str() {
            "" => by_fstab.map_or("", |line| line.entry.fstype.as_str()),
            known => known,
        };
        let what = format!("the filesystem of {}", part.target.display());
        needs.extend(of_filesystem(fstype, &what));
        let below = assembly.volumes.iter();
        for volume in below.filter(|volume| part.below.contains(&volume.name)) {
            needs.extend(of_volume(volume, assembly));
        }
    }
    for disk in survey.disks.iter().filter(|d| info.disks.contains(&d.name)) {
        needs.extend(of_disk(&disk.name, &disk.modaliases, index));
    }
    let mut seen = HashSet::new();
    needs.retain(|need| seen.insert(need.names.clone()));
    needs
}

fn of_filesystem(fstype: &str, what: &str) -> Option<Need> {
    // `auto` and lists are chosen when it is mounted.
    let names: &[&str] = match fstype {
        "ext2" => &["ext2", "ext4"],
        "ext3" => &["ext3", "ext4"],
        "ext4" | "xfs" | "btrfs" | "f2fs" | "jfs" | "reiserfs" | "bcachefs" | "zfs" => &[fstype],
        _ => return None,
    };
    Some(Need::new(names, what))
}

fn of_volume(volume: &Volume, assembly: &Assembly) -> Vec<Need> {
    let what = |kind: &str| format!("{kind} {}", volume.name);
    match &volume.layer {
        Layer::Array { uuid } => {
            let array = assembly.arrays.iter().find(|array| array.uuid == *uuid);
            let driver = match array.and_then(|array| Level::of(array.level)) {
                Some(Level::Linear) => "linear",
                Some(Level::Raid0) => "raid0",
                Some(Level::Raid1) => "raid1",
                Some(Level::Raid4 | Level::Raid5 | Level::Raid6) => "raid456",
                Some(Level::Raid10) => "raid10",
                None => return Vec::new(),
            };
            let name = array.map_or(volume.name.as_str(), |array| array.name.as_str());
            vec![Need::new(&[driver], format!("the array {name}"))]
        }
        Layer::Logical { group } => {
            let group = assembly.groups.iter().find(|own| own.uuid == *group);
            let mut volumes = group.iter().flat_map(|group| &group.volumes);
            let own = volumes.find(|own| own.name == volume.name);
            // dm-raid asks for the level only when it is told which.
            let more: &[&str] = match own.map_or("", |own| own.kind.as_str()) {
                "raid0" | "raid0_meta" => &["dm_raid", "raid0"],
                "raid1" => &["dm_raid", "raid1"],
                kind if kind.starts_with("raid10") => &["dm_raid", "raid10"],
                kind if kind.starts_with("raid") => &["dm_raid", "raid456"],
                kind if kind.starts_with("thin") => &["dm_thin_pool"],
                "mirror" => &["dm_mirror"],
                kind if kind.starts_with("cache") => &["dm_cache"],
                _ => &[],
            };
            let drivers = std::iter::once(&"dm_mod").chain(more);
            drivers
                .map(|name| Need::new(&[name], what("the logical volume")))
                .collect()
        }
        Layer::Unlocked => vec![Need::new(&["dm_crypt"], what("the encrypted volume"))],
        Layer::Disk | Layer::Partition => Vec::new(),
    }
}

/// By what the kernel calls the disk, and by what its controller calls itself.
fn of_disk(name: &str, modaliases: &[String], index: &Index) -> Vec<Need> {
    let what = format!("the disk {name}");
    let by_name: &[&[&str]] = match name {
        name if name.starts_with("nvme") => &[&["nvme"]],
        name if name.starts_with("vd") => &[&["virtio_blk"], &["virtio_pci", "virtio_mmio"]],
        name if name.starts_with("sd") => &[&["sd_mod"]],
        name if name.starts_with("mmcblk") => &[&["mmc_block"]],
        name if name.starts_with("xvd") => &[&["xen_blkfront"]],
        _ => &[],
    };
    let mut needs: Vec<Need> = by_name
        .iter()
        .map(|names| Need::new(names, &*what))
        .collect();
    // The bus of the disk itself is told by its name.
    for alias in modaliases
        .iter()
        .filter(|alias| !alias.starts_with("scsi:"))
    {
        let found: Vec<String> = index
            .resolve(alias)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if !found.is_empty() {
            needs.push(Need {
                names: found,
                what: format!("the controller of {name}"),
            });
        }
    }
    needs
}

/// The index of the modules of one release in a tree: with aliases, also those
/// of what is built in, where `aliases` says so. None where there is none.
pub(super) fn index(root: &RootDir, release: &str, aliases: bool) -> Option<Index> {
    let read = |name: &str| {
        let path = format!("/lib/modules/{release}/{name}");
        root.read_text(path, INDEX_BYTES_MAX)
    };
    let dep = read("modules.dep").ok()?;
    let mut alias = String::new();
    if aliases {
        alias = read("modules.alias").unwrap_or_default();
        alias.push('\n');
        // `nvme.alias=pci:v*`, each ended by a zero byte.
        let built_in = read("modules.builtin.modinfo").unwrap_or_default();
        for line in built_in.split('\0') {
            if let Some((module, pattern)) = line.split_once(".alias=") {
                alias.push_str(&format!("alias {pattern} {module}\n"));
            }
        }
    }
    let built_in = read("modules.builtin").unwrap_or_default();
    let soft = read("modules.softdep").unwrap_or_default();
    Some(Index::parse(&dep, &built_in, &soft, &alias))
}

/// The modules that lie in the tree for one release, by canonical name.
pub(super) fn modules(root: &RootDir, release: &str) -> HashSet<String> {
    let mut names = HashSet::new();
    let mut todo = vec![format!("/lib/modules/{release}")];
    let mut walked = 0;
    let mut looked_at = 0_usize;
    while let Some(path) = todo.pop() {
        walked += 1;
        if walked > DIRECTORIES_MAX {
            break;
        }
        for entry in root.read_dir(&path).unwrap_or_default() {
            looked_at += 1;
            if looked_at > ENTRIES_MAX {
                return names;
            }
            let name = entry.name.to_string_lossy();
            let inside = format!("{path}/{name}");
            match entry.kind {
                Kind::Directory => todo.push(inside),
                Kind::File | Kind::Symlink => {
                    if let Some((stem, _)) = name.split_once(".ko")
                        && root.metadata(&inside).is_ok_and(|meta| meta.size > 0)
                    {
                        names.insert(canonical(stem));
                    }
                }
                Kind::Special => {}
            }
        }
    }
    names
}

/// Whether the kernel will have what is needed.
pub(super) fn judge(need: Need, index: Option<&Index>, inside: &HashSet<String>) -> Driver {
    let state = match index {
        None => DriverState::Unknown {
            why: "there is no index of this kernel's modules".into(),
        },
        Some(index) => best(&need.names, index, inside),
    };
    Driver {
        names: need.names,
        what: need.what,
        state,
    }
}

fn best(names: &[String], index: &Index, inside: &HashSet<String>) -> DriverState {
    let mut missing: Option<Vec<String>> = None;
    for name in names {
        if index.is_built_in(name) {
            return DriverState::BuiltIn;
        }
        if index.file(name).is_none() && !inside.contains(name) {
            continue;
        }
        let steps = index.plan(name);
        let required = steps.into_iter().filter(|step| step.required);
        let lacks: Vec<String> = required
            .map(|step| step.name)
            .filter(|step| !inside.contains(step))
            .collect();
        if lacks.is_empty() {
            return DriverState::Inside;
        }
        missing.get_or_insert(lacks);
    }
    // A kernel that does not have it at all lacks it as well.
    let lacks = missing.unwrap_or_else(|| names.iter().take(1).cloned().collect());
    DriverState::Missing { lacks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        Index::parse(
            "kernel/drivers/md/raid1.ko.xz: kernel/drivers/md/md-mod.ko.xz\n\
             kernel/drivers/md/md-mod.ko.xz:\n\
             kernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko\n\
             kernel/lib/libcrc32c.ko:\n\
             kernel/drivers/ata/ahci.ko: kernel/drivers/ata/libata.ko\n\
             kernel/drivers/ata/libata.ko:\n",
            "kernel/drivers/nvme/host/nvme.ko\nkernel/fs/ext4/ext4.ko\n",
            "",
            "alias pci:v00008086d* ahci\nalias pci:v000015B7d* nvme\n",
        )
    }

    fn judged(names: &[&str], inside: &[&str]) -> DriverState {
        let inside = inside.iter().map(|name| (*name).to_owned()).collect();
        judge(Need::new(names, "x"), Some(&index()), &inside).state
    }

    #[test]
    fn a_driver_counts_with_all_that_it_needs() {
        assert_eq!(judged(&["nvme"], &[]), DriverState::BuiltIn);
        assert_eq!(
            judged(&["raid1"], &["raid1", "md_mod"]),
            DriverState::Inside
        );
        let lacks = |names: &[&str]| DriverState::Missing {
            lacks: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(judged(&["raid1"], &["raid1"]), lacks(&["md_mod"]));
        assert_eq!(judged(&["raid1"], &["md_mod"]), lacks(&["raid1"]));
        assert_eq!(judged(&["zfs"], &[]), lacks(&["zfs"]));
        // One of several is enough.
        assert_eq!(judged(&["ext2", "ext4"], &[]), DriverState::BuiltIn);
        let unknown = judge(Need::new(&["nvme"], "x"), None, &HashSet::new());
        assert!(matches!(unknown.state, DriverState::Unknown { .. }));
    }

    #[test]
    fn a_controller_is_known_by_what_it_calls_itself() {
        let aliases = [
            "scsi:t-0x00".to_owned(),
            "pci:v00008086d00001C02sv".to_owned(),
        ];
        let needs = of_disk("sda", &aliases, &index());
        let names: Vec<_> = needs.iter().map(|need| need.names.join(" ")).collect();
        assert_eq!(names, ["sd_mod", "ahci"]);
        assert!(of_disk("disk0.img", &[], &index()).is_empty());
    }
}
