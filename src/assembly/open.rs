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
    /// As the rescue system runs it already.
    Adopted,
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
        if let Ok(opened) = open_by_md(array) {
            return Ok(opened);
        }
        // Without a loop driver the members are busy while an array runs.
        if let Ok(Some(adopted)) = adopt(array) {
            return Ok(adopted);
        }
        // A mirror's leg holds everything: look at that instead.
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
        let number = match read_only_view(leg)? {
            Some(device) => {
                let number = device.number();
                loops.push(device);
                number
            }
            None => crate::sys::node::device_number(&leg.source.open()?)?,
        };
        members.push(Member {
            number,
            slot: u32::from(slot),
            data_offset: leg.superblock.data_offset,
        });
        component_sectors = leg.superblock.size;
        names.push(leg.name.clone());
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

/// A read-only loop device over a leg; none where the kernel has no loop
/// driver. Then the member itself goes into the array, which is not written
/// either: without metadata, the kernel has nothing to write to it.
fn read_only_view(leg: &Leg) -> Result<Option<LoopDevice>> {
    let source = &leg.source;
    if !Path::new("/dev/loop-control").exists() && source.offset == 0 {
        return Ok(None);
    }
    source
        .attach(leg.sector_bytes, Access::ReadOnly)
        .map(Some)
        .with_context(|| format!("a read-only view of {}", leg.name))
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
    let device = data
        .attach(leg.sector_bytes, Access::ReadOnly)
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
    if let Some(adopted) = adopt(array)? {
        return Ok(adopted);
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
            let device = leg
                .source
                .attach(leg.sector_bytes, Access::ReadWrite)
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

/// The array as the rescue system runs it already; it is used as it is, and
/// left running.
///
/// # Errors
/// It runs in a state in which it cannot be used, with what to do.
fn adopt(array: &Array) -> Result<Option<(Handle, Opened)>> {
    let kernel_name = |leg: &Leg| leg.name.trim_start_matches("/dev/").to_owned();
    let ours: Vec<String> = array.legs.iter().map(kernel_name).collect();
    let holds = |running: &md::Running| running.members.iter().any(|m| ours.contains(m));
    let Some(running) = md::running().into_iter().find(holds) else {
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
    let handle = Handle {
        array: None,
        _loops: Vec::new(),
    };
    Ok(Some((handle, opened)))
}

fn is_device(path: &Path) -> bool {
    path.starts_with("/dev")
}
