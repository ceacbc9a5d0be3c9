//! Records of panics that systemd-pstore moved to the patient's own disk
//! (`systemd-pstore.service(8)`).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::survey::{LastPanic, last_panic};
use crate::sys::pstore::Record;
use crate::sys::root_dir::{Kind, RootDir};

const PLACE: &str = "/var/lib/systemd/pstore";

/// Files that a running system keeps writing to: their times tell when it last
/// lived.
const SIGNS_OF_LIFE: [&str; 5] = [
    "/var/log/wtmp",
    "/var/log/syslog",
    "/var/log/messages",
    "/var/lib/systemd/timesync/clock",
    "/var/lib/systemd/random-seed",
];

/// Folders below each other, records, and bytes of one, that are looked at.
const MOST_DEEP: usize = 3;
const MOST_RECORDS: usize = 256;
const MOST_BYTES: u64 = 2 << 20;

/// A panic this long before the last sign of life is history.
const RECENT_SECONDS: i64 = 7 * 24 * 3600;

/// The newest panic in the patient's archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Archive {
    /// It.
    pub panic: Option<LastPanic>,
    /// The last sign of life of the system, in seconds since 1970.
    pub last_alive: Option<i64>,
}

impl Archive {
    /// True when the panic is among the last things that happened.
    pub fn is_recent(&self) -> bool {
        match (&self.panic, self.last_alive) {
            (Some(panic), Some(alive)) => alive.saturating_sub(panic.time) <= RECENT_SECONDS,
            (panic, None) => panic.is_some(),
            (None, _) => false,
        }
    }
}

pub(super) fn collect(root: &RootDir) -> Archive {
    let mut records = Vec::new();
    gather(root, Path::new(PLACE), MOST_DEEP, &mut records);
    let time = |path: &str| Some(root.metadata(path).ok()?.mtime);
    Archive {
        panic: last_panic::newest(&records),
        last_alive: SIGNS_OF_LIFE.iter().filter_map(|path| time(path)).max(),
    }
}

fn gather(root: &RootDir, folder: &Path, deep: usize, records: &mut Vec<Record>) {
    let Ok(mut entries) = root.read_dir(folder) else {
        return;
    };
    entries.sort_by(|a, b| b.name.cmp(&a.name));
    for entry in entries {
        if records.len() == MOST_RECORDS {
            return;
        }
        let path: PathBuf = folder.join(&entry.name);
        match entry.kind {
            Kind::Directory if deep > 0 => gather(root, &path, deep - 1, records),
            Kind::File if entry.name.to_string_lossy().starts_with("dmesg") => {
                let (Ok(meta), Ok(text)) =
                    (root.symlink_metadata(&path), root.read(&path, MOST_BYTES))
                else {
                    continue;
                };
                records.push(Record {
                    name: path.to_string_lossy().into_owned(),
                    time: meta.mtime,
                    text: String::from_utf8_lossy(&text).into_owned(),
                });
            }
            _ => {}
        }
    }
}
