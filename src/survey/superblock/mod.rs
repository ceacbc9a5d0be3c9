//! What marks a disk or partition as a member of a RAID array.
//!
//! The kernel's own formats 0.90 and 1.x (`include/uapi/linux/raid/md_p.h`),
//! and the firmware formats of Intel (IMSM) and SNIA (DDF).

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::little_endian::{u16_at, u32_at, u64_at};
use super::{Content, Source, sysfs};

mod badblocks;
mod bitmap;
mod choose;
mod ddf;
mod defect;
mod imsm;
mod inside;
mod role;
mod v090;
mod v1;

pub use badblocks::{BadBlocks, Range};
pub use bitmap::Bitmap;
pub use defect::Defect;
pub use imsm::parse as parse_imsm;
pub use inside::Inside;
pub use role::{Role, feature};
pub use v1::{checksum, parse};

use role::{FAULTY, SPARE};

const SECTOR_BYTES: u64 = 512;
const MAGIC: u32 = 0xa92b_4efc;
/// The kernel allows this many devices in an array.
const MAX_DEVICES: usize = 4096;

/// What one member says of itself and its array.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Superblock {
    /// `0.90`, `1.0`, `1.1`, `1.2`, `imsm`, `ddf`.
    pub version: String,
    /// Where it was found, in sectors from the start of the member.
    pub sector: u64,
    /// The array's UUID, as mdadm spells it.
    pub array_uuid: String,
    /// `host:name`; made up for 0.90, which has no names.
    pub name: String,
    /// 1 for RAID1; negative for linear and multipath.
    pub level: i32,
    /// Meaning depends on the level.
    pub layout: u32,
    /// Sectors used of each member; 0 where members differ (RAID0, linear).
    pub size: u64,
    /// Sectors in a chunk; 0 for RAID1.
    pub chunk: u32,
    /// Number of slots.
    pub raid_disks: u32,
    /// Where the data begins, in sectors.
    pub data_offset: u64,
    /// Sectors available for data.
    pub data_size: u64,
    /// This member's own UUID; 0.90 has none.
    pub device_uuid: Option<String>,
    /// This member's index into `roles`.
    pub number: u32,
    /// Bits that say which other fields and features are in use, as in 1.x.
    pub features: u32,
    /// Seconds since 1970 of the creation.
    pub created: u64,
    /// Seconds since 1970 of the last update.
    pub updated: u64,
    /// Counts updates of the array; the highest is the freshest.
    pub events: u64,
    /// True when no resync was pending.
    pub clean: bool,
    /// The role of every device: a slot, or one of [`Role`]'s marks.
    pub roles: Vec<u16>,
    /// Sectors that a rebuild of this member has filled so far.
    pub recovery_offset: Option<u64>,
    /// True when it is read only where no other member can be.
    pub write_mostly: bool,
    /// A change of shape under way.
    pub reshape: Option<Reshape>,
    /// The write-intent bitmap's header, where one is kept.
    pub bitmap: Option<Bitmap>,
    /// Blocks that are known to be bad, where a list is kept.
    pub bad_blocks: Option<BadBlocks>,
    /// Logical block size in bytes that the array insists on (kernels from
    /// 6.19 on; older ones refuse such a member). 0 for none.
    pub logical_block_bytes: u32,
    /// The md number that the array wants (0.90 only).
    pub preferred_minor: Option<u32>,
    /// The filesystem that begins where the data begins.
    pub inside: Option<Inside>,
}

/// A change of an array's shape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reshape {
    /// How far it is, in sectors of the array.
    pub position: u64,
    /// True when it goes from the end to the beginning.
    pub backwards: bool,
    /// The level that it will have.
    pub level: i32,
    /// Members that come in (or go, when negative).
    pub delta_disks: i32,
    /// The layout that it will have.
    pub layout: u32,
    /// Its chunk, in sectors.
    pub chunk: u32,
    /// Where the data will begin, relative to where it begins now, in sectors.
    pub new_offset: i32,
}

/// Everything on one disk or partition that speaks of arrays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Member {
    /// The arrays that it is a member of: one, or the volumes of a container.
    pub arrays: Vec<Superblock>,
    /// Superblocks left behind by earlier arrays.
    #[serde(default)]
    pub also: Vec<Superblock>,
}

impl Member {
    /// A member of one array.
    pub fn of(superblock: Superblock) -> Self {
        Self {
            arrays: vec![superblock],
            also: Vec::new(),
        }
    }
}

impl Superblock {
    /// True for the formats that the firmware of a controller or mainboard
    /// reads.
    pub fn of_firmware(&self) -> bool {
        matches!(self.version.as_str(), "imsm" | "ddf")
    }

    /// The role of device `number` in this member's eyes.
    pub fn role_of(&self, number: u32) -> Role {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        self.roles
            .get(index)
            .copied()
            .map_or(Role::Spare, Role::from)
    }

    /// This member's own role in its own eyes.
    pub fn role(&self) -> Role {
        self.role_of(self.number)
    }

