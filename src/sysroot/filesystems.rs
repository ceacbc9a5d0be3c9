//! The filesystems of the patient, and which of them a line of fstab means.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::assembly::{Array, Assembly, RAID1, State};
use crate::survey::{Content, Signature, Source, Survey, signature};

/// Where a filesystem can be mounted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Backing {
    /// A partition or disk: a loop device comes between when only looking.
    Plain {
        /// Where it lies.
        source: Source,
        /// Sector size of its disk in bytes.
        sector_bytes: u32,
    },
    /// An array.
    Array {
        /// UUID of the array.
        uuid: String,
        /// Its name, `host:name`.
        name: String,
        /// Its block device, while it is open.
        device: Option<PathBuf>,
    },
}

/// One filesystem, swap area or container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// How the operator would name it.
    pub name: String,
    /// What it is.
    pub signature: Signature,
    /// Where it can be mounted from.
    pub backing: Backing,
    /// PARTUUID of its partition.
    pub part_uuid: Option<String>,
    /// PARTLABEL of its partition.
    pub part_label: Option<String>,
    /// The disks below it.
    pub disks: Vec<String>,
    /// The kernel devices below it: `nvme0n1p2`, ...
    pub members: Vec<String>,
    /// The stretches of disks or images below it.
    pub sources: Vec<Source>,
}

/// Lists what lies on partitions, bare disks and opened arrays.
pub fn list(survey: &Survey, assembly: &Assembly) -> Vec<Filesystem> {
    let plain = survey.volumes().filter_map(|volume| {
        let Content::Signature(signature) = volume.content else {
            return None;
        };
        Some(Filesystem {
            name: volume.name.to_owned(),
            signature: signature.clone(),
            backing: Backing::Plain {
                source: volume.source.clone(),
                sector_bytes: volume.disk.sector_bytes,
            },
            part_uuid: volume.partition.and_then(|p| p.uuid.clone()),
            part_label: volume.partition.and_then(|p| p.label.clone()),
            disks: vec![volume.disk.name.clone()],
            members: vec![kernel_name(volume.name)],
            sources: vec![volume.source.clone()],
        })
    });
    let arrays = assembly.arrays.iter().filter_map(|array| {
        let (signature, device) = on_array(array)?;
        Some(Filesystem {
            name: format!("array {}", array.name),
            signature,
            backing: Backing::Array {
                uuid: array.uuid.clone(),
                name: array.name.clone(),
                device,
            },
            part_uuid: None,
            part_label: None,
            disks: array.legs.iter().map(|leg| leg.disk.clone()).collect(),
            members: array
                .legs
                .iter()
                .map(|leg| kernel_name(&leg.name))
                .collect(),
            sources: array.legs.iter().map(|leg| leg.source.clone()).collect(),
        })
    });
    plain.chain(arrays).collect()
}

/// What lies on an array: read through it where it is open, and else from a
/// leg of the mirror.
fn on_array(array: &Array) -> Option<(Signature, Option<PathBuf>)> {
    if let Some(opened) = &array.opened {
        let (file, source) = crate::survey::whole(&opened.device).ok()?;
        let signature = signature::probe(&file, &source).ok()??;
        return Some((signature, Some(opened.device.clone())));
    }
    let leg = array.legs.iter().find(|leg| leg.is_fresh())?;
    if array.level != RAID1 {
        return None;
    }
    let data = leg
        .source
        .part(leg.superblock.data_offset.saturating_mul(512), u64::MAX);
    let signature = signature::probe(&data.open().ok()?, &data).ok()??;
    Some((signature, None))
}

/// True when everything on these disks was recognised and could be opened, so
/// that what was not found is not there.
pub fn all_known(survey: &Survey, assembly: &Assembly) -> bool {
    let sealed = survey.volumes().any(|volume| match volume.content {
        Content::Signature(found) => ["luks", "lvm2"].contains(&found.format.as_str()),
        Content::RaidUnusable { .. } | Content::Unreadable { .. } => true,
        Content::Unknown => {
            let purpose = volume.partition.map(|part| part.purpose.as_str());
            purpose != Some("bios-boot")
        }
        Content::RaidMember(_) => false,
    });
    let arrays = assembly.arrays.iter().all(|array| match array.state {
        State::Complete => true,
        // Of a machine that lost a disk, what was on it is gone. Of disks that
        // the operator picked, another may hold it.
        State::Degraded => !survey.selected,
        State::Diverged | State::Unusable { .. } => false,
    });
    !sealed && arrays
}

fn kernel_name(name: &str) -> String {
    name.strip_prefix("/dev/").unwrap_or(name).to_owned()
}

/// What a device specification of fstab means on these disks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match<'a> {
    /// This filesystem.
    One(&'a Filesystem),
    /// None has this UUID, label or name.
    None,
    /// A name whose meaning is only known while the patient runs.
    CannotTell,
}

/// Finds the filesystem that `spec` names.
pub fn find<'a>(all: &'a [Filesystem], spec: &str) -> Match<'a> {
    let (tag, value) = match spec.split_once('=') {
        Some(pair) => pair,
        None => return by_path(all, Path::new(spec)),
    };
    by_tag(all, tag, value)
}

fn by_tag<'a>(all: &'a [Filesystem], tag: &str, value: &str) -> Match<'a> {
    let same = |have: &Option<String>| {
        have.as_ref()
            .is_some_and(|have| have.eq_ignore_ascii_case(value))
    };
    let found = match tag {
        "UUID" => all.iter().find(|f| same(&f.signature.uuid)),
        "LABEL" => all
            .iter()
            .find(|f| f.signature.label.as_deref() == Some(value)),
        "PARTUUID" => all.iter().find(|f| same(&f.part_uuid)),
        "PARTLABEL" => all.iter().find(|f| f.part_label.as_deref() == Some(value)),
        _ => return Match::CannotTell,
    };
    found.map_or(Match::None, Match::One)
}

fn by_path<'a>(all: &'a [Filesystem], path: &Path) -> Match<'a> {
    let text = path.to_string_lossy();
    let by = [
        ("/dev/disk/by-uuid/", "UUID"),
        ("/dev/disk/by-label/", "LABEL"),
        ("/dev/disk/by-partuuid/", "PARTUUID"),
        ("/dev/disk/by-partlabel/", "PARTLABEL"),
    ];
    for (prefix, tag) in by {
        if let Some(value) = text.strip_prefix(prefix) {
            return by_tag(all, tag, value);
        }
    }
    // /dev/md0 and /dev/md/0 are the array called 0.
    let array = text
        .strip_prefix("/dev/md/")
        .or_else(|| text.strip_prefix("/dev/md"));
    if let Some(wanted) = array {
        let found = all.iter().find(|f| match &f.backing {
            Backing::Array { name, .. } => name.rsplit(':').next() == Some(wanted),
            Backing::Plain { .. } => false,
        });
        return found.map_or(Match::CannotTell, Match::One);
    }
    // Kernel names of disks change between systems: a match is likely right,
    // no match proves nothing.
    all.iter()
        .find(|f| f.name == text)
        .map_or(Match::CannotTell, Match::One)
}
