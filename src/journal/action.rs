//! The primitive changes that every repair is made of.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::areas::DiskName;
use super::encoded;
use super::xattrs::Attribute;
use crate::sys::root_dir::Kind;

/// One change of the patient's tree.
///
/// Parents may be symbolic links (`/lib/x` on a merged `/usr`); they are
/// followed inside the root. The last component never is.
///
/// Every action comes down to one move on one filesystem (see
/// [`super::record::Step`]): what goes away moves into the quarantine, what is
/// new was made beside the journal and moves into its place. Only
/// [`Action::Attributes`] changes something where it stands, and
/// [`Action::BootArea`] bytes of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "action", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Moves what stands at `from` to `to`. Never overwrites.
    Rename {
        /// Where it is.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        from: PathBuf,
        /// Where it shall be.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        to: PathBuf,
    },
    /// Takes it away, into the transaction's quarantine.
    Quarantine {
        /// What is taken away, with everything below it.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        path: PathBuf,
    },
    /// Makes a symbolic link, owned by whoever runs Lifeboot: root.
    Symlink {
        /// The link.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        path: PathBuf,
        /// What it says.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        target: PathBuf,
    },
    /// Makes an empty directory.
    MakeDirectory {
        /// The directory.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        path: PathBuf,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Extended attributes.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        xattrs: Vec<Attribute>,
    },
    /// Makes a small text file. To replace one, quarantine it first.
    PutFile {
        /// The file.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        path: PathBuf,
        /// What it says.
        text: String,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Extended attributes: those of the file that it replaces.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        xattrs: Vec<Attribute>,
    },
    /// Makes a copy of a file of the patient, as that is before the first change;
    /// a copy packed by gzip(1) is unpacked.
    Copy {
        /// The file to be.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        path: PathBuf,
        /// What is copied. Exact: no link in it.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        source: PathBuf,
        /// Bytes of the new file.
        size: u64,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// Takes a directory away that has nothing in it.
    RemoveEmptyDirectory {
        /// The directory.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        path: PathBuf,
    },
    /// Puts what a rehearsal made: a file, a link, a device or a FIFO, with
    /// owner, mode, extended attributes and time.
    Install {
        /// Where. Exact: no link in it.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        path: PathBuf,
        /// What.
        kind: Kind,
        /// Bytes of a file.
        size: u64,
        /// The path of an earlier action of this kind that puts the same file:
        /// a hard link.
        #[serde(
            with = "encoded::optional",
            skip_serializing_if = "Option::is_none",
            default
        )]
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        same_as: Option<PathBuf>,
    },
    /// Gives a directory, or a file that has no second name, another mode, owner
    /// or extended attributes.
    Attributes {
        /// The directory or the file. Exact.
        #[serde(with = "encoded")]
        #[cfg_attr(test, schemars(with = "String"))]
        path: PathBuf,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Extended attributes that change.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        xattrs: Vec<Attribute>,
    },
    /// Writes bytes of a disk that belong to no filesystem: boot code, the gap
    /// before the first partition, a BIOS boot partition. What it shall hold
    /// comes with the disks ([`super::Disks::boot_area`]).
    BootArea {
        /// The disk.
        disk: DiskName,
        /// The first byte.
        at: u64,
        /// How many.
        bytes: u64,
        /// SHA-256 of what they hold before.
        before: String,
        /// SHA-256 of what they shall hold.
        after: String,
    },
}

impl Action {
    /// The path that the action is about, as it was asked for; the root for
    /// what lies outside of the tree.
    pub fn path(&self) -> &Path {
        match self {
            Self::BootArea { .. } => Path::new("/"),
            Self::Rename { from, .. } => from,
            Self::Quarantine { path }
            | Self::Symlink { path, .. }
            | Self::MakeDirectory { path, .. }
            | Self::PutFile { path, .. }
            | Self::Copy { path, .. }
            | Self::Install { path, .. }
            | Self::Attributes { path, .. }
            | Self::RemoveEmptyDirectory { path } => path,
        }
    }

    /// True when the action brings something new into the tree.
    pub fn creates(&self) -> bool {
        matches!(
            self,
            Self::Symlink { .. }
                | Self::MakeDirectory { .. }
                | Self::PutFile { .. }
                | Self::Copy { .. }
                | Self::Install { .. }
        )
    }
}

/// In the operator's words, for plans and progress.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rename { from, to } => {
                write!(
                    f,
                    "move {} to {}",
                    encoded::encode(from),
                    encoded::encode(to)
                )
            }
            Self::Quarantine { path } => {
                write!(f, "move {} into quarantine", encoded::encode(path))
            }
            Self::Symlink { path, target } => {
                let (path, target) = (encoded::encode(path), encoded::encode(target));
                write!(f, "link {path} to {target}")
            }
            Self::MakeDirectory { path, mode, .. } => {
                write!(f, "make directory {} ({mode:04o})", encoded::encode(path))
            }
            Self::PutFile { path, text, .. } => {
                let bytes = text.len();
                write!(f, "write {} ({bytes} bytes)", encoded::encode(path))
            }
            Self::Copy { path, source, .. } => {
                let (path, source) = (encoded::encode(path), encoded::encode(source));
                write!(f, "copy {source} to {path}")
            }
            Self::Install {
                path, kind, size, ..
            } => match kind {
                Kind::File => write!(f, "put {} ({size} bytes)", encoded::encode(path)),
                Kind::Symlink => write!(f, "put the link {}", encoded::encode(path)),
                _ => write!(f, "put {}", encoded::encode(path)),
            },
            Self::Attributes {
                path,
                mode,
                uid,
                gid,
                ..
            } => write!(
                f,
                "give {} mode {mode:04o}, owner {uid}:{gid}",
                encoded::encode(path)
            ),
            Self::BootArea {
                disk, at, bytes, ..
            } => {
                let name = encoded::encode(Path::new(&disk.called));
                write!(f, "write {bytes} bytes at byte {at} of disk {name}")
            }
            Self::RemoveEmptyDirectory { path } => {
                write!(f, "remove empty directory {}", encoded::encode(path))
            }
        }
    }
}
