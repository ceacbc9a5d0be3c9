//! Opening the volumes of a group through device-mapper.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, Result, bail};

use super::map::{self, Map, Piece, Refusal};
use super::room::Room;
use super::{Found, LogicalVolume, VolumeGroup, raid};
use crate::assembly::device::Device;
use crate::assembly::without_dm;
use crate::assembly::{Cause, Unopened};
use crate::survey::lvm::{Logical, Segment};
use crate::sys::dm::{Mapping, Target};
use crate::sys::loopdev::Access;

/// Legs of a raid volume, `MAX_RAID_DEVICES` in `drivers/md/dm-raid.c`.
const MOST_LEGS: usize = 253;

/// What keeps the volumes of a group open; dropping it closes them.
#[derive(Debug, Default)]
pub struct Handle {
    // Newest last; the devices go after all mappings on them.
    mappings: Vec<Mapping>,
    views: BTreeMap<(Rc<str>, bool), Device>,
    windows: Vec<Device>,
    room: Room,
}

impl Handle {
    /// Closes the volumes and says when that fails.
    ///
    /// # Errors
    /// The kernel's.
    pub fn close(mut self) -> io::Result<()> {
        while let Some(mapping) = self.mappings.pop() {
            mapping.close()?;
        }
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        while self.mappings.pop().is_some() {}
    }
}

/// A volume that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedVolume {
    /// `vg0/root`.
    pub name: String,
    /// Its block device.
    pub device: PathBuf,
    /// The volumes on which it lies.
    pub on: Vec<String>,
}

/// What became of a group.
#[derive(Debug)]
pub struct Outcome {
    /// The group, with what is said of each volume.
    pub group: VolumeGroup,
    /// The volumes that are open.
    pub opened: Vec<OpenedVolume>,
    /// Those that are not.
    pub unopened: Vec<Unopened>,
    /// What keeps them open.
    pub handle: Handle,
}

/// Opens each visible volume of `found` that can be opened; `access` says by
/// name whether it may be written to.
pub fn open(found: &Found, access: &dyn Fn(&str) -> Access) -> Outcome {
    let mut outcome = Outcome {
        group: VolumeGroup {
            uuid: found.group.uuid.clone(),
            name: found.name.clone(),
            exported: found.group.exported,
            on: found.present.values().map(|v| v.name.clone()).collect(),
            missing: found.missing.clone(),
            copies: found.copies.clone(),
            volumes: Vec::new(),
        },
        opened: Vec::new(),
        unopened: Vec::new(),
        handle: Handle::default(),
    };
    let changes: BTreeSet<&String> = found
        .group
        .logical
        .iter()
        .flat_map(|volume| &volume.segments)
        .filter_map(|segment| segment.changes.as_ref())
        .collect();
    let mut map = Map::new(found);
    for (number, volume) in found.group.logical.iter().enumerate() {
        let snapshot = changes.contains(&volume.name);
        if volume.visible && !is_pool(volume.kind()) {
            outcome.add(&mut map, (number, volume), snapshot, access);
        }
    }
    outcome
}

/// Pools hold volumes and are none themselves.
fn is_pool(kind: &str) -> bool {
    ["thin-pool", "cache-pool", "vdo-pool"].contains(&kind)
}

impl Outcome {
    fn add(
        &mut self,
        map: &mut Map,
        (number, volume): (usize, &Logical),
        snapshot: bool,
        access: &dyn Fn(&str) -> Access,
    ) {
        let found = map.found;
        let name = format!("{}/{}", found.name, volume.name);
        let stripes = volume.segments.iter().any(|s| s.areas.len() > 1);
        let kind = match volume.kind() {
            _ if snapshot => "snapshot",
            "striped" if !stripes => "linear",
            kind => kind,
        };
        let opened = if snapshot {
            let text = "snapshot: not opened by this version; its origin is";
            Err((Cause::NotSupported, text.to_owned()))
        } else if let Some(copies) = found.copies.first() {
            let text = format!(
                "the physical volume {copies}: a copy; look at one of them alone with --disk"
            );
            Err((Cause::NotSupported, text))
        } else {
            self.handle.open(map, (number, volume), access(&name))
        };
        let extents = volume.extents().unwrap_or(0);
        self.group.volumes.push(LogicalVolume {
            name: name.clone(),
            uuid: volume.uuid.clone(),
            kind: kind.to_owned(),
            bytes: extents
                .saturating_mul(found.group.extent_sectors)
                .saturating_mul(512),
            closed: opened.as_ref().err().map(|(_, why)| why.clone()),
        });
        match opened {
            Ok((device, on)) => self.opened.push(OpenedVolume { name, device, on }),
            Err((cause, why)) => self.unopened.push(Unopened {
                name,
                format: "lvm2".into(),
                cause,
                why,
            }),
        }
    }
}

