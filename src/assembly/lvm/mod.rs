//! LVM2 volume groups: which physical volumes make one, and which of its
//! volumes can be opened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::volume::Volume;
use crate::survey::Content;
use crate::survey::lvm::{Group, PhysicalVolume};

mod map;
mod open;
mod raid;
mod room;

pub use open::{Handle, OpenedVolume, open};

/// A volume group as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VolumeGroup {
    /// Its UUID.
    pub uuid: String,
    /// `vg0`; with its UUID where two groups have one name.
    pub name: String,
    /// Set aside by `vgexport`.
    pub exported: bool,
    /// The volumes on which it lies, by name.
    pub on: Vec<String>,
    /// Its physical volumes that are not here: UUID, and the device on which
    /// each was last.
    pub missing: Vec<String>,
    /// Physical volumes that are here more than once: the UUID, and where.
    pub copies: Vec<String>,
    /// Its logical volumes, without those that are parts of others.
    pub volumes: Vec<LogicalVolume>,
}

/// A logical volume as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogicalVolume {
    /// `vg0/root`.
    pub name: String,
    /// Its UUID.
    #[serde(default)]
    pub uuid: String,
    /// `linear`, `striped`, `raid1`, `thin`, ...
    pub kind: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Why it was not opened; none when it was.
    pub closed: Option<String>,
}

/// A volume group and where its parts are.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its newest description.
    pub group: Group,
    /// How it is called here.
    pub name: String,
    /// The volume of each physical volume that is here, by the key that the
    /// description uses.
    present: BTreeMap<String, Volume>,
    missing: Vec<String>,
    copies: Vec<String>,
}

impl Found {
    /// True when all of it is here.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Finds the groups among `volumes`, each by its newest description.
pub fn judge(volumes: &[Volume]) -> Vec<Found> {
    let physical: Vec<(&Volume, &PhysicalVolume)> = volumes
        .iter()
        .filter_map(|volume| match &volume.content {
            Content::PhysicalVolume(physical) => Some((volume, physical.as_ref())),
            _ => None,
        })
        .collect();
    let mut newest: BTreeMap<&str, &Group> = BTreeMap::new();
    for group in physical.iter().filter_map(|(_, p)| p.group.as_ref()) {
        let known = newest.entry(&group.uuid).or_insert(group);
        if group.seqno > known.seqno {
            *known = group;
        }
    }
    newest
        .values()
        .map(|group| {
            let same = newest.values().filter(|g| g.name == group.name).count();
            let name = if same > 1 {
                format!("{} {}", group.name, group.uuid)
            } else {
                group.name.clone()
            };
            found(group, name, &physical)
        })
        .collect()
}

fn found(group: &Group, name: String, physical: &[(&Volume, &PhysicalVolume)]) -> Found {
    let mut found = Found {
        group: group.clone(),
        name,
        present: BTreeMap::new(),
        missing: Vec::new(),
        copies: Vec::new(),
    };
    // Some tools leave the hyphens out.
    let plain = |uuid: &str| uuid.replace('-', "");
    let mut by_uuid: BTreeMap<String, Vec<&Volume>> = BTreeMap::new();
    for (volume, physical) in physical {
        by_uuid
            .entry(plain(&physical.uuid))
            .or_default()
            .push(volume);
    }
    for wanted in &group.physical {
        let here = by_uuid.get(&plain(&wanted.uuid));
        let here = here.map_or(&[][..], Vec::as_slice);
        match here {
            [one] if !wanted.missing => {
                found.present.insert(wanted.key.clone(), (*one).clone());
            }
            [] | [_] => {
                let last = wanted.device.as_deref().unwrap_or("an unknown device");
                let text = format!("{} (last seen as {last})", wanted.uuid);
                found.missing.push(text);
            }
            _ => {
                let names: Vec<_> = here.iter().map(|v| v.name.as_str()).collect();
                let text = format!("{} on {}", wanted.uuid, names.join(" and on "));
                found.copies.push(text);
            }
        }
    }
    found
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
