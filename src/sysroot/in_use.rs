//! Which devices the rescue system has already mounted.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Filesystem;
use crate::assembly::Layer;
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
    /// What the mounted device itself is.
    top: Top,
    /// Files that loop devices below it show, and from which byte on.
    files: Vec<(PathBuf, u64)>,
}

/// What kind of device is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Top {
    /// A disk, a partition or a loop device: not made of others.
    Plain,
    /// An array, or this partition of one.
    Array(Option<u32>),
    /// A mapping: its name, such as `vg0-root`, and who made it (`LVM`,
    /// `CRYPT`).
    Mapping { name: String, maker: String },
}

impl Top {
    fn of(dir: &Path) -> Self {
        let read = |file: &str| fs::read_to_string(dir.join(file)).ok();
        if let Some(name) = read("dm/name") {
            let uuid = read("dm/uuid").unwrap_or_default();
            return Self::Mapping {
                name: name.trim().to_owned(),
                maker: uuid.split('-').next().unwrap_or_default().to_owned(),
            };
        }
        let partition = read("partition").and_then(|number| number.trim().parse().ok());
        let whole = if partition.is_some() {
            dir.parent().unwrap_or(dir)
        } else {
            dir
        };
        if whole.join("md").is_dir() {
            return Self::Array(partition);
        }
        Self::Plain
    }
}

impl InUse {
    /// True when it is `filesystem` that is mounted, and not another one on the
    /// same disks.
    pub(super) fn is(&self, filesystem: &Filesystem) -> bool {
        let overlaps = filesystem.volumes().any(|volume| {
            let device = volume.members.iter().any(|d| self.devices.contains(d));
            device || volume.sources.iter().any(|source| self.shows(source))
        });
        let layer = &filesystem.volume.layer;
        overlaps
            && match &self.top {
                Top::Plain => true,
                Top::Array(partition) => {
                    let own = filesystem.name.rsplit_once(" partition ");
                    let own = own.and_then(|(_, number)| number.parse().ok());
                    matches!(layer, Layer::Array { .. }) && own == *partition
                }
                Top::Mapping { name, maker } => match layer {
                    Layer::Logical { .. } => {
                        let path = format!("/dev/mapper/{name}");
                        maker == "LVM" && filesystem.aliases.contains(&path)
                    }
                    Layer::Unlocked => maker == "CRYPT",
                    Layer::Disk | Layer::Partition | Layer::Array { .. } => maker != "LVM",
                },
            }
    }

    /// True when it shows any part of `source`.
    fn shows(&self, source: &Source) -> bool {
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
            let link = Path::new("/sys/dev/block").join(&mount.majmin);
            let top = fs::canonicalize(link).map_or(Top::Plain, |dir| Top::of(&dir));
            let files = devices.iter().filter_map(|name| loop_file(name)).collect();
            let writable =
                mount.mount_options.contains_key("rw") && mount.super_options.contains_key("rw");
            // A bind mount of a part is not the filesystem's own root.
            (!devices.is_empty() && mount.root == "/").then_some(InUse {
                point: mount.mount_point,
                writable,
                devices,
                top,
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

/// Those of `disks` that a folder of the rescue system lies on.
pub fn disks_below(folder: &Path, disks: &[String]) -> Vec<String> {
    let Ok(found) = nix::sys::stat::stat(folder) else {
        return Vec::new();
    };
    let (major, minor) = (
        nix::sys::stat::major(found.st_dev),
        nix::sys::stat::minor(found.st_dev),
    );
    let below = devices_below(&format!("{major}:{minor}"));
    let all = disks.iter().filter(|disk| below.contains(*disk));
    all.cloned().collect()
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
