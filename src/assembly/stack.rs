//! Opening layer after layer: arrays, what lies on them, and so on upwards.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use super::device::Device;
use super::luks::{self, Closed, Keys};
use super::raid::{self, Array, State};
use super::{Assembly, Cause, Layer, Unopened, Volume, lvm};
use crate::survey::superblock::Role;
use crate::survey::{self, Content, Survey};
use crate::sys::consent::WriteToken;
use crate::sys::loopdev::Access;
use crate::sys::md;

/// What the layers are opened for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// Looking: nothing below can be written.
    Look,
    /// Writing to these volumes and all that they stand on, after consent.
    Write(&'a WriteToken, &'a BTreeSet<String>),
}

/// How the layers are opened.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// What for.
    pub purpose: Purpose<'a>,
    /// Of a mirror whose members differ, the members (or their disks) to use.
    pub legs: &'a [String],
}

impl Purpose<'_> {
    fn access(&self, volume: &str) -> Access {
        match self {
            Self::Write(_, volumes) if volumes.contains(volume) => Access::ReadWrite,
            _ => Access::ReadOnly,
        }
    }
}

/// What keeps a layer open.
#[derive(Debug)]
enum Handle {
    Array(raid::Handle),
    Group(lvm::Handle),
    Container(luks::Handle),
}

impl Handle {
    fn close(self) -> Result<()> {
        match self {
            Self::Array(array) => array.close(),
            Self::Group(group) => group.close().context("closing logical volumes"),
            Self::Container(inside) => inside.close().context("closing an encrypted volume"),
        }
    }
}

/// The opened layers. Dropping it closes them, the upper ones first.
#[derive(Debug, Default)]
pub struct Stack {
    assembly: Assembly,
    open: Vec<Handle>,
    /// Containers that were tried, by volume.
    tried: BTreeSet<String>,
    /// Members that joined a running array; they outlive it.
    joined: Vec<Device>,
}

/// Containers that are opened.
const OPENED: [&str; 1] = ["luks"];

/// Containers that are only named, and what would open them.
const NAMED: [(&str, &str); 5] = [
    (
        "zfs",
        "ZFS: not opened by this version; zpool import -o readonly=on -N -R /mnt POOL",
    ),
    (
        "bcache",
        "bcache: not opened by this version; its cache may hold newer data than it",
    ),
    ("bcachefs", "bcachefs: not opened by this version"),
    (
        "drbd",
        "DRBD: not opened by this version; its other half may hold newer data",
    ),
    ("lvm2", "LVM2: its label is damaged or of an unknown kind"),
];

/// True for what holds other volumes inside.
pub(super) fn is_container(format: &str) -> bool {
    OPENED.contains(&format) || NAMED.iter().any(|(named, _)| *named == format)
}

impl Stack {
    /// Opens everything that stands on the disks of `survey`; `keys` knows how
    /// to unlock containers.
    pub fn open(survey: &Survey, options: Options<'_>, keys: &mut dyn Keys) -> Self {
        let purpose = options.purpose;
        let mut stack = Self::default();
        stack.assembly.volumes = Volume::of_survey(survey);
        stack.assembly.chosen = options.legs.to_vec();
        loop {
            let mut new = stack.open_arrays(purpose);
            new |= stack.open_containers(purpose, keys);
            // A group is opened once: when all of it is there, or when nothing
            // else can appear any more.
            new = new || stack.open_groups(purpose, lvm::Found::is_whole);
            new = new || stack.open_groups(purpose, |_| true);
            if !new {
                stack.name_the_others();
                return stack;
            }
        }
    }

    /// What was found, and how it was opened.
    pub fn assembly(&self) -> &Assembly {
        &self.assembly
    }

    /// True when there was one that was not tried yet.
    fn open_arrays(&mut self, purpose: Purpose<'_>) -> bool {
        let known: Vec<String> = self
            .assembly
            .arrays
            .iter()
            .map(|a| a.uuid.clone())
            .collect();
        let arrays = raid::judge(&self.assembly.volumes, &self.assembly.chosen);
        let mut new = false;
        for mut array in arrays.into_iter().filter(|a| !known.contains(&a.uuid)) {
            array.running = raid::claim_on(&array);
            self.open_array(&mut array, purpose);
            self.assembly.arrays.push(array);
            new = true;
        }
        new
    }

    fn open_array(&mut self, array: &mut Array, purpose: Purpose<'_>) {
        let opened = match purpose {
            Purpose::Write(token, volumes) if volumes.contains(&array.volume_name()) => {
                raid::open_for_writing(array, token)
            }
            _ => raid::open_for_looking(array),
        };
        let (handle, opened) = match opened {
            Ok(opened) => opened,
            Err(_) if array.state == State::Diverged => return,
            Err(error) => {
                let why = format!("{error:#}");
                array.state = State::Unusable { why };
                return;
            }
        };
        self.open.push(Handle::Array(handle));
        let layer = Layer::Array {
            uuid: array.uuid.clone(),
        };
        let below: Vec<String> = array.legs.iter().map(|leg| leg.name.clone()).collect();
        self.add(&array.volume_name(), &layer, &opened.device, &below);
        array.opened = Some(opened);
    }

