//! What the kernel of the rescue system said about the disks.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Disk, Survey};
use crate::sys::kernel_log::{self, Message};

mod lines;
#[cfg(test)]
mod tests;

use lines::{Kind, classify, disk_of};

/// Lines kept of each disk: the last ones.
const MOST_LINES: usize = 8;

/// Disks that are no longer there, beyond which no more are kept.
const MOST_GONE: usize = 32;

/// The kernel's log, as far as it is about disks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct KernelLog {
    /// Disks that something was said about, also such as are gone.
    pub disks: Vec<DiskLog>,
    /// Why it could not be read.
    pub unreadable: Option<String>,
    /// True when it was read at all: not for disk images.
    pub read: bool,
}

/// What was said about one disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiskLog {
    /// Name of the disk, or of what the kernel named instead: a controller
    /// (`nvme1`), a port (`ata2`), an address.
    pub name: String,
    /// True when the survey has this disk.
    pub present: bool,
    /// Commands that were not answered in time.
    pub timeouts: u64,
    /// Resets of the controller or the link.
    pub resets: u64,
    /// Times that the kernel gave the disk up.
    pub dropouts: u64,
    /// Requests that failed.
    pub io_errors: u64,
    /// Requests that failed because the medium could not be read.
    pub medium_errors: u64,
    /// The last lines, oldest first.
    pub lines: Vec<String>,
}

impl DiskLog {
    /// True when reads or writes failed for no other reason than the disk.
    /// Failed requests of a disk that dropped off the bus prove nothing.
    pub fn is_failing(&self) -> bool {
        self.present && (self.medium_errors > 0 || self.io_errors > 0 && self.dropouts == 0)
    }

    fn add(&mut self, kind: Kind, line: String) {
        match kind {
            Kind::Timeout => self.timeouts += 1,
            Kind::Reset => self.resets += 1,
            Kind::DropOut => self.dropouts += 1,
            Kind::Io => self.io_errors += 1,
            Kind::Medium => self.medium_errors += 1,
            Kind::Detail => {}
        }
        if self.lines.len() == MOST_LINES {
            self.lines.remove(0);
        }
        self.lines.push(line);
    }
}

/// A disk of the survey and the names that the kernel has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// `sda`.
    pub disk: String,
    /// `ata1`, `nvme0`, `0:0:0:0`, `0000:01:00.0`: the links of its path in sysfs.
    pub others: Vec<String>,
}

impl Names {
    /// The names that the kernel has for a disk; none for an image.
    pub(super) fn of_disk(disk: &Disk) -> Option<Self> {
        let device = Path::new("/dev").join(&disk.name);
        let link = fs::read_link(Path::new("/sys/block").join(&disk.name)).ok()?;
        (disk.source.path == device).then(|| Self::of(&disk.name, &link.to_string_lossy()))
    }

    /// The names in `path`, where `/sys/block/DISK` leads.
    pub fn of(disk: &str, path: &str) -> Self {
        let mut others: Vec<String> = path
            .split('/')
            .filter(|part| lines::is_a_name(part) && *part != disk)
            .map(str::to_owned)
            .collect();
        // With native multipath the path does not go through the controller.
        if let Some((controller, _)) = disk.strip_prefix("nvme").and_then(|d| d.split_once('n')) {
            let controller = format!("nvme{controller}");
            if !others.contains(&controller) {
                others.push(controller);
            }
        }
        // Bridges above the disk's own controller are others' as well.
        let bridges = others.iter().filter(|name| lines::is_pci(name)).count();
        let mut left = bridges.saturating_sub(1);
        others.retain(|name| {
            let bridge = left > 0 && lines::is_pci(name);
            left -= usize::from(bridge);
            !bridge
        });
        Self {
            disk: disk.to_owned(),
            others,
        }
    }
}

/// Reads the log and keeps what is about the disks; `alone` leaves out what is
/// about others.
pub(super) fn read(names: &[Names], alone: bool) -> KernelLog {
    match kernel_log::read() {
        Ok(messages) => KernelLog {
            disks: gather(&messages, names, alone),
            unreadable: None,
            read: true,
        },
        Err(error) => KernelLog {
            disks: Vec::new(),
            unreadable: Some(error.to_string()),
            read: true,
        },
    }
}

impl Survey {
    /// Reads the kernel's log once more: looking at the disks may have met
    /// errors since.
    pub fn hear_again(&mut self) {
        if self.kernel_log.read {
            let names: Vec<Names> = self.disks.iter().filter_map(Names::of_disk).collect();
            self.kernel_log = read(&names, self.selected);
        }
    }
}

fn gather(messages: &[Message], names: &[Names], alone: bool) -> Vec<DiskLog> {
    let mut logs: Vec<DiskLog> = Vec::new();
    for message in messages {
        let Some(kind) = classify(&message.text) else {
            continue;
        };
        let Some((name, present)) = disk_of(&message.text, names) else {
            continue;
        };
        if !present && alone {
            continue;
        }
        let line = format!("[{}] {}", message.seconds, message.text);
        let room = present || logs.len() < MOST_GONE;
        match logs.iter_mut().find(|log| log.name == name) {
            Some(log) => log.add(kind, line),
            None if room => {
                let mut log = DiskLog {
                    name,
                    present,
                    ..DiskLog::default()
                };
                log.add(kind, line);
                logs.push(log);
            }
            None => {}
        }
    }
    // Of what is not there only its vanishing tells something: an empty port
    // resets its link, too.
    logs.retain(|log| log.present || log.dropouts > 0);
    logs.sort_by(|a, b| a.name.cmp(&b.name));
    logs
}
