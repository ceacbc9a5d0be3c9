//! Software RAID arrays through sysfs (`Documentation/admin-guide/md.rst`).
//!
//! An array for looking is built without metadata: the kernel then knows no
//! superblock, bitmap or journal and cannot write one. Only a repair uses the
//! array's own metadata.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::consent::WriteToken;
use super::{leftovers, node, retry};

mod change;
mod running;

pub use change::add_member;
pub use running::{Running, data_offset, running};

const NEW_ARRAY: &str = "/sys/module/md_mod/parameters/new_array";

/// How long the kernel may take to take an array down or settle it.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// One member for an array built without metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Major and minor number of the block device.
    pub number: (u64, u64),
    /// Its place in the array.
    pub slot: u32,
    /// Where its data begins, in sectors of 512 bytes.
    pub data_offset: u64,
    /// Sectors of data on it.
    pub sectors: u64,
    /// Stretches that must not be read: first sector from the start of the
    /// device, and length in sectors.
    pub bad: Vec<(u64, u64)>,
}

/// The shape of an array built without metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// `raid1`, as sysfs spells it.
    pub level: String,
    /// Number of slots.
    pub raid_disks: u32,
    /// Sectors used of each member; none where members differ in size.
    pub component_sectors: Option<u64>,
    /// Sectors in a chunk; 0 for none.
    pub chunk_sectors: u32,
    /// Layout, where the level has one.
    pub layout: Option<u32>,
    /// Its copies may differ: all is read from the first member that has it, as
    /// the kernel does until a mirror is synchronised (`raid1.c`, `raid10.c`).
    pub copies_differ: bool,
}

/// An array that this program started; it is stopped when dropped.
#[derive(Debug)]
pub struct MdArray {
    name: String,
    node: PathBuf,
}

/// True when the running kernel has the md driver.
pub fn available() -> bool {
    Path::new(NEW_ARRAY).exists()
}

impl MdArray {
    /// Starts an array read-only from its shape alone. Nothing is written.
    ///
    /// # Errors
    /// The kernel's, with the sysfs file that refused.
    pub fn assemble_read_only(shape: &Shape, members: &[Member]) -> io::Result<Self> {
        let array = Self::create()?;
        // Lists of bad blocks are kept for what user space describes.
        let has_bad = members.iter().any(|member| !member.bad.is_empty());
        let metadata = if has_bad { "external:lifeboot" } else { "none" };
        array.set("metadata_version", metadata)?;
        array.set("level", &shape.level)?;
        array.set("raid_disks", &shape.raid_disks.to_string())?;
        if shape.chunk_sectors != 0 {
            let bytes = u64::from(shape.chunk_sectors) * 512;
            array.set("chunk_size", &bytes.to_string())?;
        }
        if let Some(layout) = shape.layout {
            array.set("layout", &layout.to_string())?;
        }
        // sysfs counts in KiB; an odd sector is not used.
        if let Some(sectors) = shape.component_sectors {
            array.set("component_size", &(sectors / 2).to_string())?;
        }
        // "none": clean up to the end, so that a dirty array starts as it is.
        let synced_up_to = if shape.copies_differ { "0" } else { "none" };
        array.set("resync_start", synced_up_to)?;
        for member in members {
            let dir = array.add(member.number)?;
            let kib = (member.sectors / 2).to_string();
            array.set(&format!("{dir}/offset"), &member.data_offset.to_string())?;
            array.set(&format!("{dir}/size"), &kib)?;
            array.set(&format!("{dir}/slot"), &member.slot.to_string())?;
            if has_bad {
                array.set(&format!("{dir}/state"), "external_bbl")?;
            }
            for (first, sectors) in &member.bad {
                array.set(&format!("{dir}/bad_blocks"), &format!("{first} {sectors}"))?;
            }
        }
        array.set("array_state", "readonly")?;
        Ok(array)
    }

    /// Starts an array for writing, by its own superblocks.
    ///
    /// `version` is the metadata version such as `1.2`; the freshest member
    /// comes last. The kernel counts events and resyncs as in normal life.
    ///
    /// # Errors
    /// The kernel's, with the sysfs file that refused.
    pub fn assemble_for_writing(
        version: &str,
        members: &[(u64, u64)],
        _consent: &WriteToken,
    ) -> io::Result<Self> {
        let array = Self::create()?;
        array.set("metadata_version", version)?;
        for &number in members {
            array.add(number)?;
        }
        array.set("array_state", "active")?;
        Ok(array)
    }

