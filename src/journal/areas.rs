//! Boot areas: bytes of a disk that belong to no filesystem.
//!
//! What a disk held and what it shall hold are both in the transaction, on the
//! patient's disk, before the first byte is written. A disk writes sectors
//! whole: whatever interrupts it, each sector holds the one or the other, so it
//! can be written once more, forward or back.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Action;
use super::encoded::encode;
use super::preflight::PlannedStep;
use super::record::Step;
use super::store::Place;
use crate::sys::boot_area::{AreaDisk, SECTOR, SECTOR_BYTES};
use crate::sys::exact;
use crate::sys::root_dir::RootDir;
use crate::sys::write_root::WriteRoot;

/// No boot loader needs more.
const AREA_BYTES: u64 = 2 << 20;

/// Which disk, whatever the kernel calls it today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiskName {
    /// What it was called then: `nvme1n1`.
    pub called: String,
    /// Its size.
    pub bytes: u64,
    /// `gpt` or `mbr` and the identifier in its partition table.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub table: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serial: Option<String>,
}

impl DiskName {
    /// True when there is something to know it again by.
    pub fn is_durable(&self) -> bool {
        self.table.is_some() || self.serial.is_some()
    }

    /// True for the same disk. An image of a disk has no serial number.
    fn is(&self, other: &Self) -> bool {
        let differ = self.serial.is_some() && other.serial.is_some() && self.serial != other.serial;
        self.bytes == other.bytes
            && self.table == other.table
            && !differ
            && (self.table.is_some() || self.serial == other.serial)
    }
}

/// In the operator's words.
impl fmt::Display for DiskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A journal may hold anything, the terminal's own codes too.
        let plain = |text: &str| encode(Path::new(text));
        write!(f, "{} ({} bytes", plain(&self.called), self.bytes)?;
        if let Some(serial) = &self.serial {
            write!(f, ", serial {}", plain(serial))?;
        }
        if let Some(table) = &self.table {
            write!(f, ", {}", plain(table))?;
        }
        write!(f, ")")
    }
}

/// A disk of this machine.
#[derive(Debug, Clone)]
pub struct KnownDisk {
    /// Which.
    pub name: DiskName,
    /// Its node, or an image.
    pub path: PathBuf,
    /// The areas of it that hold no filesystem.
    pub areas: Vec<Range<u64>>,
}

/// The disks of this machine, and what boot areas of them shall hold.
#[derive(Debug, Clone, Default)]
pub struct Disks {
    /// All disks.
    pub known: Vec<KnownDisk>,
    /// By their digest.
    contents: BTreeMap<String, Vec<u8>>,
}

impl Disks {
    /// These disks.
    pub fn new(known: Vec<KnownDisk>) -> Self {
        Self {
            known,
            contents: BTreeMap::new(),
        }
    }

    /// The action that writes `after` over `before` at `at` of `disk`.
    pub fn boot_area(&mut self, disk: DiskName, at: u64, before: &[u8], after: Vec<u8>) -> Action {
        let digest_after = digest(&after);
        let action = Action::BootArea {
            disk,
            at,
            bytes: after.len() as u64,
            before: digest(before),
            after: digest_after.clone(),
        };
        self.contents.insert(digest_after, after);
        action
    }

    /// Opens the one disk that has this name.
    fn open(&self, name: &DiskName) -> Result<AreaDisk> {
        let mut same = self.known.iter().filter(|known| known.name.is(name));
        let found = match (same.next(), same.next()) {
            (Some(found), None) if name.is_durable() => found,
            (None, _) => bail!("the disk {name} is not here"),
            _ => bail!("the disk {name} cannot be told from another one"),
        };
        AreaDisk::open(&found.path, name.bytes, found.areas.clone())
            .with_context(|| format!("opening {}", found.path.display()))
    }
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The fields of a [`Action::BootArea`].
struct Area<'a> {
    disk: &'a DiskName,
    at: u64,
    bytes: u64,
    before: &'a str,
    after: &'a str,
}

impl<'a> Area<'a> {
    fn of(action: &'a Action) -> Result<Self> {
        let Action::BootArea {
            disk,
            at,
            bytes,
            before,
            after,
        } = action
        else {
            bail!("this is no boot area");
        };
        let (at, bytes) = (*at, *bytes);
        if bytes > AREA_BYTES || at.checked_add(bytes).is_none() {
            bail!("{bytes} bytes at byte {at} of {disk} are no boot area");
        }
        Ok(Self {
            disk,
            at,
            bytes,
            before,
            after,
        })
    }

    fn range(&self) -> Range<u64> {
        self.at..self.at + self.bytes
    }

    fn open(&self, disks: &Disks) -> Result<AreaDisk> {
        let open = disks.open(self.disk)?;
        if !open.allows(&self.range()) {
            let Self {
                at, bytes, disk, ..
            } = self;
            bail!("{bytes} bytes at byte {at} of {disk} are not free for a boot loader");
        }
        Ok(open)
    }

    fn read(&self, open: &AreaDisk) -> Result<Vec<u8>> {
        let length = usize::try_from(self.bytes)?;
        let read = open.read(self.at, length);
        read.with_context(|| format!("reading {}", self.disk))
    }
}

/// True for an action on a disk, and not on a filesystem.
pub(super) fn is_area(action: &Action) -> bool {
    matches!(action, Action::BootArea { .. })
}

