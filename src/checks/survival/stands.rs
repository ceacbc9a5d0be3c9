//! What of the layers is left with one disk alone.

use crate::assembly::{Array, Assembly, Layer, Level, Volume};
use crate::survey::Content;
use crate::survey::signature::Member;

/// Layers that may stand on one another; more is no machine.
const DEPTH_MAX: usize = 16;

/// What becomes of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stands {
    /// It is there, with these layers short of a part.
    Yes(Vec<Short>),
    /// It is not.
    No(String),
    /// It could not be told.
    Unknown(String),
}

/// A layer that has to be started with a part missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Short {
    /// An array, by UUID.
    Array(String),
    /// The volume group of this logical volume.
    Group(String),
    /// A btrfs on several devices.
    Btrfs(String),
    /// An encrypted container that a layer above it does without.
    Container(String),
}

/// What becomes of the filesystem on the volume `name` with `disk` alone.
pub(super) fn filesystem(assembly: &Assembly, name: &str, disk: &str) -> Stands {
    let Some(volume) = assembly.volume(name) else {
        return Stands::Unknown(format!("where {name} lies is not known"));
    };
    match member(volume) {
        Some(own) if own.devices > 1 => btrfs(assembly, volume, own, disk),
        _ => stands(assembly, name, disk, 0),
    }
}

fn member(volume: &Volume) -> Option<&Member> {
    match &volume.content {
        Content::Signature(found) if found.format == "btrfs" => found.member.as_deref(),
        _ => None,
    }
}

fn uuid(volume: &Volume) -> Option<&str> {
    match &volume.content {
        Content::Signature(found) => found.uuid.as_deref(),
        _ => None,
    }
}

fn btrfs(assembly: &Assembly, volume: &Volume, own: &Member, disk: &str) -> Stands {
    let same = |other: &&Volume| member(other).is_some() && uuid(other) == uuid(volume);
    let devices: Vec<&Volume> = assembly.volumes.iter().filter(same).collect();
    let mut left = 0;
    let mut short = Vec::new();
    for device in &devices {
        match stands(assembly, &device.name, disk, 0) {
            Stands::Yes(below) => {
                left += 1;
                short.extend(below);
            }
            Stands::No(_) => short.extend(containers(assembly, &device.name)),
            Stands::Unknown(why) => return Stands::Unknown(why),
        }
    }
    let missing = own.devices.saturating_sub(left);
    if missing == 0 {
        return Stands::Yes(short);
    }
    let mut told = devices.iter().filter_map(|d| member(d)?.profiles.as_ref());
    let Some(profiles) = told.next() else {
        let what = &volume.name;
        return Stands::Unknown(format!("how {what} spreads its data could not be read"));
    };
    if left == 0 || missing > u64::from(profiles.spare_devices()) {
        return Stands::No(format!(
            "its btrfs keeps data on the other disks only (data {}, metadata {})",
            profiles.data.join(" and "),
            profiles.metadata.join(" and ")
        ));
    }
    short.push(Short::Btrfs(volume.name.clone()));
    Stands::Yes(short)
}

/// Containers that `name` stands on, for layers that do without it.
fn containers(assembly: &Assembly, name: &str) -> Vec<Short> {
    let below = assembly.below(name);
    let volumes = assembly.volumes.iter();
    let unlocked = volumes.filter(|v| v.layer == Layer::Unlocked && below.contains(&v.name));
    unlocked
        .flat_map(|volume| &volume.on)
        .map(|container| Short::Container(container.clone()))
        .collect()
}

fn stands(assembly: &Assembly, name: &str, disk: &str, depth: usize) -> Stands {
    let Some(volume) = assembly.volume(name).filter(|_| depth < DEPTH_MAX) else {
        return Stands::Unknown(format!("where {name} lies is not known"));
    };
    let below = |name: &str| stands(assembly, name, disk, depth + 1);
    match &volume.layer {
        Layer::Disk | Layer::Partition => match volume.disks.iter().any(|own| own == disk) {
            true => Stands::Yes(Vec::new()),
            false => Stands::No(format!("{name} is on another disk")),
        },
        Layer::Array { uuid } => {
            let array = assembly.arrays.iter().find(|array| array.uuid == *uuid);
            match array {
                Some(array) => of_array(assembly, array, &below),
                None => Stands::Unknown(format!("the members of {name} are not known")),
            }
        }
        Layer::Logical { group } => of_group(assembly, volume, group, &below),
        Layer::Unlocked => match volume.on.first() {
            Some(container) => below(container),
            None => Stands::Unknown(format!("where {name} lies is not known")),
        },
    }
}

fn of_array(assembly: &Assembly, array: &Array, below: &dyn Fn(&str) -> Stands) -> Stands {
    let mut left: u32 = 0;
    let mut short = Vec::new();
    for leg in array.legs.iter().filter(|leg| leg.is_fresh()) {
        match below(&leg.name) {
            Stands::Yes(more) => {
                left += 1;
                short.extend(more);
            }
            Stands::No(_) => short.extend(containers(assembly, &leg.name)),
            Stands::Unknown(why) => return Stands::Unknown(why),
        }
    }
    let missing = array.raid_disks.saturating_sub(left);
    if missing == 0 {
        return Stands::Yes(short);
    }
    let name = &array.name;
    let spare = match Level::of(array.level) {
        Some(Level::Raid1) => array.raid_disks.saturating_sub(1),
        Some(Level::Raid4 | Level::Raid5) => 1,
        Some(Level::Raid6) => 2,
        Some(Level::Raid10) if array.raid_disks == 2 => 1,
        Some(Level::Raid10) if left > 0 => {
            return Stands::Unknown(format!("which members of {name} are copies is not judged"));
        }
        Some(Level::Raid0 | Level::Linear | Level::Raid10) | None => 0,
    };
    if left == 0 || missing > spare {
        return Stands::No(format!(
            "{name} needs more of its members than this disk has"
        ));
    }
    short.push(Short::Array(array.uuid.clone()));
    Stands::Yes(short)
}

fn of_group(
    assembly: &Assembly,
    volume: &Volume,
    group: &str,
    below: &dyn Fn(&str) -> Stands,
) -> Stands {
    let name = &volume.name;
    let Some(group) = assembly.groups.iter().find(|own| own.uuid == group) else {
        return Stands::Unknown(format!("the volume group of {name} is not known"));
    };
    let mut own = group.volumes.iter();
    let kind = own
        .find(|own| own.name == *name)
        .map_or("", |own| own.kind.as_str());
    let (mut left, mut gone, mut whole) = (0, 0, group.missing.is_empty());
    let mut short = Vec::new();
    for physical in &group.on {
        let is_own = volume.on.contains(physical);
        match below(physical) {
            Stands::Yes(more) if is_own => {
                left += 1;
                short.extend(more);
            }
            Stands::Yes(_) => {}
            Stands::No(_) => {
                whole = false;
                short.extend(containers(assembly, physical));
                gone += u32::from(is_own);
            }
            Stands::Unknown(why) => return Stands::Unknown(why),
        }
    }
    let copies = matches!(kind, "raid1" | "mirror");
    if left == 0 || (gone > 0 && kind == "linear") || (gone > 0 && kind == "striped") {
        return Stands::No(format!("a part of {name} is on another disk"));
    }
    if gone > 0 && !copies {
        return Stands::Unknown(format!("what {name} ({kind}) can lose is not judged"));
    }
    if !whole {
        short.push(Short::Group(name.clone()));
    }
    Stands::Yes(short)
}
