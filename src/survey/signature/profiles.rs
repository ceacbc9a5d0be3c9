//! How a btrfs spreads its data over its devices: read from the chunk tree,
//! whose own place is in the superblock.
//!
//! `include/uapi/linux/btrfs_tree.h`: `struct btrfs_super_block`, `btrfs_chunk`,
//! `btrfs_header`.

use std::fs::File;

use serde::{Deserialize, Serialize};

use super::btrfs::SB;
use super::{Source, u16_at, u32_at, u64_at};

/// Most nodes of a tree that are read: enough for some 20 TiB.
const NODES_MAX: usize = 256;

const DATA: u64 = 1;
const SYSTEM: u64 = 2;
const METADATA: u64 = 4;

/// The bits that tell a profile; none of them is `single`.
const PROFILES: [(u64, &str, u32); 8] = [
    (0x8, "raid0", 0),
    (0x10, "raid1", 1),
    (0x20, "dup", 0),
    (0x40, "raid10", 1),
    (0x80, "raid5", 1),
    (0x100, "raid6", 2),
    (0x200, "raid1c3", 2),
    (0x400, "raid1c4", 3),
];

/// The profiles in use, by kind of data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Profiles {
    /// Of file content: `raid1`, `single`, ...
    pub data: Vec<String>,
    /// Of the trees.
    pub metadata: Vec<String>,
    /// Of the chunk tree.
    pub system: Vec<String>,
}

impl Profiles {
    /// How many devices may be missing.
    pub fn spare_devices(&self) -> u32 {
        let all = [&self.data, &self.metadata, &self.system];
        let spare = |name: &String| {
            let known = PROFILES.iter().find(|(_, known, _)| known == name);
            known.map_or(0, |(_, _, spare)| *spare)
        };
        all.into_iter().flatten().map(spare).min().unwrap_or(0)
    }

    fn add(&mut self, kind: u64) {
        let known = PROFILES.iter().find(|(bit, ..)| kind & bit != 0);
        let name = known.map_or("single", |(_, name, _)| name);
        for (bit, list) in [
            (DATA, &mut self.data),
            (METADATA, &mut self.metadata),
            (SYSTEM, &mut self.system),
        ] {
            if kind & bit != 0 && list.iter().all(|other| other != name) {
                list.push(name.to_owned());
            }
        }
    }
}

/// A stretch of the filesystem's addresses, and where it lies on this device.
struct Chunk {
    start: u64,
    length: u64,
    kind: u64,
    here: Option<u64>,
}

/// Reads the profiles; none where the chunk tree is not on this device, or is
/// not what it should be. `head` begins at the device's first byte.
pub(super) fn read(head: &[u8], file: &File, source: &Source) -> Option<Profiles> {
    let device = u64_at(head, SB + 0xC9)?;
    let node_bytes = usize::try_from(u32_at(head, SB + 0x94)?).ok()?;
    if !node_bytes.is_power_of_two() || !(4096..=65536).contains(&node_bytes) {
        return None;
    }
    let known = system_chunks(head, device)?;
    let mut profiles = Profiles::default();
    let mut todo = vec![u64_at(head, SB + 0x58)?];
    for _ in 0..NODES_MAX {
        let Some(address) = todo.pop() else {
            return Some(profiles);
        };
        let node = source
            .read_at(file, place(&known, address)?, node_bytes)
            .ok()?;
        if u64_at(&node, 48)? != address {
            return None;
        }
        let count = usize::try_from(u32_at(&node, 96)?).ok()?;
        match node.get(100)? {
            0 => leaf(&node, count, &mut profiles)?,
            _ => todo.extend(children(&node, count)?),
        }
    }
    None
}

/// The chunks of the chunk tree itself, from the superblock.
fn system_chunks(head: &[u8], device: u64) -> Option<Vec<Chunk>> {
    let bytes = usize::try_from(u32_at(head, SB + 0xA0)?).ok()?;
    let all = head.get(SB + 0x32B..)?.get(..bytes.min(2048))?;
    let mut chunks = Vec::new();
    let mut at = 0;
    while at + 17 + 48 < all.len() {
        let start = u64_at(all, at + 9)?;
        let item = all.get(at + 17..)?;
        let stripes = usize::from(u16_at(item, 44)?);
        chunks.push(Chunk {
            start,
            length: u64_at(item, 0)?,
            kind: u64_at(item, 24)?,
            here: (0..stripes).find_map(|index| {
                let own = u64_at(item, 48 + 32 * index)? == device;
                own.then(|| u64_at(item, 48 + 32 * index + 8)).flatten()
            }),
        });
        at += 17 + 48 + 32 * stripes;
    }
    Some(chunks)
}

/// Where an address lies on this device. Stripes are not followed: what they
/// are spread over is lost with one device.
fn place(chunks: &[Chunk], address: u64) -> Option<u64> {
    const STRIPED: u64 = 0x8 | 0x40 | 0x80 | 0x100;
    let mut chunks = chunks.iter();
    let chunk = chunks.find(|chunk| {
        let inside = address.checked_sub(chunk.start);
        inside.is_some_and(|inside| inside < chunk.length)
    })?;
    if chunk.kind & STRIPED != 0 {
        return None;
    }
    chunk.here?.checked_add(address - chunk.start)
}

/// The chunks that a leaf describes.
fn leaf(node: &[u8], count: usize, profiles: &mut Profiles) -> Option<()> {
    const CHUNK_ITEM: u8 = 228;
    for index in 0..count.min(node.len() / 25) {
        let item = node.get(101 + 25 * index..)?;
        if *item.get(8)? != CHUNK_ITEM {
            continue;
        }
        let at = usize::try_from(u32_at(item, 17)?).ok()?;
        profiles.add(u64_at(node.get(101..)?.get(at..)?, 24)?);
    }
    Some(())
}

fn children(node: &[u8], count: usize) -> Option<Vec<u64>> {
    let pointers = 0..count.min(node.len() / 33);
    pointers
        .map(|index| u64_at(node, 101 + 33 * index + 17))
        .collect()
}
