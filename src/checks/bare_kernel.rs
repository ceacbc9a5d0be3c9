//! Whether a kernel reaches its root without an initramfs.

use super::btrfs_scan_missing::several_devices;
use super::early_images::{early_arrays, early_volumes};
use crate::assembly::{Array, Layer};
use crate::facts::initramfs::drivers::DriverState;
use crate::facts::kernels::Kernel;
use crate::facts::{Facts, Tree};

/// How it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// It mounts its root.
    Works,
    /// It does not.
    Fails(String),
    /// It could not be told.
    Unknown(String),
}

/// What becomes of a kernel alone, with this command line, which may not be
/// known.
pub(super) fn alone(
    facts: &Facts,
    tree: &Tree,
    kernel: &Kernel,
    command_line: Option<&str>,
) -> Start {
    let all = &tree.initramfs.bare;
    let Some(bare) = all.iter().find(|bare| bare.image == kernel.image) else {
        return Start::Unknown("what is built into it was not looked at".into());
    };
    if bare.has_inside {
        return Start::Unknown("an initramfs is built into it".into());
    }
    let words: Vec<&str> = command_line
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    if let Some(why) = needs_programs(facts) {
        // A table on the command line does what dmsetup would.
        return match words.iter().any(|word| word.starts_with("dm-mod.create=")) {
            true => Start::Unknown("dm-mod.create= is not understood".into()),
            false => Start::Fails(why),
        };
    }
    let several = early_volumes(facts)
        .iter()
        .any(|v| several_devices(v).is_some());
    if several
        && !words
            .iter()
            .any(|w| w.starts_with("rootflags=") && w.contains("device="))
    {
        return Start::Fails("nothing tells it of the further devices of its btrfs".into());
    }
    for driver in &bare.drivers {
        match &driver.state {
            DriverState::Missing { lacks } => {
                let name = lacks.join(", ");
                return Start::Fails(format!("{name} for {} is not built in", driver.what));
            }
            DriverState::Unknown { why } => return Start::Unknown(why.clone()),
            DriverState::BuiltIn | DriverState::Inside => {}
        }
    }
    for array in early_arrays(facts) {
        let start = finds(facts, array, bare.finds_arrays, &words);
        if start != Start::Works {
            return start;
        }
    }
    if bare.drivers.is_empty() {
        return Start::Unknown("the filesystem of its root is not known".into());
    }
    let root = words
        .iter()
        .rev()
        .find_map(|word| word.strip_prefix("root="));
    match root {
        None => Start::Unknown("its command line is not known, or has no root=".into()),
        Some(root) => names_root(root),
    }
}

/// Layers that only programs open.
fn needs_programs(facts: &Facts) -> Option<String> {
    let volumes = early_volumes(facts);
    let mut volumes = volumes.iter();
    volumes.find_map(|volume| match volume.layer {
        Layer::Logical { .. } => Some(format!("nothing activates {}", volume.name)),
        Layer::Unlocked => Some(format!("nothing unlocks {}", volume.on.join(", "))),
        Layer::Disk | Layer::Partition | Layer::Array { .. } => None,
    })
}

/// Arrays with metadata 0.90, on partitions of the type for them, or named by
/// `md=` (drivers/md/md-autodetect.c).
fn finds(facts: &Facts, array: &Array, built_in: Option<bool>, words: &[&str]) -> Start {
    let version = array.freshest().map_or("", |own| own.version.as_str());
    if !version.starts_with("0.") {
        return Start::Fails(format!(
            "a kernel alone assembles no array with metadata {version}, as {}",
            array.name
        ));
    }
    if words.iter().any(|word| word.starts_with("md=")) {
        return Start::Works;
    }
    if words.contains(&"raid=noautodetect") {
        return Start::Fails("the command line says raid=noautodetect".into());
    }
    let for_arrays = |name: &str| {
        let purpose = facts
            .assembly
            .volume(name)
            .and_then(|v| v.purpose.as_deref());
        purpose == Some("linux-raid")
    };
    match built_in {
        Some(false) => Start::Fails("it was built without CONFIG_MD_AUTODETECT".into()),
        _ if !array.legs.iter().all(|leg| for_arrays(&leg.name)) => Start::Fails(format!(
            "the partitions of {} have not the type that the kernel looks for",
            array.name
        )),
        Some(true) => Start::Works,
        None => Start::Unknown("its configuration is not here".into()),
    }
}

/// What the kernel itself understands (init/do_mounts.c, block/early-lookup.c).
fn names_root(root: &str) -> Start {
    let number = |text: &str| {
        let mut parts = text.split(':');
        parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let mapped = root.starts_with("/dev/mapper/") || root.starts_with("/dev/disk/");
    let known = ["PARTUUID=", "PARTLABEL="]
        .iter()
        .any(|tag| root.starts_with(tag))
        || (root.starts_with("/dev/") && !mapped)
        || number(root);
    match known {
        true => Start::Works,
        false => Start::Fails(format!("root={root} is understood by an initramfs only")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_names_of_a_root_need_no_initramfs() {
        for root in [
            "/dev/nvme0n1p2",
            "PARTUUID=00112233-02",
            "PARTLABEL=x",
            "8:2",
            "0802",
        ] {
            assert_eq!(names_root(root), Start::Works, "{root}");
        }
        for root in [
            "UUID=1",
            "LABEL=x",
            "/dev/mapper/vg-root",
            "/dev/disk/by-uuid/1",
        ] {
            assert!(matches!(names_root(root), Start::Fails(_)), "{root}");
        }
    }
}