type Opened = (PathBuf, Vec<String>);

impl Handle {
    fn open(
        &mut self,
        map: &mut Map,
        (number, volume): (usize, &Logical),
        access: Access,
    ) -> Result<Opened, (Cause, String)> {
        let failed = |error: anyhow::Error| (Cause::Failed, format!("{error:#}"));
        if let [segment] = &volume.segments[..]
            && let Some(kind) = kernel_raid(&segment.kind)
        {
            return self.raid(map, segment, kind, access).map_err(failed);
        }
        if access == Access::ReadWrite && ["raid1", "mirror"].contains(&volume.kind()) {
            let text = "a mirrored volume is not written to by this version: \
                        activate it with lvchange -ay and repair it with --root";
            return Err((Cause::NotSupported, text.into()));
        }
        let pieces = map.pieces(number).and_then(|pieces| {
            self.room.take(1, &pieces)?;
            Ok(pieces)
        });
        match pieces {
            Ok(pieces) => self.simple(map.found, &pieces, access).map_err(failed),
            Err(refusal) => Err((cause(&refusal), refusal.text().to_owned())),
        }
    }

    /// Linear and striped stretches.
    fn simple(&mut self, found: &Found, pieces: &[Piece], access: Access) -> Result<Opened> {
        let mut on: Vec<String> = pieces
            .iter()
            .flat_map(|piece| &piece.legs)
            .filter_map(|(key, _)| Some(found.present.get(&**key)?.name.clone()))
            .collect();
        on.sort();
        on.dedup();
        if let Some(why) = without_dm(&[]) {
            let window = self.window(found, pieces, access);
            return Ok((window.context(why)?, on));
        }
        let mapping = self.mapping(found, pieces, access)?;
        let node = mapping.node().to_owned();
        self.mappings.push(mapping);
        Ok((node, on))
    }

    fn mapping(&mut self, found: &Found, pieces: &[Piece], access: Access) -> Result<Mapping> {
        let mut table = Vec::new();
        for piece in pieces {
            let mut legs = Vec::new();
            for (key, sector) in &piece.legs {
                let (major, minor) = self.view(found, key, access)?;
                legs.push(format!("{major}:{minor} {sector}"));
            }
            table.push(match &legs[..] {
                [one] => Target::new(piece.sectors, "linear", one.as_str()),
                more => {
                    let parameters = format!("{} {} {}", more.len(), piece.stripe, more.join(" "));
                    Target::new(piece.sectors, "striped", parameters)
                }
            });
        }
        Ok(Mapping::create(&table, access)?)
    }

    /// A physical volume as a device, opened once for all that lies on it.
    fn view(&mut self, found: &Found, key: &Rc<str>, access: Access) -> Result<(u64, u64)> {
        let place = (Rc::clone(key), access == Access::ReadWrite);
        if let Some(device) = self.views.get(&place) {
            return Ok(device.number());
        }
        let volume = found.present.get(&**key).context("a part is missing")?;
        let device = Device::open(&volume.source, volume.sector_bytes, access)
            .with_context(|| format!("a view of {}", volume.name))?;
        let number = device.number();
        self.views.insert(place, device);
        Ok(number)
    }

