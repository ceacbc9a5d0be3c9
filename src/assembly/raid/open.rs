//! Opening an array: for looking without a possible write, or for a repair.

use std::cmp::Reverse;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::super::device::Device;
use super::refuse::may_be_written;
use super::running::{Claim, claiming, kernel_name};
use super::{Array, Leg, Level, Standing, State};
use crate::kmod;
use crate::survey::superblock::feature;
use crate::sys::consent::WriteToken;
use crate::sys::loopdev::Access;
use crate::sys::md::{self, MdArray, Member, Shape};

/// How an array was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By the md driver, without metadata, on read-only loop devices.
    MdWithoutMetadata,
    /// The data of one leg, through a read-only loop device.
    OneLeg,
    /// By the md driver and the array's own metadata, for writing.
    MdForWriting,
    /// As the rescue system runs it already.
    Adopted,
}

/// Where an opened array can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Opened {
    /// Its block device.
    pub device: PathBuf,
    /// How it came to be.
    pub how: How,
    /// The legs in it.
    pub legs: Vec<String>,
}

/// What keeps an array open; dropping it closes everything again.
#[derive(Debug)]
pub struct Handle {
    // The order matters: the array goes before the devices below it.
    array: Option<MdArray>,
    _members: Vec<Device>,
}

impl Handle {
    /// Stops the array and says when that fails.
    ///
    /// # Errors
    /// The kernel's.
    pub fn close(self) -> Result<()> {
        match self.array {
            Some(array) => array.stop().context("stopping the array"),
            None => Ok(()),
        }
    }
}

/// Opens `array` so that nothing can be written to its members.
///
/// # Errors
/// Its state forbids it, a feature that this kernel lacks, or its refusal.
pub fn open_for_looking(array: &Array) -> Result<(Handle, Opened)> {
    if let State::Unusable { why } = &array.state {
        bail!("{why}");
    }
    if array.state == State::Diverged {
        bail!("its members each went on without the other");
    }
    let Some(level) = Level::of(array.level) else {
        bail!("RAID level {} is not opened", array.level);
    };
    // What runs for writing is newer in its memory than on its members.
    let active = array.running.as_ref().is_some_and(Claim::is_active);
    if active && let Ok(Some(adopted)) = adopt(array) {
        return Ok(adopted);
    }
    let alone = holds_everything(array);
    if let (Some(_), Some(leg)) = (array.differing(), alone) {
        // Each read would be answered by another of them.
        return open_one_leg(leg);
    }
    // An image is no device of this machine: its mirrors need no md.
    let by_md = alone.is_none() || array.legs.iter().all(|leg| leg.source.is_device());
    let error = match by_md.then(|| open_by_md(array, level)) {
        Some(Ok(opened)) => return Ok(opened),
        Some(Err(error)) => Some(error),
        None => None,
    };
    // Without a loop driver the members are busy while an array runs.
    if let Ok(Some(adopted)) = adopt(array) {
        return Ok(adopted);
    }
    match (alone, error) {
        (Some(leg), _) => open_one_leg(leg),
        (None, Some(error)) => Err(error),
        (None, None) => bail!("it cannot be opened"),
    }
}

/// A leg that holds all of the array's data in its order, where one does: the
/// best of them.
fn holds_everything(array: &Array) -> Option<&Leg> {
    let bad_sectors = |leg: &Leg| -> u64 {
        let list = leg.superblock.bad_blocks.iter();
        list.flat_map(|list| &list.ranges).map(|r| r.sectors).sum()
    };
    let written = |leg: &Leg| {
        let inside = leg.superblock.inside.as_ref();
        inside.and_then(|inside| inside.written.or(inside.counter))
    };
    let leg = array
        .fresh_legs()
        .min_by_key(|leg| (Reverse(written(leg)), bad_sectors(leg)))?;
    let slots = array.raid_disks;
    let whole = match Level::of(array.level)? {
        Level::Raid1 => true,
        Level::Linear | Level::Raid0 => slots == 1,
        // As many near copies as members: a mirror under another name.
        Level::Raid10 => leg.superblock.layout == 0x100 | slots,
        Level::Raid4 | Level::Raid5 | Level::Raid6 => false,
    };
    whole.then_some(leg)
}

