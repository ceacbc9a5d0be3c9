//! Kernels that start without an initramfs: whether they have in themselves
//! what leads to the root.
//!
//! A kernel alone mounts a disk or a partition that it has a driver for, and
//! assembles arrays of the old kind (`Documentation/admin-guide/md.rst`); the
//! rest is for programs, and without an initramfs there are none.

use serde::{Deserialize, Serialize};

use super::Sources;
use super::drivers::{self, Driver, DriverState, Need};
use crate::facts::kernels::Kernel;
use crate::kmod::index::Index;
use crate::sys::root_dir::RootDir;

/// Most bytes of a kernel's configuration; real ones have 300 KiB.
const CONFIG_BYTES_MAX: u64 = 4 << 20;

/// Kernels that are looked at.
const KERNELS_MAX: usize = 8;

/// The options of drivers whose name is not that of their option.
const OPTIONS: [(&str, &str); 30] = [
    ("ext2", "EXT2_FS"),
    ("ext3", "EXT3_FS"),
    ("ext4", "EXT4_FS"),
    ("xfs", "XFS_FS"),
    ("btrfs", "BTRFS_FS"),
    ("f2fs", "F2FS_FS"),
    ("jfs", "JFS_FS"),
    ("reiserfs", "REISERFS_FS"),
    ("bcachefs", "BCACHEFS_FS"),
    ("linear", "MD_LINEAR"),
    ("raid0", "MD_RAID0"),
    ("raid1", "MD_RAID1"),
    ("raid10", "MD_RAID10"),
    ("raid456", "MD_RAID456"),
    ("dm_mod", "BLK_DEV_DM"),
    ("dm_crypt", "DM_CRYPT"),
    ("dm_raid", "DM_RAID"),
    ("nvme", "BLK_DEV_NVME"),
    ("sd_mod", "BLK_DEV_SD"),
    ("virtio_blk", "VIRTIO_BLK"),
    ("virtio_pci", "VIRTIO_PCI"),
    ("virtio_mmio", "VIRTIO_MMIO"),
    ("virtio_scsi", "SCSI_VIRTIO"),
    ("mmc_block", "MMC_BLOCK"),
    ("xen_blkfront", "XEN_BLKDEV_FRONTEND"),
    ("ahci", "SATA_AHCI"),
    ("ata_piix", "ATA_PIIX"),
    ("megaraid_sas", "MEGARAID_SAS"),
    ("mpt3sas", "SCSI_MPT3SAS"),
    ("hv_storvsc", "HYPERV_STORAGE"),
];

/// A kernel without an initramfs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bare {
    /// Its image.
    pub image: String,
    /// The drivers that lead to the root: built in, or missing.
    pub drivers: Vec<Driver>,
    /// Whether it finds arrays of the old kind itself; none if not known.
    pub finds_arrays: Option<bool>,
    /// True when an initramfs is built into it.
    pub has_inside: bool,
}

pub(super) fn collect(sources: Sources<'_>) -> Vec<Bare> {
    let entry = sources.kernels.default_entry();
    let is_given_none = |kernel: &Kernel| {
        entry.is_some_and(|entry| entry.initramfs.is_empty() && entry.kernel == kernel.image)
    };
    let has_none = |kernel: &Kernel| !(kernel.initramfs.is_some() && kernel.initramfs_whole);
    let kernels = sources.kernels.kernels.iter();
    let without = kernels.filter(|k| k.whole && (has_none(k) || is_given_none(k)));
    without
        .take(KERNELS_MAX)
        .map(|kernel| look(sources, kernel))
        .collect()
}

fn look(sources: Sources<'_>, kernel: &Kernel) -> Bare {
    let (index, needs) = super::needs_of(sources, kernel.runs_as());
    let index = index.filter(Index::knows_built_in);
    let config = config(sources.root, kernel);
    let option = |name: &str| config.as_deref().and_then(|text| option(text, name));
    Bare {
        image: kernel.image.clone(),
        drivers: needs
            .into_iter()
            .map(|need| judge(need, index.as_ref(), &option))
            .collect(),
        finds_arrays: option("MD_AUTODETECT"),
        has_inside: config.as_deref().is_some_and(has_inside),
    }
}

