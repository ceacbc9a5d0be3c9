//! A writable view of a device whose changes stay in memory: a device-mapper
//! snapshot over it (kernel: `Documentation/admin-guide/device-mapper/
//! snapshot.rst`). A journal is replayed into it and no disk changes.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::dm::{Mapping, Target};
use super::loopdev::{Access, LoopDevice};
use super::node;

/// The least room for changes, in bytes.
const LEAST: u64 = 16 << 20;

/// The most. Journals of filesystems are seldom larger.
const MOST: u64 = 2 << 30;

/// The share of the free memory that one overlay may fill.
const SHARE: u64 = 4;

/// The view. Dropping it forgets the changes.
#[derive(Debug)]
pub struct MemoryOverlay {
    // The order matters: the mapping goes before the store below it.
    mapping: Mapping,
    _store: LoopDevice,
    bytes: u64,
}

impl MemoryOverlay {
    /// Lays a view over the read-only device `origin`. Its memory is taken only
    /// as it fills.
    ///
    /// # Errors
    /// The kernel's; no device-mapper, no loop driver.
    pub fn over(origin: &Path) -> io::Result<Self> {
        let file = File::open(origin)?;
        let sectors = node::device_bytes(&file)? / 512;
        let number = node::device_number(&file)?;
        let bytes = room();
        let memory = memfd_create("lifeboot-overlay", MFdFlags::MFD_CLOEXEC)?;
        let memory = File::from(memory);
        memory.set_len(bytes)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
        let store = LoopDevice::attach(&path, 0, bytes, 512, Access::ReadWrite)?;
        let (below, above) = (number, store.number());
        // N: nothing of it outlives the mapping; chunks of 8 sectors.
        let parameters = format!("{}:{} {}:{} N 8", below.0, below.1, above.0, above.1);
        let table = [Target::new(sectors, "snapshot", parameters)];
        Ok(Self {
            mapping: Mapping::create(&table, Access::ReadWrite)?,
            _store: store,
            bytes,
        })
    }

    /// Its block device.
    pub fn node(&self) -> &Path {
        self.mapping.node()
    }

    /// The room for changes, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True when the changes did not fit, and the view is no good any more.
    pub fn overflowed(&self) -> bool {
        // "USED/ALL METADATA" while all is well, otherwise a word.
        self.mapping
            .status()
            .map_or(true, |status| !status.contains('/'))
    }

    /// Removes it.
    ///
    /// # Errors
    /// The kernel's; `ResourceBusy` while it is mounted.
    pub fn close(self) -> io::Result<()> {
        self.mapping.close()
    }
}

/// A share of the memory that is free now.
fn room() -> u64 {
    (free_memory() / SHARE).clamp(LEAST, MOST) / 512 * 512
}

/// Memory that programs can still get, in bytes (`/proc/meminfo`).
pub fn free_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let number = line.strip_prefix(name)?.strip_suffix("kB")?;
            number.trim().parse::<u64>().ok()
        })
    };
    // Before Linux 3.14 there is no MemAvailable.
    value("MemAvailable:")
        .or_else(|| value("MemFree:"))
        .map_or(0, |kib| kib.saturating_mul(1024))
}
