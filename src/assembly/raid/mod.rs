//! RAID: which members make an array, and which of them to trust.

use serde::{Deserialize, Serialize};

use crate::survey::Source;
use crate::survey::superblock::Superblock;

mod judge;
mod level;
mod open;
mod refuse;
mod running;

pub use judge::judge;
pub use level::Level;
pub use open::{Handle, How, Opened, open_for_looking, open_for_writing};
pub use running::{Claim, claim_on};

/// The level number of a mirror.
pub const RAID1: i32 = 1;

/// How a member stands towards the freshest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Holds the write journal.
    Journal,
    /// Went on without the members that the operator chose.
    OtherSide,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

    /// True when `name` means it: itself or its disk, with or without `/dev/`.
    pub fn is_called(&self, name: &str) -> bool {
        let bare = |name: &str| name.strip_prefix("/dev/").unwrap_or(name).to_owned();
        [&self.name, &self.disk]
            .iter()
            .any(|n| bare(n) == bare(name))
    }
}

/// The state of an array as its superblocks tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Array {
    /// UUID of the array.
    pub uuid: String,
    /// `host:name`.
    pub name: String,
    /// 1 for RAID1; see [`Level`].
    pub level: i32,
    /// Number of slots.
    pub raid_disks: u32,
    /// Its members, freshest first.
    pub legs: Vec<Leg>,
    /// Slots without a fresh member.
    pub missing: Vec<u32>,
    /// Whether and how it can be used.
    pub state: State,
    /// What an operator must know about data read from it.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What of the rescue system holds its members.
    #[serde(default)]
    pub running: Option<Claim>,
    /// How it was opened, once it was.
    pub opened: Option<Opened>,
}

impl Array {
    /// How the operator names the array, and its volume.
    pub fn volume_name(&self) -> String {
        format!("array {}", self.name)
    }

    /// True when the kernel itself keeps the metadata, so that it can be opened
    /// for writing; that of firmware is kept by mdmon.
    pub fn kernel_keeps_it(&self) -> bool {
        self.freshest().is_some_and(|own| !own.of_firmware())
    }

    /// The superblock of the freshest member.
    pub fn freshest(&self) -> Option<&Superblock> {
        self.legs.first().map(|leg| &leg.superblock)
    }

    /// The legs whose data may be used.
    pub fn fresh_legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.is_fresh())
    }

    /// True when a current member is in the middle of a change of shape.
    pub fn is_reshaping(&self) -> bool {
        self.fresh_legs()
            .any(|leg| leg.superblock.reshape.is_some())
    }

    /// The members that the operator's choice left out.
    pub fn left_out(&self) -> impl Iterator<Item = &Leg> {
        let other = |leg: &&Leg| leg.standing == Standing::OtherSide;
        self.legs.iter().filter(other)
    }

    /// True when two members each count the other as gone: each went on
    /// without it.
    pub fn is_split(&self) -> bool {
        judge::diverged(&self.legs)
    }

    /// Two current members of a mirror whose filesystems say different things
    /// of themselves. After a crash that is normal, so the array must be clean;
    /// of a split one it is known anyway.
    pub fn differing(&self) -> Option<[&Leg; 2]> {
        if self.level != RAID1 || self.dirty() || self.is_split() {
            return None;
        }
        let inside = |leg: &&Leg| leg.superblock.inside.is_some();
        let mut legs = self.fresh_legs().filter(inside);
        let first = legs.next()?;
        let own = &first.superblock;
        let other = legs.find(|leg| {
            let others = &leg.superblock;
            others.inside != own.inside && others.events == own.events
        })?;
        Some([first, other])
    }

    /// True when writes were under way when it was last stopped.
    pub fn dirty(&self) -> bool {
        self.fresh_legs().any(|leg| !leg.superblock.clean)
    }
}

#[cfg(test)]
mod judge_properties_tests;
#[cfg(test)]
mod judge_tests;