/// Where distributions put it.
fn config(root: &RootDir, kernel: &Kernel) -> Option<String> {
    let release = kernel.runs_as();
    let paths = [
        format!("/boot/config-{release}"),
        format!("/boot/config-{}", kernel.release),
        format!("/lib/modules/{release}/config"),
        format!("/usr/lib/modules/{release}/config"),
    ];
    let mut texts = paths
        .iter()
        .filter_map(|path| root.read_text(path, CONFIG_BYTES_MAX).ok());
    // Of a file that is something else, nothing is believed.
    texts.find(|text| text.lines().any(|line| line.starts_with("CONFIG_BLOCK=")))
}

/// Whether an option is built in; none where nothing is said of it.
fn option(config: &str, name: &str) -> Option<bool> {
    let set = format!("CONFIG_{name}=");
    let unset = format!("# CONFIG_{name} is not set");
    config.lines().find_map(|line| {
        let value = line.strip_prefix(&set).map(|value| value == "y");
        value.or_else(|| (line == unset).then_some(false))
    })
}

/// `CONFIG_INITRAMFS_SOURCE="/usr/src/initramfs"`
fn has_inside(config: &str) -> bool {
    let mut lines = config.lines();
    lines.any(|line| {
        let value = line.strip_prefix("CONFIG_INITRAMFS_SOURCE=");
        value.is_some_and(|value| !value.trim_matches('"').is_empty())
    })
}

fn judge(need: Need, index: Option<&Index>, option: &dyn Fn(&str) -> Option<bool>) -> Driver {
    let by_index = |name: &String| index.is_some_and(|index| index.is_built_in(name));
    let said = |name: &String| {
        let known = OPTIONS.iter().find(|(module, _)| module == name);
        option(known.map_or(&*name.to_ascii_uppercase(), |(_, option)| option))
    };
    let state = if need
        .names
        .iter()
        .any(|name| by_index(name) || said(name) == Some(true))
    {
        DriverState::BuiltIn
    } else if index.is_some() || need.names.iter().any(|name| said(name).is_some()) {
        let lacks = need.names.iter().take(1).cloned().collect();
        DriverState::Missing { lacks }
    } else {
        DriverState::Unknown {
            why: "neither modules.builtin nor the configuration of this kernel is here".into(),
        }
    };
    drivers::Driver {
        names: need.names,
        what: need.what,
        state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_told_by_the_index_or_the_configuration() {
        let index = Index::parse("", "kernel/fs/ext4/ext4.ko\n", "", "");
        let config = "CONFIG_BLOCK=y\nCONFIG_XFS_FS=y\nCONFIG_BTRFS_FS=m\n\
            # CONFIG_F2FS_FS is not set\n";
        let judged = |names: &[&str], index: Option<&Index>, config: &str| {
            let need = Need::new(names, "the filesystem of /");
            judge(need, index, &|name| option(config, name)).state
        };
        let is_missing = |state| matches!(state, DriverState::Missing { .. });
        assert_eq!(
            judged(&["ext2", "ext4"], Some(&index), ""),
            DriverState::BuiltIn
        );
        assert_eq!(judged(&["xfs"], None, config), DriverState::BuiltIn);
        assert!(is_missing(judged(&["xfs"], Some(&index), "")));
        assert!(is_missing(judged(&["btrfs"], None, config)));
        assert!(is_missing(judged(&["f2fs"], None, config)));
        assert!(has_inside("CONFIG_INITRAMFS_SOURCE=\"/usr/src\"\n"));
        assert!(!has_inside("CONFIG_INITRAMFS_SOURCE=\"\"\n"));
        let unknown = judged(&["ext4"], None, config);
        assert!(matches!(unknown, DriverState::Unknown { .. }));
    }
}