/// Makes the drivers available that an array of `level` needs.
fn drivers(level: Level) -> Result<()> {
    // Since 6.14 the driver of linear arrays has another name.
    let names: &[&str] = match level {
        Level::Linear => &["linear", "md_linear"],
        other => &[other.module()],
    };
    let missing = kmod::ensure(&["loop", "md_mod"]);
    if let (Some(missing), false) = (missing.first(), md::available()) {
        bail!("this kernel has no {}: {}", missing.name, missing.reason);
    }
    let mut refused = None;
    for name in names {
        match kmod::ensure(&[name]).pop() {
            None => return Ok(()),
            Some(missing) => refused = refused.or(Some(missing)),
        }
    }
    match refused {
        Some(missing) => bail!("this kernel has no {}: {}", missing.name, missing.reason),
        None => Ok(()),
    }
}

fn open_by_md(array: &Array, level: Level) -> Result<(Handle, Opened)> {
    drivers(level)?;
    let first = array.fresh_legs().next().context("no current member")?;
    let own = &first.superblock;
    let mut devices = Vec::new();
    let mut members = Vec::new();
    let mut names = Vec::new();
    for leg in &array.legs {
        let Standing::Fresh { slot } = leg.standing else {
            continue;
        };
        let device = Device::open(&leg.source, leg.sector_bytes, Access::ReadOnly)
            .with_context(|| format!("a read-only view of {}", leg.name))?;
        members.push(Member {
            number: device.number(),
            slot: u32::from(slot),
            data_offset: leg.superblock.data_offset,
            sectors: leg.superblock.used(),
            bad: bad_blocks(leg),
        });
        devices.push(device);
        names.push(leg.name.clone());
    }
    members.sort_by_key(|member| member.slot);
    let sizes: Vec<u64> = members.iter().map(|member| member.sectors).collect();
    let inner = sizes.split_last().map_or(&[][..], |(_, inner)| inner);
    if level == Level::Linear && own.chunk == 0 && inner.iter().any(|size| size % 2 == 1) {
        bail!("a member ends in the middle of a KiB, which this way of opening cannot do");
    }
    let shape = Shape {
        level: level.name().into(),
        raid_disks: array.raid_disks,
        component_sectors: (own.size != 0).then_some(own.size),
        chunk_sectors: own.chunk,
        layout: layout(array, level, &sizes),
        copies_differ: array.dirty() && matches!(level, Level::Raid1 | Level::Raid10),
    };
    let md = MdArray::assemble_read_only(&shape, &members).context("starting the array")?;
    let wanted = level.sectors(&sizes, array.raid_disks, own.layout, own.chunk);
    let got = md.bytes().context("the array's size")? / 512;
    // An odd last sector cannot be had.
    if wanted.is_none_or(|wanted| wanted & !1 != got & !1) {
        bail!("the kernel made {got} sectors of it, its superblocks say {wanted:?}");
    }
    let opened = Opened {
        device: md.node().to_owned(),
        how: How::MdWithoutMetadata,
        legs: names,
    };
    let handle = Handle {
        array: Some(md),
        _members: devices,
    };
    Ok((handle, opened))
}

/// The stretches that the kernel must not read from `leg`: where a write to it
/// failed, it holds old data.
fn bad_blocks(leg: &Leg) -> Vec<(u64, u64)> {
    let list = leg.superblock.bad_blocks.iter();
    let ranges = list.flat_map(|list| &list.ranges);
    ranges.map(|range| (range.sector, range.sectors)).collect()
}