    /// True while the member is only partly rebuilt.
    pub fn rebuilding(&self) -> bool {
        self.features & feature::RECOVERY_OFFSET != 0
    }

    /// True when it stands in for a member that is still there.
    pub fn replacement(&self) -> bool {
        self.features & feature::REPLACEMENT != 0
    }

    /// Sectors of data on this member.
    pub fn used(&self) -> u64 {
        match self.size {
            0 => self.data_size,
            size => size,
        }
    }

    /// True when it lies behind the data, which then begins where the member
    /// begins.
    pub fn at_end(&self) -> bool {
        self.sector >= self.data_offset.saturating_add(self.used())
    }
}

/// Looks for a member of an array on `source`; `whole` when that is no
/// partition.
///
/// # Errors
/// The disk's, when it cannot be read.
pub fn probe(file: &File, source: &Source, whole: bool) -> io::Result<Option<Content>> {
    let found = find(file, source, whole)?;
    if found.members.is_empty() {
        return Ok(found.defects.first().map(|defect| Content::RaidUnusable {
            why: defect.to_string(),
        }));
    }
    let member = choose::choose(found.members);
    Ok(Some(Content::RaidMember(Box::new(member))))
}

/// The same for a disk that has partitions: none where only what a partition
/// `covers` (asked by byte) speaks of arrays, or what is damaged.
///
/// # Errors
/// The disk's, when it cannot be read.
pub(super) fn probe_disk(
    file: &File,
    source: &Source,
    covers: impl Fn(u64) -> bool,
) -> io::Result<Option<Content>> {
    let mut found = find(file, source, true)?;
    let covered = |one: &Superblock| covers(one.sector.saturating_mul(SECTOR_BYTES));
    found.members.retain(|place| !place.iter().any(covered));
    if !found.members.is_empty() {
        let member = choose::choose(found.members);
        return Ok(Some(Content::RaidMember(Box::new(member))));
    }
    // Firmware RAID lies in the last sectors.
    let named = |defect: &&Defect| matches!(defect, Defect::NotOpened(_));
    let why = found.defects.iter().find(named).map(ToString::to_string);
    let uncovered = !covers(source.bytes.saturating_sub(SECTOR_BYTES));
    Ok(why
        .filter(|_| uncovered)
        .map(|why| Content::RaidUnusable { why }))
}

/// What was found at the places where superblocks lie.
#[derive(Debug, Default)]
struct Found {
    /// What speaks of arrays, each place by itself.
    members: Vec<Vec<Superblock>>,
    /// What only looks like it.
    defects: Vec<Defect>,
}

impl Found {
    fn add(&mut self, result: Probed<Vec<Superblock>>) {
        match result {
            Ok(Some(members)) => self.members.push(members),
            Ok(None) => {}
            Err(defect) => self.defects.push(defect),
        }
    }
}

/// Every superblock on `source`, valid or not.
fn find(file: &File, source: &Source, whole: bool) -> io::Result<Found> {
    let mut found = Found::default();
    // Those in their usual places first: a defect there is told first.
    for result in [
        v1::find(file, source, v1::Place::Behind4k)?,
        v1::find(file, source, v1::Place::Start)?,
        v1::find(file, source, v1::Place::End)?,
        v090::find(file, source)?,
    ] {
        found.add(result.map(|one| one.map(|one| vec![one])));
    }
    if whole {
        let serial = sysfs::serial_of(&source.path);
        found.add(imsm::find(file, source, serial.as_deref())?);
        found.add(ddf::find(file, source)?);
    }
    for superblock in found.members.iter_mut().flatten() {
        superblock.inside = inside::look(file, source, superblock)?;
    }
    Ok(found)
}

/// What a place where a superblock may lie holds: nothing, one, or a bad one.
type Probed<T> = Result<Option<T>, Defect>;

/// Refuses a member whose data would lie outside of its device.
fn fits(found: Superblock, source: &Source) -> Result<Superblock, Defect> {
    let sectors = source.bytes / SECTOR_BYTES;
    if found.data_offset >= sectors {
        return Err(Defect::Nonsense("data offset"));
    }
    let room = sectors - found.data_offset;
    let striped = matches!(found.level, 0 | -1);
    if found.used() > room || found.size > found.data_size || (found.size == 0 && !striped) {
        // A journal or spare may be smaller than the members.
        let holds_data = matches!(found.role(), Role::Active(_));
        if holds_data || found.used() == 0 {
            return Err(Defect::Nonsense("size"));
        }
    }
    if found.used() == 0 {
        return Err(Defect::Nonsense("size"));
    }
    Ok(found)
}

/// Sixteen bytes as mdadm spells a UUID: four words with colons.
fn colon_uuid(raw: &[u8]) -> String {
    let words: Vec<String> = raw.chunks(4).map(hex::encode).collect();
    words.join(":")
}

fn text(raw: &[u8]) -> String {
    let end = raw.iter().position(|byte| *byte == 0).unwrap_or(raw.len());
    String::from_utf8_lossy(&raw[..end]).trim_end().to_owned()
}

#[cfg(test)]
mod choose_tests;
#[cfg(test)]
mod format_tests;
