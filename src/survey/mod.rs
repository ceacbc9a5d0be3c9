//! Stage 1, survey: which disks there are and what lies on them, only read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sys::loopdev::{Access, LoopDevice};
use crate::sys::node;

pub mod boot_areas;
pub mod cards;
mod counters;
mod disks;
pub mod esp;
pub mod firmware;
pub mod grub_core;
pub mod grub_embed;
mod grub_masks;
pub mod grub_module;
pub mod health;
pub mod kernel_log;
pub mod last_panic;
pub(crate) mod little_endian;
pub mod luks;
pub mod lvm;
pub mod read_test;
pub mod signature;
pub mod superblock;
mod sysfs;
mod table;
mod whole_disk;

pub use counters::{Counters, WriteProof};
pub(crate) use disks::examine;
pub use disks::{survey, survey_of};
pub use esp::Esp;
pub use firmware::Firmware;
pub use grub_core::GrubCore;
pub use health::Health;
pub use kernel_log::{DiskLog, KernelLog};
pub use last_panic::LastPanic;
pub use signature::Signature;
pub use superblock::{Member, Superblock};

/// A stretch of a device or file that can be read, shown through a loop device
/// or mounted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source {
    /// Device node or image file.
    #[serde(with = "crate::journal::encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PathBuf,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Source {
    /// Opens it for reading.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        if self.is_device() {
            // An array writes past the cache of its members' nodes.
            node::forget_cached(&file);
        }
        Ok(file)
    }

    /// Reads `length` bytes at `at`, counted from where the source begins;
    /// fewer only at its end.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read_at(&self, file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = self.bytes.saturating_sub(at);
        let length = usize::try_from(left).map_or(length, |left| left.min(length));
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            let Some(from) = self.offset.checked_add(at + done as u64) else {
                break;
            };
            match file.read_at(&mut bytes[done..], from) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        bytes.truncate(done);
        Ok(bytes)
    }

    /// The part of it from `offset` on, at most `bytes` long.
    #[must_use]
    pub fn part(&self, offset: u64, bytes: u64) -> Self {
        Self {
            path: self.path.clone(),
            offset: self.offset.saturating_add(offset),
            bytes: bytes.min(self.bytes.saturating_sub(offset)),
        }
    }

    /// True when it lies on a device node, and not in an image file.
    pub fn is_device(&self) -> bool {
        self.path.starts_with("/dev") || self.is_ours()
    }

    /// True when it lies on an array or mapping that this program made: that
    /// stands on read-only views already.
    pub fn is_ours(&self) -> bool {
        node::is_ours(&self.path)
    }

    /// Shows it as a loop device.
    ///
    /// # Errors
    /// Like [`LoopDevice::attach`].
    pub fn attach(&self, sector_bytes: u32, access: Access) -> io::Result<LoopDevice> {
        LoopDevice::attach(&self.path, self.offset, self.bytes, sector_bytes, access)
    }

    /// How the operator would name it.
    pub fn name(&self) -> String {
        if self.offset == 0 {
            self.path.display().to_string()
        } else {
            format!("{} at byte {}", self.path.display(), self.offset)
        }
    }
}

/// What was recognised on a disk or partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Content {
    /// Nothing known.
    Unknown,
    /// A filesystem, swap, or a container such as LUKS or LVM.
    Signature(Signature),
    /// A physical volume of LVM2.
    PhysicalVolume(Box<lvm::PhysicalVolume>),
    /// A member of a RAID array, or of several.
    RaidMember(Box<Member>),
    /// A member that cannot be opened: damaged, or of a kind not supported.
    RaidUnusable {
        /// What is wrong with it.
        why: String,
    },
    /// It could not be read.
    Unreadable {
        /// The kernel's answer.
        why: String,
        /// True when the device itself failed, and not a permission.
        failing: bool,
    },
}

impl Content {
    /// The word for a filesystem or container: `ext4`, `luks`.
    pub fn format(&self) -> Option<&str> {
        match self {
            Self::Signature(found) => Some(&found.format),
            _ => None,
        }
    }