/// The layout as sysfs wants it; none where the level has none.
fn layout(array: &Array, level: Level, sizes: &[u64]) -> Option<u32> {
    let own = array.freshest()?;
    match level {
        Level::Linear | Level::Raid1 => None,
        Level::Raid0 => {
            let written = own.features & feature::RAID0_LAYOUT != 0 || own.of_firmware();
            let alike = sizes.windows(2).all(|pair| pair[0] == pair[1]);
            // Unwritten (before mdadm 4.2): the layout of kernels since 3.14,
            // which only matters where members differ.
            Some(if written && !alike && own.layout != 0 {
                own.layout
            } else {
                2
            })
        }
        _ => Some(own.layout),
    }
}

fn open_one_leg(leg: &Leg) -> Result<(Handle, Opened)> {
    let source = &leg.source;
    let offset = leg.superblock.data_offset.saturating_mul(512);
    let data = source.part(offset, leg.superblock.used().saturating_mul(512));
    let device = Device::open(&data, leg.sector_bytes, Access::ReadOnly)
        .with_context(|| format!("a read-only view of the data on {}", leg.name))?;
    let opened = Opened {
        device: device.path().to_owned(),
        how: How::OneLeg,
        legs: vec![leg.name.clone()],
    };
    let handle = Handle {
        array: None,
        _members: vec![device],
    };
    Ok((handle, opened))
}

/// Opens `array` for writing, by its own metadata, with every fresh leg.
///
/// # Errors
/// No md driver, disk images, a state that forbids it, the kernel's refusal.
pub fn open_for_writing(array: &Array, consent: &WriteToken) -> Result<(Handle, Opened)> {
    if !matches!(array.state, State::Complete | State::Degraded) {
        bail!("the array {} cannot be opened for writing", array.name);
    }
    may_be_written(array)?;
    if !md::available() {
        bail!(
            "this kernel has no md driver, and writing to one leg alone would \
             split the mirror; boot the rescue image of lifeboot instead"
        );
    }
    if let Some(adopted) = adopt(array)? {
        return Ok(adopted);
    }
    if let Some(level) = Level::of(array.level) {
        drivers(level)?;
    }
    let version = array.freshest().map_or("1.2", |own| own.version.as_str());
    let mut devices = Vec::new();
    let mut members = Vec::new();
    let mut names = Vec::new();
    // The freshest comes last: the kernel then takes its view of the array.
    let journal = |leg: &&Leg| leg.standing == Standing::Journal;
    let fresh = array.legs.iter().rev().filter(|leg| leg.is_fresh());
    for leg in array.legs.iter().filter(journal).chain(fresh) {
        let device = Device::open(&leg.source, leg.sector_bytes, Access::ReadWrite)
            .with_context(|| format!("opening {} for writing", leg.name))?;
        let number = device.number();
        devices.push(device);
        members.push(number);
        names.push(leg.name.clone());
    }
    let md = MdArray::assemble_for_writing(version, &members, consent)
        .with_context(|| format!("starting the array {}", array.name))?;
    let opened = Opened {
        device: md.node().to_owned(),
        how: How::MdForWriting,
        legs: names,
    };
    let handle = Handle {
        array: Some(md),
        _members: devices,
    };
    Ok((handle, opened))
}

/// The array as the rescue system runs it already; it is used as it is, and
/// left running.
///
/// # Errors
/// It runs in a state in which it cannot be used, with what to do.
fn adopt(array: &Array) -> Result<Option<(Handle, Opened)>> {
    let Some(running) = claiming(array) else {
        return Ok(None);
    };
    let freshest = array.legs.iter().find(|leg| leg.is_fresh());
    let name = &running.name;
    if !freshest.is_some_and(|leg| running.members.contains(&kernel_name(leg))) {
        bail!("{name} runs it without its freshest member; stop it: mdadm --stop /dev/{name}");
    }
    if ["inactive", "clear", "readonly", "suspended"].contains(&running.state.as_str()) {
        let state = &running.state;
        bail!("{name} holds its members and is {state}; stop it: mdadm --stop /dev/{name}");
    }
    let opened = Opened {
        device: running.node,
        how: How::Adopted,
        legs: running.members,
    };
    // What runs is not ours to stop.
    let nothing = Handle {
        array: None,
        _members: Vec::new(),
    };
    Ok(Some((nothing, opened)))
}
