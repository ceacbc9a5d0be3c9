//! The filesystems of the patient, and which of them a line of fstab means.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::assembly::{Assembly, Layer, State, Volume};
use crate::survey::{Content, Signature, Survey};

/// One filesystem, swap area or container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Filesystem {
    /// How the operator would name it: its volume's name.
    pub name: String,
    /// What it is.
    pub signature: Signature,
    /// Where it lies.
    pub volume: Volume,
    /// Its further devices: btrfs only.
    #[serde(default)]
    pub others: Vec<Volume>,
    /// How many of its devices are not here: btrfs only.
    #[serde(default)]
    pub missing_devices: u64,
    /// Other names that the patient has for it: `/dev/vg0/root`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The array that it lies on, where it does.
    pub array: Option<ArrayName>,
    /// The names of its volumes and of all volumes that these stand on.
    pub below: Vec<String>,
}

/// How an array is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArrayName {
    /// Its UUID.
    pub uuid: String,
    /// `host:name`.
    pub name: String,
}

impl ArrayName {
    fn volume_name(&self) -> String {
        format!("array {}", self.name)
    }
}

/// Lists what lies on the volumes. The devices of one btrfs are one filesystem.
pub fn list(assembly: &Assembly) -> Vec<Filesystem> {
    let mut all: Vec<Filesystem> = Vec::new();
    for volume in &assembly.volumes {
        let Content::Signature(signature) = &volume.content else {
            continue;
        };
        let found = filesystem(assembly, volume, signature);
        let same = all.iter_mut().find(|other| other.is_joined_by(&found));
        match same {
            Some(other) => other.join(found),
            None => all.push(found),
        }
    }
    all
}

fn filesystem(assembly: &Assembly, volume: &Volume, signature: &Signature) -> Filesystem {
    let devices = signature.member.as_ref().map_or(1, |m| m.devices);
    Filesystem {
        name: volume.name.clone(),
        signature: signature.clone(),
        volume: volume.clone(),
        others: Vec::new(),
        missing_devices: devices.saturating_sub(1),
        aliases: aliases(volume),
        below: assembly.below(&volume.name).into_iter().collect(),
        array: assembly.array_below(&volume.name).map(|array| ArrayName {
            uuid: array.uuid.clone(),
            name: array.name.clone(),
        }),
    }
}

/// `/dev/vg0/root` and `/dev/mapper/vg0-root`, where a hyphen in a name is
/// doubled.
fn aliases(volume: &Volume) -> Vec<String> {
    let Some((group, name)) = volume.name.split_once('/') else {
        return Vec::new();
    };
    if !matches!(volume.layer, Layer::Logical { .. }) {
        return Vec::new();
    }
    let doubled = |name: &str| name.replace('-', "--");
    vec![
        format!("/dev/{group}/{name}"),
        format!("/dev/mapper/{}-{}", doubled(group), doubled(name)),
    ]
}

impl Filesystem {
    /// Its volumes, the first one first.
    pub fn volumes(&self) -> impl Iterator<Item = &Volume> {
        std::iter::once(&self.volume).chain(&self.others)
    }

    /// True when `other` is a further device of this btrfs.
    fn is_joined_by(&self, other: &Self) -> bool {
        let id = |volume: &Volume| match &volume.content {
            Content::Signature(found) => found.member.as_ref().map(|m| m.id),
            _ => None,
        };
        // A second device with the same number is a copy.
        self.signature.format == "btrfs"
            && other.signature.format == "btrfs"
            && self.signature.uuid.is_some()
            && self.signature.uuid == other.signature.uuid
            && self.volumes().all(|volume| id(volume) != id(&other.volume))
    }

    fn join(&mut self, other: Self) {
        self.missing_devices = self.missing_devices.saturating_sub(1);
        self.signature.dirty |= other.signature.dirty;
        for name in other.below {
            if !self.below.contains(&name) {
                self.below.push(name);
            }
        }
        self.others.push(other.volume);
    }
}

/// Adds the names that the patient's crypttab(5) gives to its containers.
pub fn name_by_crypttab(all: &mut [Filesystem], crypttab: &str) {
    for line in crypttab.lines().map(str::trim) {
        let mut fields = line.split_whitespace();
        let (Some(name), Some(spec)) = (fields.next(), fields.next()) else {
            continue;
        };
        let spec = spec.replace('"', "");
        if name.starts_with('#') {
            continue;
        }
        let Match::One(container) = find(all, &spec) else {
            continue;
        };
        let container = container.name.clone();
        let inside = |f: &&mut Filesystem| {
            matches!(f.volume.layer, Layer::Unlocked) && f.volume.on.contains(&container)
        };
        for filesystem in all.iter_mut().filter(inside) {
            filesystem.aliases.push(format!("/dev/mapper/{name}"));
        }
    }
}

/// True when everything on these disks was recognised and could be opened, so
/// that what was not found is not there.
pub fn all_known(survey: &Survey, assembly: &Assembly) -> bool {
    let unknown = assembly.volumes.iter().any(|volume| match &volume.content {
        Content::RaidUnusable { .. } | Content::Unreadable { .. } => true,
        Content::Unknown => volume.purpose.as_deref() != Some("bios-boot"),
        Content::Signature(_) | Content::RaidMember(_) | Content::PhysicalVolume(_) => false,
    });
    let arrays = assembly.arrays.iter().all(|array| match array.state {
        State::Complete => true,
        // Of a machine that lost a disk, what was on it is gone. Of disks that
        // the operator picked, another may hold it.
        State::Degraded => !survey.selected,
        State::Diverged | State::Unusable { .. } => false,
    });
    !unknown && assembly.unopened.is_empty() && arrays
}

/// What a device specification of fstab means on these disks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match<'a> {
    /// This filesystem.
    One(&'a Filesystem),
    /// Several have it: copies of each other, perhaps.
    Several(Vec<&'a str>),
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
    let fits = |f: &&Filesystem| match tag {
        "UUID" => same(&f.signature.uuid),
        "LABEL" => f.signature.label.as_deref() == Some(value),
        "PARTUUID" => same(&f.volume.part_uuid),
        _ => f.volume.part_label.as_deref() == Some(value),
    };
    if !["UUID", "LABEL", "PARTUUID", "PARTLABEL"].contains(&tag) {
        return Match::CannotTell;
    }
    let found: Vec<&Filesystem> = all.iter().filter(fits).collect();
    match found.as_slice() {
        [] => Match::None,
        [one] => Match::One(one),
        // Copies of the EFI system partition are made on purpose.
        [first, ..] if found.iter().all(|f| f.signature.format == "vfat") => Match::One(first),
        several => Match::Several(several.iter().map(|f| f.name.as_str()).collect()),
    }
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
        let found = all.iter().find(|f| {
            let array = f.array.as_ref().filter(|a| f.name == a.volume_name());
            array.is_some_and(|a| a.name.rsplit(':').next() == Some(wanted))
        });
        return found.map_or(Match::CannotTell, Match::One);
    }
    // Kernel names of disks change between systems: a match is likely right,
    // no match proves nothing.
    all.iter()
        .find(|f| f.name == text || f.aliases.iter().any(|alias| *alias == text))
        .map_or(Match::CannotTell, Match::One)
}

#[cfg(test)]
#[path = "filesystems_tests.rs"]
mod tests;