    /// What `error` says about the device.
    fn unreadable(error: &io::Error) -> Self {
        use nix::errno::Errno;
        // What the block layer answers for a medium or transport that failed.
        let failures = [
            Errno::EIO,
            Errno::EREMOTEIO,
            Errno::EILSEQ,
            Errno::ENODATA,
            Errno::ETIMEDOUT,
        ];
        let errno = error.raw_os_error().map(Errno::from_raw);
        Self::Unreadable {
            why: error.to_string(),
            failing: errno.is_some_and(|errno| failures.contains(&errno)),
        }
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Partition {
    /// Its number in the table.
    pub number: u32,
    /// `/dev/nvme0n1p2`, or file and number for an image.
    pub name: String,
    /// Where to read it.
    pub source: Source,
    /// Where it begins on its disk, in bytes.
    #[serde(default)]
    pub start: u64,
    /// What the table says it is for: `bios-boot`, `esp`, `linux-raid`, ...
    pub purpose: String,
    /// PARTUUID.
    pub uuid: Option<String>,
    /// PARTLABEL.
    pub label: Option<String>,
    /// What lies on it.
    pub content: Content,
    /// True when it begins with nothing but zeros (4 KiB).
    pub blank: bool,
    /// What the firmware sees on it, where it is an EFI system partition or has
    /// a FAT filesystem.
    #[serde(default)]
    pub esp: Option<Esp>,
}

/// One disk or disk image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Disk {
    /// `nvme0n1`, or the file name of an image.
    pub name: String,
    /// Where to read it.
    pub source: Source,
    /// Logical sector size in bytes.
    pub sector_bytes: u32,
    /// Vendor's name for it.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// `gpt`, `mbr` or none.
    pub table: Option<String>,
    /// Problems with the partition table, in words.
    pub table_problem: Option<String>,
    /// `gpt` or `mbr` and the identifier in that table.
    #[serde(default)]
    pub table_id: Option<String>,
    /// What lies before the first partition of an MBR.
    #[serde(default)]
    pub gap: Option<boot_areas::Gap>,
    /// True when the boot code in the first sector is GRUB's.
    pub grub_boot_code: bool,
    /// What that boot code loads.
    #[serde(default)]
    pub grub_core: Option<GrubCore>,
    /// Its partitions, in order.
    pub partitions: Vec<Partition>,
    /// What lies on it where it has no table.
    pub content: Content,
    /// Superblocks of earlier arrays on the whole disk, which do not count.
    #[serde(default)]
    pub old_members: Vec<Superblock>,
    /// What it says about its own health; none for an image.
    #[serde(default)]
    pub health: Option<Health>,
    /// What it and the controllers above it call themselves to find a driver;
    /// none for an image.
    #[serde(default)]
    pub modaliases: Vec<String>,
}

impl Disk {
    /// A disk of which nothing is known yet.
    pub fn blank(name: String, source: Source) -> Self {
        Self {
            name,
            source,
            sector_bytes: 512,
            model: None,
            serial: None,
            table: None,
            table_problem: None,
            table_id: None,
            gap: None,
            grub_boot_code: false,
            grub_core: None,
            partitions: Vec::new(),
            content: Content::Unknown,
            old_members: Vec::new(),
            health: None,
            modaliases: Vec::new(),
        }
    }

    /// True when the disk itself fails and has to be replaced.
    pub fn is_failing(&self) -> bool {
        let mut contents = self.partitions.iter().map(|part| &part.content);
        let unreadable =
            |content: &Content| matches!(content, Content::Unreadable { failing: true, .. });
        let says_so = |health: &Health| health.judged() == health::Judgement::Failing;
        contents.any(unreadable)
            || unreadable(&self.content)
            || self.health.as_ref().is_some_and(says_so)
    }
}

/// Everything the survey saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Survey {
    /// The disks, by name.
    pub disks: Vec<Disk>,
    /// True when the operator named the disks, so that others may exist.
    pub selected: bool,
    /// What the kernel said about disks, also such as are gone.
    #[serde(default)]
    pub kernel_log: KernelLog,
    /// The last panic that the machine itself kept a record of.
    #[serde(default)]
    pub last_panic: Option<LastPanic>,
    /// The network cards of the machine; none for disk images.
    #[serde(default)]
    pub cards: Option<cards::Cards>,
    /// How the firmware started the rescue system; none for disk images.
    #[serde(default)]
    pub firmware: Option<Firmware>,
}

/// A place where a filesystem or array member may lie.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Operator's name of it.
    pub name: &'a str,
    /// The disk it lies on.
    pub disk: &'a Disk,
    /// The partition, unless it is the whole disk.
    pub partition: Option<&'a Partition>,
    /// Where to read it.
    pub source: &'a Source,
    /// What lies on it.
    pub content: &'a Content,
}

impl Survey {
    /// Every partition, and every disk without a table.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.disks.iter().flat_map(|disk| {
            let whole = (disk.partitions.is_empty()).then_some(Place {
                name: &disk.name,
                disk,
                partition: None,
                source: &disk.source,
                content: &disk.content,
            });
            let parts = disk.partitions.iter().map(move |partition| Place {
                name: &partition.name,
                disk,
                partition: Some(partition),
                source: &partition.source,
                content: &partition.content,
            });
            whole.into_iter().chain(parts)
        })
    }
}

/// A whole file or device as a source.
///
/// # Errors
/// The kernel's, naming the path.
pub(crate) fn whole(path: &Path) -> io::Result<(File, Source)> {
    let context = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let file = node::open_disk(path).map_err(context)?;
    let bytes = node::device_bytes(&file).map_err(context)?;
    let source = Source {
        path: path.to_owned(),
        offset: 0,
        bytes,
    };
    Ok((file, source))
}