    fn open_containers(&mut self, purpose: Purpose<'_>, keys: &mut dyn Keys) -> bool {
        let is_new = |volume: &&Volume| {
            let format = volume.content.format().unwrap_or_default();
            OPENED.contains(&format) && !self.tried.contains(&volume.name)
        };
        let new: Vec<Volume> = self
            .assembly
            .volumes
            .iter()
            .filter(is_new)
            .cloned()
            .collect();
        for volume in &new {
            self.tried.insert(volume.name.clone());
            self.open_container(volume, purpose, keys);
        }
        !new.is_empty()
    }

    fn open_container(&mut self, volume: &Volume, purpose: Purpose<'_>, keys: &mut dyn Keys) {
        let uuid = match &volume.content {
            Content::Signature(found) => found.uuid.clone(),
            _ => None,
        };
        let mut name = luks::volume_name(uuid.as_deref().unwrap_or(&volume.name));
        if self.assembly.volume(&name).is_some() {
            // A copy of another disk.
            name = format!("{name} on {}", volume.name);
        }
        match luks::open(volume, keys, purpose.access(&name)) {
            Ok((handle, node)) => {
                self.open.push(Handle::Container(handle));
                let below = [volume.name.clone()];
                self.add(&name, &Layer::Unlocked, &node, &below);
            }
            Err(closed) => {
                let (cause, why) = match closed {
                    Closed::Locked(why) => (Cause::Locked, why),
                    Closed::Failed(error) => (Cause::Failed, format!("{error:#}")),
                };
                self.assembly.unopened.push(Unopened {
                    name: volume.name.clone(),
                    format: "luks".into(),
                    cause,
                    why,
                });
            }
        }
    }

    fn open_groups(&mut self, purpose: Purpose<'_>, ready: impl Fn(&lvm::Found) -> bool) -> bool {
        let known: Vec<String> = self
            .assembly
            .groups
            .iter()
            .map(|group| group.uuid.clone())
            .collect();
        let found = lvm::judge(&self.assembly.volumes);
        let mut new = false;
        for found in found
            .iter()
            .filter(|f| !known.contains(&f.group.uuid) && ready(f))
        {
            let outcome = lvm::open(found, &|name| purpose.access(name));
            self.open.push(Handle::Group(outcome.handle));
            let layer = Layer::Logical {
                group: found.group.uuid.clone(),
            };
            for opened in &outcome.opened {
                self.add(&opened.name, &layer, &opened.device, &opened.on);
            }
            self.assembly.groups.push(outcome.group);
            self.assembly.unopened.extend(outcome.unopened);
            new = true;
        }
        new
    }

    /// Says of the containers of other kinds that they stay closed.
    fn name_the_others(&mut self) {
        let known = |format: &str| NAMED.iter().find(|(named, _)| *named == format);
        let mut closed = Vec::new();
        for volume in &self.assembly.volumes {
            let format = volume.content.format().unwrap_or_default();
            if let Some((_, why)) = known(format) {
                closed.push(Unopened::unknown_kind(&volume.name, format, why));
            }
            if let Content::PhysicalVolume(physical) = &volume.content
                && let (None, Some(problem)) = (&physical.group, &physical.problem)
                && self
                    .assembly
                    .groups
                    .iter()
                    .all(|g| !g.on.contains(&volume.name))
            {
                closed.push(Unopened::unknown_kind(&volume.name, "lvm2", problem));
            }
        }
        self.assembly.unopened.extend(closed);
    }

    /// Adds what lies on a device that was just opened.
    fn add(&mut self, name: &str, layer: &Layer, device: &Path, below: &[String]) {
        let volumes = &self.assembly.volumes;
        let below: Vec<&Volume> = volumes.iter().filter(|v| below.contains(&v.name)).collect();
        let seen = survey::examine(name, device);
        let above = Volume::above(name, layer, seen, &below);
        self.assembly.volumes.extend(above);
    }

    /// Takes `leg` into its running array again, as what it was where its
    /// bitmap allows that, else by a full copy. Gives the array's kernel
    /// name, and how many of its slots lacked a member before.
    ///
    /// # Errors
    /// The array is not open for writing; the kernel's refusal.
    pub fn rejoin(&mut self, uuid: &str, leg: &str, consent: &WriteToken) -> Result<(String, u32)> {
        let arrays = &self.assembly.arrays;
        let array = arrays.iter().find(|array| array.uuid == uuid);
        let array = array.context("the array is gone")?;
        let opened = array.opened.as_ref().context("the array is not open")?;
        let leg = array.legs.iter().find(|l| l.name == leg);
        let leg = leg.context("the member is gone")?;
        let name = opened.device.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let device = Device::open(&leg.source, leg.sector_bytes, Access::ReadWrite)?;
        let slot = match leg.superblock.role() {
            Role::Active(slot) => Some(u32::from(slot)),
            _ => None,
        };
        let number = device.number();
        let lacking = md::lacking(&name)?;
        let joined = match slot {
            Some(_) => md::add_member(&name, number, slot, consent)
                .or_else(|_| md::add_member(&name, number, None, consent)),
            None => md::add_member(&name, number, None, consent),
        };
        joined.with_context(|| format!("taking {} into {name}", leg.name))?;
        self.joined.push(device);
        Ok((name, lacking))
    }

    /// Closes everything and says what did not close.
    ///
    /// # Errors
    /// An array or mapping that the kernel does not let go.
    pub fn close(mut self) -> Result<()> {
        while let Some(handle) = self.open.pop() {
            handle.close()?;
        }
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        while self.open.pop().is_some() {}
    }
}
