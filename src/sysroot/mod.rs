//! Stage 3, sysroot: the patient's root tree, opened without writing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;

mod candidates;
pub mod directory;
mod elsewhere;
pub mod filesystems;
pub mod fstab;
mod in_use;
pub mod layers;
pub mod legs;
mod open;
mod parts;
mod search;
pub mod traces;
mod view;

pub use candidates::Candidate;
pub use elsewhere::OtherSystem;
pub use filesystems::Filesystem;
pub use in_use::disks_below;
pub use open::{Opener, Purpose};
pub use search::Choice;

/// What became of the journal of a filesystem that is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Journal {
    /// Nothing waited to be replayed.
    #[default]
    Clean,
    /// It was replayed into memory; no disk changed.
    Replayed,
    /// It was not: the newest changes are not seen.
    NotReplayed {
        /// Why.
        why: String,
    },
}

/// Where a part of the tree comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MountedPart {
    /// Where in the patient: `/`, `/boot`, ...
    #[serde(with = "crate::journal::encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub target: PathBuf,
    /// The filesystem's name.
    pub device: String,
    /// The subvolume of a btrfs, where not the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subvolume: Option<String>,
    /// Its type.
    pub fstype: String,
    /// UUID of the array that it lies on, where it does.
    pub array: Option<String>,
    /// The names of its volume and of all volumes that this one stands on.
    #[serde(default)]
    pub below: Vec<String>,
    /// What became of its journal.
    #[serde(default)]
    pub journal: Journal,
}

impl MountedPart {
    /// How `--root-device` takes it.
    pub fn choice(&self) -> String {
        place_name(&self.device, self.subvolume.as_deref())
    }
}

/// How the operator names a filesystem or a subvolume of it.
fn place_name(filesystem: &str, subvolume: Option<&str>) -> String {
    match subvolume {
        Some(subvolume) => format!("{filesystem}{SUBVOLUME}{subvolume}"),
        None => filesystem.to_owned(),
    }
}

/// Stands between a filesystem and its subvolume in the name of a root.
const SUBVOLUME: &str = " subvolume ";

/// A part that the patient's fstab wants and that could not be mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MissingPart {
    /// Where in the patient.
    #[serde(with = "crate::journal::encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub target: PathBuf,
    /// The device that fstab names.
    pub spec: String,
    /// Why it could not be mounted.
    pub why: String,
    /// True when the boot goes on without it (`nofail`).
    pub optional: bool,
}

/// How the root was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Found on the patient's disks and mounted by Lifeboot.
    Disks,
    /// On the patient's disks, but mounted by somebody else before.
    AlreadyMounted,
    /// A directory named by the operator that lies on disks of this machine.
    DirectoryOnDisks,
    /// A directory named by the operator; its disks are not known.
    Directory,
}

/// What is known about the tree that is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SysrootInfo {
    /// How it was come by.
    pub origin: Origin,
    /// What makes it a root, and of which system; none for a directory that
    /// the operator named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Box<Candidate>>,
    /// Where it is reachable in the rescue system now.
    #[serde(with = "crate::journal::encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PathBuf,
    /// What is mounted where, root first.
    pub parts: Vec<MountedPart>,
    /// What could not be mounted.
    pub missing: Vec<MissingPart>,
    /// The disks that it lies on, where known.
    pub disks: Vec<String>,
    /// True when somebody else has it mounted for writing.
    pub mounted_for_writing: bool,
    /// Volumes that could hold a system as well and were not opened.
    pub unopened: Vec<Rejected>,
}

/// What the search for a root came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Search {
    /// One root, opened.
    Found(SysrootInfo),
    /// No filesystem holds a system.
    None {
        /// What was looked at, and why each was not it.
        looked_at: Vec<Rejected>,
    },
    /// Several do, and the operator has to choose.
    Several {
        /// The roots found.
        candidates: Vec<Candidate>,
    },
}

/// A volume that is not the root, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rejected {
    /// The volume.
    pub name: String,
    /// Why it is not, or could not be looked at.
    pub why: String,
    /// True when it could hold a root but could not be looked at.
    pub unknown: bool,
}

/// The open tree.
#[derive(Debug)]
pub struct Sysroot {
    /// Through which everything is read.
    pub root: RootDir,
    /// What it is.
    pub info: SysrootInfo,
}
