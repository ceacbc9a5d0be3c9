//! A tree that the operator names: `--root DIR`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use nix::sys::stat;

use super::{Journal, MountedPart, Origin, Sysroot, SysrootInfo, in_use};
use crate::survey::Survey;
use crate::sys::root_dir::RootDir;

/// Opens the directory `path` as a patient's root. Where it lies on disks of
/// this machine, those are the patient's disks.
///
/// # Errors
/// `path` is no directory that can be opened.
pub fn open(path: &Path, survey: &Survey) -> Result<Sysroot> {
    let root = RootDir::open(path).with_context(|| format!("opening {}", path.display()))?;
    let device = stat::fstat(root.fd())?.st_dev;
    let number = format!("{}:{}", stat::major(device), stat::minor(device));
    let below = in_use::devices_below(&number);
    let disks = disks_of(survey, &below);
    // Only the top of a filesystem is a root that a machine can boot from: a
    // directory somewhere on this machine's own disk says nothing about it.
    let top = root
        .symlink_metadata("/")
        .is_ok_and(|meta| meta.dev == device)
        && is_mount_point(path);
    let on_disks = top && !disks.is_empty();
    let info = SysrootInfo {
        candidate: None,
        origin: if on_disks {
            Origin::DirectoryOnDisks
        } else {
            Origin::Directory
        },
        path: path.to_owned(),
        parts: vec![MountedPart {
            target: "/".into(),
            device: path.display().to_string(),
            subvolume: None,
            fstype: String::new(),
            array: None,
            below: Vec::new(),
            journal: Journal::Clean,
        }],
        missing: Vec::new(),
        disks: if on_disks { disks } else { Vec::new() },
        mounted_for_writing: false,
        unopened: Vec::new(),
    };
    Ok(Sysroot { root, info })
}

fn disks_of(survey: &Survey, devices: &BTreeSet<String>) -> Vec<String> {
    survey
        .disks
        .iter()
        .filter(|disk| devices.contains(&disk.name))
        .map(|disk| disk.name.clone())
        .collect()
}

/// True when `path` is the top of a mounted filesystem.
fn is_mount_point(path: &Path) -> bool {
    let (Ok(own), Ok(parent)) = (stat::stat(path), stat::stat(&path.join(".."))) else {
        return false;
    };
    own.st_dev != parent.st_dev || own.st_ino == parent.st_ino
}