    /// The array's device node.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// Its size in bytes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn bytes(&self) -> io::Result<u64> {
        let path = sysfs(&self.name).join("../size");
        let text = fs::read_to_string(&path)?;
        let sectors: u64 = text.trim().parse().map_err(io::Error::other)?;
        Ok(sectors.saturating_mul(512))
    }

    /// Stops the array and waits until the kernel has let it go.
    ///
    /// # Errors
    /// The kernel's; `TimedOut` when it stays.
    pub fn stop(self) -> io::Result<()> {
        let result = stop(&self.name);
        std::mem::forget(self);
        result
    }

    fn create() -> io::Result<Self> {
        // Named arrays work on every kernel and never take a number that the
        // patient or the rescue system uses.
        let name = (0..64)
            .map(|n| format!("md_lifeboot{n}"))
            .find(|name| !sysfs(name).exists())
            .ok_or_else(|| io::Error::other("64 arrays of lifeboot are already there"))?;
        // Noted first: a signal may end this process right after the array is
        // there.
        leftovers::note(leftovers::Kind::Array, &name);
        write(Path::new(NEW_ARRAY), &name)?;
        let mut array = Self {
            name,
            node: PathBuf::new(),
        };
        let number = fs::read_to_string(sysfs(&array.name).join("../dev"))?;
        let number = parse_number(&number)
            .ok_or_else(|| io::Error::other(format!("{}: odd device number", array.name)))?;
        array.node = node::block_node(&array.name, number, Path::new("/run/lifeboot/dev"))?;
        Ok(array)
    }

    /// Adds a member; its directory below `md/`.
    fn add(&self, number: (u64, u64)) -> io::Result<String> {
        self.set("new_dev", &format!("{}:{}", number.0, number.1))?;
        let device = fs::read_link(format!("/sys/dev/block/{}:{}", number.0, number.1))?;
        let name = device.file_name().unwrap_or_default().to_string_lossy();
        Ok(format!("dev-{name}"))
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        write(&sysfs(&self.name).join(file), value)
    }
}

impl Drop for MdArray {
    fn drop(&mut self) {
        // What cannot be stopped now stays noted for the supervisor.
        let _ = stop(&self.name);
    }
}

/// Stops the array `name`; nothing to do when it is gone.
///
/// # Errors
/// The kernel's; `TimedOut` when it stays.
pub fn stop(name: &str) -> io::Result<()> {
    let dir = sysfs(name);
    if dir.exists() {
        // A mount that was just taken away holds the array a moment longer.
        retry::while_busy(|| write(&dir.join("array_state"), "clear"))?;
        // The directory `md` goes first, the disk itself a moment later
        // (`mddev_delayed_delete`, drivers/md/md.c).
        let disk = Path::new("/sys/block").join(name);
        if !retry::until(STOP_LIMIT, || !disk.exists()) {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("{name} does not go away"),
            ));
        }
    }
    leftovers::forget(leftovers::Kind::Array, name);
    Ok(())
}

/// Waits until a resync that the kernel started for `name` has ended, telling
/// the bytes done and all of them as it goes.
pub fn wait_for_sync(name: &str, limit: Duration, mut progress: impl FnMut(u64, u64)) -> bool {
    let dir = sysfs(name);
    retry::until(limit, || {
        if let Some((done, all)) = fs::read_to_string(dir.join("sync_completed"))
            .ok()
            .as_deref()
            .and_then(parse_share)
        {
            progress(done.saturating_mul(512), all.saturating_mul(512));
        }
        fs::read_to_string(dir.join("sync_action")).map_or(true, |text| text.trim() == "idle")
    })
}

/// True while a resync or recovery of the running array `name` is under way.
pub fn is_busy(name: &str) -> bool {
    fs::read_to_string(sysfs(name).join("sync_action")).is_ok_and(|text| text.trim() != "idle")
}

/// Slots of the running array `name` without a current member.
///
/// # Errors
/// The kernel's; what it says is no number.
pub fn lacking(name: &str) -> io::Result<u32> {
    let text = fs::read_to_string(sysfs(name).join("degraded"))?;
    text.trim().parse().map_err(io::Error::other)
}

fn sysfs(name: &str) -> PathBuf {
    Path::new("/sys/block").join(name).join("md")
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    fs::write(path, value).map_err(|e| {
        let what = format!("writing {value:?} to {}: {e}", path.display());
        io::Error::new(e.kind(), what)
    })
}

fn parse_number(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `DONE / ALL`, in sectors.
fn parse_share(text: &str) -> Option<(u64, u64)> {
    let (done, all) = text.trim().split_once('/')?;
    Some((done.trim().parse().ok()?, all.trim().parse().ok()?))
}
