//! Stage 2, assembly: arrays, volume groups and containers, opened layer by
//! layer until nothing new appears.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::survey::{Content, Survey};

pub mod compare;
pub mod device;
mod driver;
pub mod luks;
pub mod lvm;
pub mod raid;
mod stack;
mod volume;

pub(crate) use driver::without_dm;
pub use luks::Keys;
pub use lvm::{LogicalVolume, VolumeGroup};
pub use raid::{Array, Leg, Level, Opened, Standing, State};
pub use stack::{Options, Purpose, Stack};
pub use volume::{Layer, Volume};

/// The level number of a mirror.
pub use raid::RAID1;

/// A volume whose inside could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unopened {
    /// The volume.
    pub name: String,
    /// What it is, in a word: `luks`, `lvm2`, `zfs`.
    pub format: String,
    /// What kept it closed.
    pub cause: Cause,
    /// Why, and what to do.
    pub why: String,
}

impl Unopened {
    fn unknown_kind(name: &str, format: &str, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            format: format.to_owned(),
            cause: Cause::NotSupported,
            why: why.to_owned(),
        }
    }
}

/// What kept a volume closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It is encrypted and no key was given.
    Locked,
    /// A part of it is not here.
    Incomplete,
    /// It is of a kind that this version does not open.
    NotSupported,
    /// The kernel refused, or lacks a driver.
    Failed,
    /// Nothing was to be opened.
    NotTried,
}

/// Every array, volume group and volume found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Assembly {
    /// The arrays, by UUID.
    pub arrays: Vec<Array>,
    /// The volume groups, by UUID.
    #[serde(default)]
    pub groups: Vec<VolumeGroup>,
    /// Every volume, the disks' own first.
    pub volumes: Vec<Volume>,
    /// Containers that stay closed.
    pub unopened: Vec<Unopened>,
    /// Members or disks that the operator chose of a mirror; the others of its
    /// array were left out.
    #[serde(default)]
    pub chosen: Vec<String>,
}

impl Assembly {
    /// What the disks themselves say, with nothing opened.
    pub fn unopened(survey: &Survey) -> Self {
        let volumes = Volume::of_survey(survey);
        let arrays = raid::judge(&volumes, &[]);
        let closed = |name: &str, format: &str| Unopened {
            name: name.to_owned(),
            format: format.to_owned(),
            cause: Cause::NotTried,
            why: "only the tree that was named is looked at".into(),
        };
        let containers = volumes.iter().filter_map(|volume| match &volume.content {
            Content::PhysicalVolume(_) => Some(closed(&volume.name, "lvm2")),
            Content::Signature(found) if stack::is_container(&found.format) => {
                Some(closed(&volume.name, &found.format))
            }
            _ => None,
        });
        let in_arrays = arrays.iter().map(|a| closed(&a.volume_name(), "array"));
        Self {
            unopened: in_arrays.chain(containers).collect(),
            groups: Vec::new(),
            chosen: Vec::new(),
            arrays,
            volumes,
        }
    }

    /// The volume with this name.
    pub fn volume(&self, name: &str) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.name == name)
    }

    /// The names of the volume `name` and of everything that it stands on.
    pub fn below(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut todo = vec![name.to_owned()];
        while let Some(name) = todo.pop() {
            todo.extend(self.volume(&name).into_iter().flat_map(|v| v.on.clone()));
            found.insert(name);
        }
        found
    }

    /// The array that the volume `name` lies on, directly or not.
    pub fn array_below(&self, name: &str) -> Option<&Array> {
        let below = self.below(name);
        self.arrays.iter().find(|array| {
            let on = |volume: &Volume| matches!(&volume.layer, Layer::Array { uuid } if *uuid == array.uuid);
            self.volumes
                .iter()
                .any(|volume| on(volume) && below.contains(&volume.name))
        })
    }
}