/// Bytes that the transaction needs for an action, on the filesystem of `/`.
pub(super) fn room_for(action: &Action) -> u64 {
    match action {
        Action::BootArea { bytes, .. } => bytes.saturating_mul(2),
        _ => 0,
    }
}

/// Checks all that can be known before the first change. Reads only.
pub(super) fn plan(
    place: &Place,
    index: usize,
    action: &Action,
    earlier: &[PlannedStep],
    disks: &Disks,
) -> Result<PlannedStep> {
    let area = Area::of(action)?;
    let open = area.open(disks)?;
    for step in earlier.iter().filter(|step| is_area(&step.action)) {
        let other = Area::of(&step.action)?;
        let apart = other.range().end <= area.at || area.range().end <= other.at;
        if other.disk == area.disk && !apart {
            bail!("two changes of the same bytes of {}", area.disk);
        }
    }
    if digest(&area.read(&open)?) != area.before {
        bail!("{} changed since it was looked at", area.disk);
    }
    let after = disks.contents.get(area.after);
    if after.is_none_or(|after| after.len() as u64 != area.bytes) || area.before == area.after {
        bail!("there is nothing to write to {}", area.disk);
    }
    let saved = place.areas().join(format!("{index}.{AFTER}"));
    Ok(PlannedStep {
        action: action.clone(),
        from: saved.clone(),
        to: saved,
        object: None,
    })
}

/// The ending of the file with what an area shall hold.
const AFTER: &str = "after";

/// The ending of the file with what an area held.
const BEFORE: &str = "before";

/// Puts what the area holds and what it shall hold into the transaction.
pub(super) fn stage(
    write: &WriteRoot<'_>,
    action: &Action,
    saved: &Path,
    disks: &Disks,
) -> Result<()> {
    let area = Area::of(action)?;
    let before = area.read(&area.open(disks)?)?;
    let after = disks.contents.get(area.after);
    let after = after.context("what is to be written is lost")?;
    for (path, bytes) in [
        (&saved.with_extension(BEFORE), &before),
        (&saved.to_owned(), after),
    ] {
        let mut file = write.create(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    Ok(())
}

/// What an area holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// What it held before the step.
    Before,
    /// What it shall hold after it.
    After,
    /// Some sectors of each: the writing was cut off.
    Both,
}

/// What the area of a step holds.
///
/// # Errors
/// The disk is not here or cannot be read; the saved bytes are damaged; the
/// area holds something else.
pub(super) fn look(root: &RootDir, place: &Place, step: &Step, disks: &Disks) -> Result<Holds> {
    let area = Area::of(&step.action)?;
    let open = area.open(disks)?;
    let now = area.read(&open)?;
    let before = saved(root, place, step, &area, false)?;
    let after = saved(root, place, step, &area, true)?;
    if now == before {
        return Ok(Holds::Before);
    }
    if now == after {
        return Ok(Holds::After);
    }
    let known = |part: &Range<usize>| {
        let same = |other: &[u8]| now.get(part.clone()) == other.get(part.clone());
        same(&before) || same(&after)
    };
    if !sectors(area.at, now.len()).all(|part| known(&part)) {
        bail!(
            "{} holds at byte {} neither what it held before nor what was written there",
            area.disk,
            area.at
        );
    }
    Ok(Holds::Both)
}

/// The parts of an area that a disk writes whole.
fn sectors(at: u64, length: usize) -> impl Iterator<Item = Range<usize>> {
    let sector = SECTOR_BYTES;
    let first = sector - usize::try_from(at % SECTOR).unwrap_or(0);
    let starts = std::iter::once(0).chain((first..length).step_by(sector));
    starts.map(move |start| {
        let end = if start == 0 { first } else { start + sector };
        start..end.min(length)
    })
}

/// What was saved of it.
fn saved(
    root: &RootDir,
    place: &Place,
    step: &Step,
    area: &Area<'_>,
    is_after: bool,
) -> Result<Vec<u8>> {
    let (path, sum) = match is_after {
        true => (step.from.clone(), area.after),
        false => (step.from.with_extension(BEFORE), area.before),
    };
    let context = || format!("reading {}", encode(&path));
    if path.parent() != Some(place.areas().as_path()) {
        bail!("{} is not in the journal's own place", encode(&path));
    }
    let bytes = exact::read(root, &path, AREA_BYTES).with_context(context)?;
    if bytes.len() as u64 != area.bytes || digest(&bytes) != sum {
        bail!("{} is damaged", encode(&path));
    }
    Ok(bytes)
}

/// Writes what the area shall hold, or what it held, and checks it.
pub(super) fn write(
    write: &WriteRoot<'_>,
    place: &Place,
    step: &Step,
    disks: &Disks,
    undo: bool,
) -> Result<()> {
    let area = Area::of(&step.action)?;
    let bytes = saved(write.root(), place, step, &area, !undo)?;
    let open = area.open(disks)?;
    open.write(area.at, &bytes, write.token())
        .with_context(|| format!("writing to {}", area.disk))
}

/// What was written to the disk of a step is on it when this returns.
pub(super) fn sync(step: &Step, disks: &Disks) -> Result<()> {
    let area = Area::of(&step.action)?;
    let synced = area.open(disks)?.sync();
    synced.with_context(|| format!("writing to {}", area.disk))
}
