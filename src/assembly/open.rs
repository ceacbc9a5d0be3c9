//! Opening an array: for looking without a possible write, or for a repair.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Array, Leg, Standing, State};
use crate::sys::consent::WriteToken;
use crate::sys::loopdev::{Access, LoopDevice};
use crate::sys::md::{self, MdArray, Member, Shape};

/// How an array was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By the md driver, without metadata, on read-only loop devices.
    MdWithoutMetadata,
    /// The data of one leg, through a read-only loop device.
    OneLeg,
    /// By the md driver and the array's own metadata, for writing.
    MdForWriting,
}

/// Where an opened array can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    _loops: Vec<LoopDevice>,
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

    /// The array's kernel name, where the md driver runs it.
    pub fn array_name(&self) -> Option<&str> {
        self.array.as_ref().map(MdArray::name)
    }
}

/// Opens `array` so that nothing can be written to its members.
///
/// # Errors
/// Its state forbids it, or the kernel's refusal.
pub fn open_for_looking(array: &Array) -> Result<(Handle, Opened)> {
    if let State::Unusable { why } = &array.state {
        bail!("{why}");
    }
    if array.state == State::Diverged {
        bail!("its members each went on without the other");
    }
    if md::available() && array.legs.iter().all(|leg| is_device(&leg.source.path)) {
        match open_by_md(array) {
            Ok(opened) => return Ok(opened),
            Err(error) if !array.legs.iter().any(Leg::is_fresh) => return Err(error),
            // A mirror's leg holds everything: look at that instead.
            Err(_) => {}
        }
    }
    open_one_leg(array)
}

fn open_by_md(array: &Array) -> Result<(Handle, Opened)> {
    let mut loops = Vec::new();
    let mut members = Vec::new();
    let mut names = Vec::new();
    let mut component_sectors = 0;
    for leg in &array.legs {
        let Standing::Fresh { slot } = leg.standing else {
            continue;
        };
        let source = &leg.source;
        let device = LoopDevice::attach(
            &source.path,
            source.offset,
            source.bytes,
            leg.sector_bytes,
            Access::ReadOnly,
        )
        .with_context(|| format!("a read-only view of {}", leg.name))?;
        members.push(Member {
            number: device.number(),
            slot: u32::from(slot),
            data_offset: leg.superblock.data_offset,
        });
        component_sectors = leg.superblock.size;
        names.push(leg.name.clone());
        loops.push(device);
    }
    let shape = Shape {
        level: "raid1".into(),
        raid_disks: array.raid_disks,
        component_sectors,
    };
    let md = MdArray::assemble_read_only(&shape, &members).context("starting the array")?;
    let opened = Opened {
        device: md.node().to_owned(),
        how: How::MdWithoutMetadata,
        legs: names,
    };
    let handle = Handle {
        array: Some(md),
        _loops: loops,
    };
    Ok((handle, opened))
}

fn open_one_leg(array: &Array) -> Result<(Handle, Opened)> {
    let leg = array
        .legs
        .iter()
        .find(|leg| leg.is_fresh())
        .context("no leg with current data")?;
    let source = &leg.source;
    let offset = leg.superblock.data_offset.saturating_mul(512);
    let data = source.part(offset, leg.superblock.size.saturating_mul(512));
    let device = LoopDevice::attach(
        &data.path,
        data.offset,
        data.bytes,
        leg.sector_bytes,
        Access::ReadOnly,
    )
    .with_context(|| format!("a read-only view of the data on {}", leg.name))?;
    let opened = Opened {
        device: device.path().to_owned(),
        how: How::OneLeg,
        legs: vec![leg.name.clone()],
    };
    let handle = Handle {
        array: None,
        _loops: vec![device],
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
    if !md::available() {
        bail!(
            "this kernel has no md driver, and writing to one leg alone would \
             split the mirror; boot the rescue image of lifeboot instead"
        );
    }
    let mut loops = Vec::new();
    let mut members = Vec::new();
    let mut names = Vec::new();
    // The freshest comes last: the kernel then takes its view of the array.
    for leg in array.legs.iter().rev().filter(|leg| leg.is_fresh()) {
        let number = if is_device(&leg.source.path) && leg.source.offset == 0 {
            let file = leg.source.open()?;
            crate::sys::node::device_number(&file)?
        } else {
            let source = &leg.source;
            let device = LoopDevice::attach(
                &source.path,
                source.offset,
                source.bytes,
                leg.sector_bytes,
                Access::ReadWrite,
            )
            .with_context(|| format!("opening {} for writing", leg.name))?;
            let number = device.number();
            loops.push(device);
            number
        };
        members.push(number);
        names.push(leg.name.clone());
    }
    let md = MdArray::assemble_for_writing("1.2", &members, consent)
        .with_context(|| format!("starting the array {}", array.name))?;
    let opened = Opened {
        device: md.node().to_owned(),
        how: How::MdForWriting,
        legs: names,
    };
    let handle = Handle {
        array: Some(md),
        _loops: loops,
    };
    Ok((handle, opened))
}

fn is_device(path: &Path) -> bool {
    path.starts_with("/dev")
}
