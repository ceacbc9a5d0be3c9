//! The patient's fstab, set against the filesystems on its disks.

use serde::{Deserialize, Serialize};

use super::text_file::{CHANGED_MAX, TextFile};
use crate::assembly::Assembly;
use crate::survey::Survey;
use crate::sys::root_dir::RootDir;
use crate::sysroot::filesystems::{self, Filesystem, Match};
use crate::sysroot::fstab::{self, BadLine, Entry};

const LIMIT: u64 = 1 << 20;

/// What became of a line's device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Device {
    /// It is there.
    Present {
        /// The filesystem's name.
        name: String,
        /// Its type on disk.
        format: String,
    },
    /// Nothing on the disks is meant by it.
    Absent,
    /// The name has a meaning only while the patient runs.
    CannotTell,
    /// The line needs no device.
    NotNeeded,
}

/// One line, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Line {
    /// The line.
    pub entry: Entry,
    /// What became of its device.
    pub device: Device,
    /// True when another filesystem than the root's is at the mount point now.
    pub mounted: bool,
}

/// One line of crypttab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CryptLine {
    /// Line number, from 1.
    pub line: usize,
    /// The name below `/dev/mapper`.
    pub name: String,
    /// The device that is unlocked.
    pub spec: String,
    /// The key file, or `none`.
    #[serde(default)]
    pub key: String,
    /// Options.
    pub options: Vec<String>,
    /// What became of the device.
    pub device: Device,
}

/// A filesystem without room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Full {
    /// Where it is mounted.
    pub target: String,
    /// Bytes that root can still write.
    pub bytes_free: u64,
    /// Files that can still be made, where there is a limit.
    pub files_free: Option<u64>,
}

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mounts {
    /// The file itself; none when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<TextFile>,
    /// The lines in order.
    pub lines: Vec<Line>,
    /// The lines that mount(8) cannot use.
    pub bad: Vec<BadLine>,
    /// Why the file could not be read; a missing file is none.
    pub unreadable: Option<String>,
    /// What crypttab(5) wants to be unlocked.
    #[serde(default)]
    pub crypttab: Vec<CryptLine>,
    /// crypttab itself; none when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypttab_file: Option<TextFile>,
    /// Filesystems of the tree that have no room left, where they are on disks.
    #[serde(default)]
    pub full: Vec<Full>,
    /// The kernel's `root=` and what it means on these disks.
    pub root_parameter: Option<(String, Device)>,
    /// The files that say so, where it is on no disk: GRUB's menu, and what that
    /// is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub root_files: Vec<TextFile>,
}

impl Mounts {
    /// Reads the files that a wrong `root=` stands in; `menu` is GRUB's.
    pub(super) fn read_root_files(&mut self, root: &RootDir, menu: &str) {
        if !matches!(self.root_parameter, Some((_, Device::Absent))) {
            return;
        }
        let files = [menu, "/etc/default/grub"].into_iter();
        let files = files.filter_map(|path| TextFile::read(root, path, CHANGED_MAX).ok());
        self.root_files = files.collect();
    }

    /// True when `part` is a filesystem of its own and was not there to be
    /// looked at.
    pub fn lacks(&self, part: &str) -> bool {
        self.lines.iter().any(|line| {
            line.entry.target == std::path::Path::new(part)
                && line.entry.wants_device()
                && !line.mounted
        })
    }
}

/// The filesystems of the patient, and whether these are all.
type Known = Option<(Vec<Filesystem>, bool)>;

fn known(crypttab: &str, disks: Option<(&Survey, &Assembly)>) -> Known {
    disks.map(|(survey, assembly)| {
        let mut all = filesystems::list(assembly);
        filesystems::name_by_crypttab(&mut all, crypttab);
        (all, filesystems::all_known(survey, assembly))
    })
}

fn meant(known: &Known, spec: &str) -> Device {
    match known {
        None => Device::CannotTell,
        Some((all, all_known)) => match filesystems::find(all, spec) {
            Match::One(found) => Device::Present {
                name: found.name.clone(),
                format: found.signature.format.clone(),
            },
            Match::None if *all_known => Device::Absent,
            Match::None | Match::Several(_) | Match::CannotTell => Device::CannotTell,
        },
    }
}

/// What a device specification means on these disks.
pub(super) fn meaning(root: &RootDir, disks: Option<(&Survey, &Assembly)>, spec: &str) -> Device {
    meant(&known(&crypttab(root), disks), spec)
}

fn crypttab(root: &RootDir) -> String {
    root.read_text("/etc/crypttab", LIMIT).unwrap_or_default()
}

/// Reads fstab; without disks to set it against every device is unknown.
pub(super) fn collect(
    root: &RootDir,
    disks: Option<(&Survey, &Assembly)>,
    root_parameter: Option<&str>,
) -> Mounts {
    let file = match TextFile::read(root, "/etc/fstab", LIMIT) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Mounts::default(),
        Err(error) => {
            return Mounts {
                unreadable: Some(error.to_string()),
                ..Mounts::default()
            };
        }
    };
    let crypttab = crypttab(root);
    let known = known(&crypttab, disks);
    let meaning = |spec: &str| meant(&known, spec);
    let own = root.metadata("/").map(|meta| meta.dev).ok();
    let fstab = fstab::parse(&file.text);
    let lines = fstab
        .entries
        .into_iter()
        .map(|entry| Line {
            device: if entry.wants_device() {
                meaning(&entry.spec)
            } else {
                Device::NotNeeded
            },
            mounted: root
                .metadata(&entry.target)
                .is_ok_and(|meta| Some(meta.dev) != own),
            entry,
        })
        .collect();
    Mounts {
        file: Some(file),
        lines,
        bad: fstab.bad,
        unreadable: None,
        crypttab: crypt_lines(&crypttab, &meaning),
        crypttab_file: TextFile::read(root, "/etc/crypttab", LIMIT).ok(),
        full: disks.as_ref().map_or_else(Vec::new, |_| full(root)),
        root_parameter: root_parameter.map(|spec| (spec.to_owned(), meaning(spec))),
        root_files: Vec::new(),
    }
}

/// The lines of crypttab; those that name no device are no concern of a boot.
pub(super) fn crypt_lines(text: &str, meaning: &dyn Fn(&str) -> Device) -> Vec<CryptLine> {
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, spec) = (*fields.first()?, fields.get(1)?.replace('"', ""));
        let is_device =
            spec.starts_with("/dev/") || spec.contains("UUID=") || spec.contains("LABEL=");
        (!name.starts_with('#') && is_device).then(|| CryptLine {
            line: index + 1,
            name: name.to_owned(),
            device: meaning(&spec),
            spec,
            key: fields.get(2).map_or("none", |key| *key).to_owned(),
            options: fields
                .get(3)
                .map(|all| all.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
        })
    });
    lines.collect()
}

/// Where nothing more can be written. Less than this, and the next log line or
/// lock file fails.
fn full(root: &RootDir) -> Vec<Full> {
    const BYTES: u64 = 1 << 20;
    const FILES: u64 = 16;
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for target in ["/", "/var", "/var/log", "/tmp", "/boot"] {
        let Ok(dev) = root.metadata(target).map(|meta| meta.dev) else {
            continue;
        };
        if seen.contains(&dev) {
            continue;
        }
        seen.push(dev);
        let Ok(room) = root.room(target) else {
            continue;
        };
        let files_free = (room.files > 0).then_some(room.files_free);
        if room.bytes_free < BYTES || files_free.is_some_and(|free| free < FILES) {
            found.push(Full {
                target: target.to_owned(),
                bytes_free: room.bytes_free,
                files_free,
            });
        }
    }
    found
}
