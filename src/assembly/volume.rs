//! Everything that can hold a filesystem, on whatever layer it lies.

use serde::{Deserialize, Serialize};

use crate::survey::{Content, Disk, Partition, Place, Source, Survey};

/// On which layer a volume lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Layer {
    /// A disk without a partition table.
    Disk,
    /// A partition of a disk.
    Partition,
    /// An array, or a partition on it.
    Array {
        /// The array's UUID.
        uuid: String,
    },
    /// A logical volume.
    Logical {
        /// The volume group's UUID.
        group: String,
    },
    /// The inside of an encrypted container.
    Unlocked,
}

/// One volume: a place that can be read, and what lies on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Volume {
    /// `/dev/nvme0n1p2`, `array host:0`, `vg0/root`: unique, and the same each
    /// time.
    pub name: String,
    /// On which layer it lies.
    pub layer: Layer,
    /// Where to read it while it is open.
    pub source: Source,
    /// Logical sector size in bytes.
    pub sector_bytes: u32,
    /// What lies on it.
    pub content: Content,
    /// What the partition table says it is for, where it is a partition.
    pub purpose: Option<String>,
    /// PARTUUID of its partition.
    pub part_uuid: Option<String>,
    /// PARTLABEL of its partition.
    pub part_label: Option<String>,
    /// The volumes directly below, by name.
    pub on: Vec<String>,
    /// The disks below it, by name.
    pub disks: Vec<String>,
    /// The partitions or disks below it, by kernel name: `nvme0n1p2`.
    pub members: Vec<String>,
    /// The stretches of disks or images below it.
    pub sources: Vec<Source>,
}

impl Volume {
    /// The volumes of the disks themselves.
    pub fn of_survey(survey: &Survey) -> Vec<Self> {
        survey
            .places()
            .map(|place| Self::of_place(&place))
            .collect()
    }

    fn of_place(place: &Place<'_>) -> Self {
        Self {
            name: place.name.to_owned(),
            layer: match place.partition {
                Some(_) => Layer::Partition,
                None => Layer::Disk,
            },
            source: place.source.clone(),
            sector_bytes: place.disk.sector_bytes,
            content: place.content.clone(),
            purpose: place.partition.map(|p| p.purpose.clone()),
            part_uuid: place.partition.and_then(|p| p.uuid.clone()),
            part_label: place.partition.and_then(|p| p.label.clone()),
            on: Vec::new(),
            disks: vec![place.disk.name.clone()],
            members: vec![kernel_name(place.name)],
            sources: vec![place.source.clone()],
        }
    }

    /// What `seen`, the look at an opened device, holds: the device itself, or
    /// the partitions on it. `below` are the volumes that it stands on.
    pub(super) fn above(name: &str, layer: &Layer, seen: Disk, below: &[&Self]) -> Vec<Self> {
        let base = Self {
            name: name.to_owned(),
            layer: layer.clone(),
            source: seen.source,
            sector_bytes: seen.sector_bytes,
            content: seen.content,
            purpose: None,
            part_uuid: None,
            part_label: None,
            on: below.iter().map(|volume| volume.name.clone()).collect(),
            disks: union(below, |volume| &volume.disks),
            members: union(below, |volume| &volume.members),
            sources: union(below, |volume| &volume.sources),
        };
        if seen.partitions.is_empty() {
            return vec![base];
        }
        let parts = seen.partitions;
        parts.into_iter().map(|part| base.partition(part)).collect()
    }

    fn partition(&self, part: Partition) -> Self {
        Self {
            name: format!("{} partition {}", self.name, part.number),
            source: part.source,
            content: part.content,
            purpose: Some(part.purpose),
            part_uuid: part.uuid,
            part_label: part.label,
            ..self.clone()
        }
    }
}

fn union<T: Clone + PartialEq>(below: &[&Volume], list: impl Fn(&Volume) -> &Vec<T>) -> Vec<T> {
    let mut all = Vec::new();
    for item in below.iter().flat_map(|volume| list(volume)) {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
    all
}

fn kernel_name(name: &str) -> String {
    name.strip_prefix("/dev/").unwrap_or(name).to_owned()
}