    /// Without device-mapper: a volume in one piece, through a loop device.
    fn window(&mut self, found: &Found, pieces: &[Piece], access: Access) -> Result<PathBuf> {
        let [piece] = pieces else {
            bail!("it lies in several pieces, and only device-mapper joins them");
        };
        let [(key, sector)] = &piece.legs[..] else {
            bail!("it is striped, and only device-mapper joins stripes");
        };
        let volume = found.present.get(&**key).context("a part is missing")?;
        let bytes = piece.sectors.saturating_mul(512);
        let part = volume.source.part(sector.saturating_mul(512), bytes);
        if part.bytes != bytes {
            bail!("it ends behind the end of {}", volume.name);
        }
        let device = Device::open(&part, volume.sector_bytes, access)?;
        let path = device.path().to_owned();
        self.windows.push(device);
        Ok(path)
    }

    /// A raid volume of another level than a mirror, without the state of its
    /// legs: the kernel then has nothing to update. For looking only.
    fn raid(
        &mut self,
        map: &mut Map,
        segment: &Segment,
        kind: &str,
        access: Access,
    ) -> Result<Opened> {
        if access == Access::ReadWrite {
            bail!(
                "a {kind} volume is not written to by this version: activate it with lvchange -ay and repair it with --root"
            );
        }
        if segment.reshaping {
            bail!("it is being given another shape; let LVM finish that first");
        }
        if segment.areas.len() > MOST_LEGS {
            bail!(
                "its description is odd: {} legs, and the kernel takes {MOST_LEGS}",
                segment.areas.len()
            );
        }
        let refused = |refusal: Refusal| anyhow::anyhow!("{}", refusal.text());
        self.room.take(1, &[]).map_err(refused)?;
        let found = map.found;
        if let Some(why) = without_dm(&["dm_raid"]) {
            bail!("{why}");
        }
        let current = raid::current(map, segment);
        let mut legs = Vec::new();
        let mut on = Vec::new();
        for (area, current) in segment.areas.iter().zip(current) {
            let image = map.number(&area.on);
            match image.map(|image| map.pieces(image)) {
                Some(Ok(pieces)) if current => {
                    self.room.take(1, &pieces).map_err(refused)?;
                    let keys = pieces.iter().flat_map(|piece| &piece.legs);
                    on.extend(keys.filter_map(|(key, _)| found.present.get(&**key)));
                    let mapping = self.mapping(found, &pieces, Access::ReadOnly)?;
                    let (major, minor) = mapping.number();
                    legs.push(format!("- {major}:{minor}"));
                    self.mappings.push(mapping);
                }
                _ => legs.push("- -".to_owned()),
            }
        }
        let sectors = map::sectors(found, segment.extents).map_err(refused)?;
        // nosync: nothing is compared or rebuilt.
        let level = if kind == "raid0" { "" } else { " nosync" };
        let count = if kind == "raid0" { 1 } else { 2 };
        let stripe = segment.stripe_sectors;
        let parameters = format!(
            "{kind} {count} {stripe}{level} {} {}",
            legs.len(),
            legs.join(" ")
        );
        let table = [Target::new(sectors, "raid", parameters)];
        let mapping = Mapping::create(&table, Access::ReadOnly)?;
        let node = mapping.node().to_owned();
        self.mappings.push(mapping);
        let mut names: Vec<String> = on.iter().map(|volume| volume.name.clone()).collect();
        names.sort();
        names.dedup();
        Ok((node, names))
    }
}

fn cause(refusal: &Refusal) -> Cause {
    match refusal {
        Refusal::Missing(_) => Cause::Incomplete,
        Refusal::Kind(_) => Cause::NotSupported,
    }
}

/// What the kernel calls a kind of raid volume, mirrors apart.
fn kernel_raid(kind: &str) -> Option<&'static str> {
    const SAME: [&str; 17] = [
        "raid0",
        "raid10",
        "raid4",
        "raid5_n",
        "raid5_la",
        "raid5_ra",
        "raid5_ls",
        "raid5_rs",
        "raid6_zr",
        "raid6_nr",
        "raid6_nc",
        "raid6_n_6",
        "raid6_ls_6",
        "raid6_rs_6",
        "raid6_la_6",
        "raid6_ra_6",
        "raid10_near",
    ];
    match kind {
        "raid0_meta" => Some("raid0"),
        "raid5" => Some("raid5_ls"),
        "raid6" => Some("raid6_zr"),
        other => SAME.into_iter().find(|same| *same == other),
    }
}
