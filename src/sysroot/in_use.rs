//! Which devices the rescue system has already mounted.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::survey::Source;

/// A mount of the rescue system that lies on a device of the patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InUse {
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// True when it is mounted for writing.
    pub(super) writable: bool,
    /// Every block device below it, by kernel name, itself included.
    pub(super) devices: BTreeSet<String>,
    /// Files that loop devices below it show, and from which byte on.
    files: Vec<(PathBuf, u64)>,
}

impl InUse {
    /// True when it shows any part of `source`.
    pub(super) fn shows(&self, source: &Source) -> bool {
        let identity = |path: &Path| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
        let own = identity(&source.path);
        self.files.iter().any(|(path, offset)| {
            let inside = *offset >= source.offset && *offset - source.offset < source.bytes;
            own.is_some() && own == identity(path) && inside
        })
    }
}

/// The mounts that lie on block devices.
pub(super) fn mounts() -> Vec<InUse> {
    let Ok(mounts) = procfs::process::Process::myself().and_then(|me| me.mountinfo()) else {
        return Vec::new();
    };
    mounts
        .into_iter()
        .filter_map(|mount| {
            let devices = devices_below(&mount.majmin);
            let files = devices.iter().filter_map(|name| loop_file(name)).collect();
            let writable =
                mount.mount_options.contains_key("rw") && mount.super_options.contains_key("rw");
            // A bind mount of a part is not the filesystem's own root.
            (!devices.is_empty() && mount.root == "/").then_some(InUse {
                point: mount.mount_point,
                writable,
                devices,
                files,
            })
        })
        .collect()
}

/// The file that a loop device shows, and from which byte on.
fn loop_file(device: &str) -> Option<(PathBuf, u64)> {
    let dir = Path::new("/sys/class/block").join(device).join("loop");
    let file = fs::read_to_string(dir.join("backing_file")).ok()?;
    let offset = fs::read_to_string(dir.join("offset")).ok()?;
    Some((PathBuf::from(file.trim()), offset.trim().parse().ok()?))
}

/// The block device `major:minor` and everything it stands on.
pub(super) fn devices_below(number: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Ok(link) = fs::canonicalize(Path::new("/sys/dev/block").join(number)) else {
        return found;
    };
    let mut todo = vec![link];
    while let Some(dir) = todo.pop() {
        let Some(name) = dir.file_name().map(|n| n.to_string_lossy().into_owned()) else {
            continue;
        };
        if !found.insert(name) {
            continue;
        }
        if dir.join("partition").exists()
            && let Some(disk) = dir.parent()
        {
            todo.push(disk.to_owned());
        }
        for slave in fs::read_dir(dir.join("slaves"))
            .into_iter()
            .flatten()
            .flatten()
        {
            if let Ok(real) = fs::canonicalize(slave.path()) {
                todo.push(real);
            }
        }
        // A loop device stands on the file or device behind it.
        if let Ok(behind) = fs::read_to_string(dir.join("loop/backing_file"))
            && let Some(name) = behind.trim().strip_prefix("/dev/")
            && let Ok(real) = fs::canonicalize(Path::new("/sys/class/block").join(name))
        {
            todo.push(real);
        }
    }
    found
}
