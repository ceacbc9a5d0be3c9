//! Stage 2, assembly: which members make an array, and which to trust.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::survey::superblock::{Role, Superblock, feature};
use crate::survey::{Content, Source, Survey};

mod open;

pub use open::{Handle, How, Opened, open_for_looking, open_for_writing};

/// The level number of a mirror.
pub const RAID1: i32 = 1;

/// How a member stands towards the freshest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Standing {
    /// Holds the newest data of `slot`.
    Fresh {
        /// Its place in the array.
        slot: u16,
    },
    /// Missed updates: its data is old.
    Stale {
        /// Events that it missed.
        behind: u64,
    },
    /// Only partly rebuilt.
    Rebuilding,
    /// Holds no data.
    Spare,
    /// Failed, in the eyes of the freshest member.
    Faulty,
    /// Another member already stands in its slot.
    Duplicate,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// `/dev/nvme0n1p2`.
    pub name: String,
    /// The disk that it lies on.
    pub disk: String,
    /// Where to read it.
    pub source: Source,
    /// Sector size of its disk in bytes.
    pub sector_bytes: u32,
    /// What it says of itself and the others.
    pub superblock: Superblock,
    /// How it stands.
    pub standing: Standing,
}

impl Leg {
    /// True when its data may be used.
    pub fn is_fresh(&self) -> bool {
        matches!(self.standing, Standing::Fresh { .. })
    }
}

/// The state of an array as its superblocks tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum State {
    /// Every slot has a fresh member.
    Complete,
    /// Enough members, but not all.
    Degraded,
    /// The members each went on without the other: two truths.
    Diverged,
    /// It cannot be opened.
    Unusable {
        /// Why.
        why: String,
    },
}

/// One array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// UUID of the array.
    pub uuid: String,
    /// `host:name`.
    pub name: String,
    /// 1 for RAID1.
    pub level: i32,
    /// Number of slots.
    pub raid_disks: u32,
    /// Its members, freshest first.
    pub legs: Vec<Leg>,
    /// Slots without a fresh member.
    pub missing: Vec<u32>,
    /// Whether and how it can be used.
    pub state: State,
    /// How it was opened, once it was.
    pub opened: Option<Opened>,
}

/// Every array found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assembly {
    /// The arrays, by UUID.
    pub arrays: Vec<Array>,
}

/// Groups the members that the survey found and judges each.
pub fn judge(survey: &Survey) -> Assembly {
    let mut groups: BTreeMap<&str, Vec<Leg>> = BTreeMap::new();
    for volume in survey.volumes() {
        if let Content::RaidMember(superblock) = volume.content {
            groups.entry(&superblock.array_uuid).or_default().push(Leg {
                name: volume.name.to_owned(),
                disk: volume.disk.name.clone(),
                source: volume.source.clone(),
                sector_bytes: volume.disk.sector_bytes,
                superblock: (**superblock).clone(),
                standing: Standing::Spare,
            });
        }
    }
    Assembly {
        arrays: groups.into_values().filter_map(array_of).collect(),
    }
}

fn array_of(mut legs: Vec<Leg>) -> Option<Array> {
    // Freshest first; among equals the lowest slot, so that the order of the
    // disks does not matter. Update times are shown and never decide.
    legs.sort_by_key(|leg| {
        let in_sync =
            matches!(leg.superblock.role(), Role::Active(_)) && !leg.superblock.rebuilding();
        (
            std::cmp::Reverse(in_sync),
            std::cmp::Reverse(leg.superblock.events),
            leg.superblock.number,
        )
    });
    let freshest = legs.first()?.superblock.clone();
    let mut taken = Vec::new();
    for leg in &mut legs {
        leg.standing = standing(&leg.superblock, &freshest);
        if let Standing::Fresh { slot } = leg.standing {
            if taken.contains(&slot) {
                leg.standing = Standing::Duplicate;
            } else {
                taken.push(slot);
            }
        }
    }
    let missing: Vec<u32> = (0..freshest.raid_disks)
        .filter(|slot| !taken.iter().any(|t| u32::from(*t) == *slot))
        .collect();
    let state = state_of(&freshest, &legs, &missing);
    Some(Array {
        uuid: freshest.array_uuid.clone(),
        name: freshest.name.clone(),
        level: freshest.level,
        raid_disks: freshest.raid_disks,
        legs,
        missing,
        state,
        opened: None,
    })
}

/// The rule of mdadm and the kernel: one event behind still counts as fresh,
/// but its role is then read from the freshest member's table.
fn standing(own: &Superblock, freshest: &Superblock) -> Standing {
    if own.rebuilding() {
        return Standing::Rebuilding;
    }
    let behind = freshest.events.saturating_sub(own.events);
    let role = if behind == 0 {
        own.role()
    } else {
        freshest.role_of(own.number)
    };
    match role {
        _ if behind > 1 => Standing::Stale { behind },
        // A spare that was never part of it may count further than the array.
        _ if own.events > freshest.events => Standing::Spare,
        Role::Active(slot) => Standing::Fresh { slot },
        Role::Faulty => Standing::Faulty,
        Role::Spare | Role::Journal => Standing::Spare,
    }
}

fn state_of(freshest: &Superblock, legs: &[Leg], missing: &[u32]) -> State {
    let unusable = |why: String| State::Unusable { why };
    if freshest.level != RAID1 {
        return unusable(format!(
            "RAID level {} is not opened by this version",
            freshest.level
        ));
    }
    if freshest.features & feature::NOT_READ != 0 {
        return unusable(format!(
            "it uses features that are not read by this version (feature map {:#x})",
            freshest.features
        ));
    }
    if legs
        .iter()
        .any(|leg| leg.superblock.level != freshest.level || leg.superblock.size != freshest.size)
    {
        return unusable("its members disagree about level or size".into());
    }
    if diverged(legs) {
        return State::Diverged;
    }
    match legs.iter().filter(|leg| leg.is_fresh()).count() {
        0 => unusable("no member holds current data".into()),
        _ if missing.is_empty() => State::Complete,
        _ => State::Degraded,
    }
}

/// True when two members each went on and count the other as gone.
fn diverged(legs: &[Leg]) -> bool {
    let slot = |leg: &Leg| match leg.superblock.role() {
        Role::Active(slot) => Some(slot),
        _ => None,
    };
    // By slots, not by devices: an old disk that was replaced long ago does not
    // know its successor, and still counts the slot as filled (by itself).
    let empty = |one: &Leg, slot: u16| !one.superblock.roles.contains(&slot);
    legs.iter().enumerate().any(|(index, one)| {
        legs[index + 1..].iter().any(|other| {
            let (Some(own), Some(others)) = (slot(one), slot(other)) else {
                return false;
            };
            empty(one, others) && empty(other, own)
        })
    })
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
