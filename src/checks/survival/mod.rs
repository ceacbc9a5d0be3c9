//! Whether the machine comes up with one disk alone: no finding of its own, but
//! a part of the verdict.
//!
//! The layers have to be there, and the initramfs has to start those that are
//! short of a part; then the boot has to do without what fstab names.

use std::path::Path;

use super::early_images::{command_line, early_parts, images, is_whole};
use crate::facts::initramfs::{Builder, Image, Layers};
use crate::facts::mounts::{Device, Line};
use crate::facts::{Facts, Tree};
use crate::survey::Content;
use crate::sysroot::{MountedPart, Search};

mod stands;
#[cfg(test)]
mod tests;

use stands::{Short, Stands, filesystem};

/// Whether the layers come up with `disk` alone, and why not; none where that
/// is not known.
pub(crate) fn with(facts: &Facts, disk: &str) -> (Option<bool>, String) {
    let Search::Found(info) = &facts.search else {
        return (None, "no system was found".into());
    };
    let mut unknown = None;
    let tree = facts.tree.as_ref();
    for part in info.parts.iter().filter(|part| is_needed(tree, part)) {
        let short = match filesystem(&facts.assembly, &part.device, disk) {
            Stands::Yes(short) => short,
            Stands::No(why) => return (Some(false), why),
            Stands::Unknown(why) => {
                unknown.get_or_insert(why);
                continue;
            }
        };
        let early = early_parts(facts)
            .iter()
            .any(|own| own.target == part.target);
        for layer in short.iter().filter(|_| early) {
            match started(facts, layer) {
                (Some(true), _) => {}
                (Some(false), why) => return (Some(false), why),
                (None, why) => {
                    unknown.get_or_insert(why);
                }
            }
        }
    }
    if let Some(why) = tree.and_then(|tree| waits_for(facts, tree, disk)) {
        return (Some(false), why);
    }
    match unknown {
        Some(why) => (None, why),
        None => (Some(true), String::new()),
    }
}

/// True for a part without which the boot ends, or GRUB has no kernel. What
/// lies deeper is asked for by its line of fstab.
fn is_needed(tree: Option<&Tree>, part: &MountedPart) -> bool {
    let always = ["/", "/usr", "/boot"].map(Path::new);
    let mut lines = tree.into_iter().flat_map(|tree| &tree.mounts.lines);
    let may_fail = lines.any(|l| l.entry.target == part.target && l.entry.has("nofail"));
    always.contains(&&*part.target) || (part.target == Path::new("/var") && !may_fail)
}

/// Whether the initramfs starts a layer with a part missing.
fn started(facts: &Facts, layer: &Short) -> (Option<bool>, String) {
    let Some(tree) = &facts.tree else {
        return (None, "the initramfs was not looked at".into());
    };
    let image = images(tree).first().filter(|image| is_whole(image));
    let Some((image, layers)) = image.and_then(|image| Some((image, image.layers.as_ref()?)))
    else {
        return (None, "the initramfs was not looked at".into());
    };
    match layer {
        Short::Array(uuid) => array(facts, image, layers, uuid),
        Short::Group(name) => group(tree, image, layers, name),
        Short::Btrfs(name) => btrfs(tree, image, name),
        Short::Container(name) => (
            None,
            format!("whether {} goes on without {name}", image.path),
        ),
    }
}

fn array(facts: &Facts, image: &Image, layers: &Layers, uuid: &str) -> (Option<bool>, String) {
    let arrays = &facts.assembly.arrays;
    let Some(array) = arrays.iter().find(|array| array.uuid == uuid) else {
        return (None, "an array is not known".into());
    };
    let name = array.freshest().map_or("", |own| own.name.as_str());
    let line = image.mdadm_conf.entry_of(uuid, name);
    if let Some(members) = line.and_then(|line| line.members.as_ref()) {
        let why = format!(
            "mdadm.conf in the initramfs wants {members} for {}",
            array.name
        );
        return (None, why);
    }
    if layers.md_last_resort.is_some() {
        return (Some(true), String::new());
    }
    let why = format!(
        "the initramfs does not start {} with a member missing",
        array.name
    );
    match image.builder {
        Builder::InitramfsTools => (Some(false), why),
        Builder::Dracut | Builder::Mkinitcpio | Builder::Other => (
            None,
            format!("what starts {} with a member missing", array.name),
        ),
    }
}

/// LVM's rule of udev activates a group when it is complete; scripts and dracut
/// try with what there is, which `activation_mode` allows unless it says
/// `complete`.
fn group(tree: &Tree, image: &Image, layers: &Layers, name: &str) -> (Option<bool>, String) {
    if layers.lvm_activation.as_deref() == Some("complete") {
        return (
            Some(false),
            "lvm.conf says activation_mode = complete".into(),
        );
    }
    let is_root = matches!(
        &tree.mounts.root_parameter,
        Some((spec, Device::Present { name: own, .. })) if own == name && spec.starts_with("/dev/")
    );
    if (layers.lvm_script.is_some() && is_root) || layers.lvm_scan_degraded {
        return (Some(true), String::new());
    }
    let only_whole = image.builder == Builder::InitramfsTools
        && layers.lvm_script.is_none()
        && layers.lvm_rule.is_some()
        && layers.lvm_rule_waits;
    match only_whole {
        true => {
            let why = format!(
                "the initramfs activates the volume group of {name} only when all of it is there"
            );
            (Some(false), why)
        }
        false => (
            None,
            format!("whether {name} is activated with a part missing"),
        ),
    }
}

fn btrfs(tree: &Tree, image: &Image, name: &str) -> (Option<bool>, String) {
    let Some(line) = command_line(tree) else {
        return (None, "the command line is chosen when GRUB runs".into());
    };
    let mut flags = line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("rootflags="));
    let degraded = flags.any(|flags| flags.split(',').any(|flag| flag == "degraded"));
    match degraded {
        false => (
            Some(false),
            "a btrfs with a device missing is mounted with rootflags=degraded only".into(),
        ),
        // Under systemd, udev holds the device back until all are there.
        true if image.builder != Builder::InitramfsTools => (
            None,
            format!("whether udev shows {name} with a device missing"),
        ),
        true => (Some(true), String::new()),
    }
}

/// The line of fstab that a boot insists on, for something on another disk.
fn waits_for(facts: &Facts, tree: &Tree, disk: &str) -> Option<String> {
    let waits = |line: &&Line| {
        let goes_on = ["noauto", "nofail", "_netdev", "x-systemd.automount"];
        !line.entry.is_swap() && !goes_on.iter().any(|option| line.entry.has(option))
    };
    let mut lines = tree.mounts.lines.iter().filter(waits);
    lines.find_map(|line| {
        let Device::Present { name, .. } = &line.device else {
            return None;
        };
        let gone = matches!(filesystem(&facts.assembly, name, disk), Stands::No(_));
        (gone && !has_copy(facts, name, disk)).then(|| {
            let number = line.entry.line;
            format!("/etc/fstab line {number} insists on {name}, which is on another disk")
        })
    })
}

/// True when this disk has a filesystem with the same UUID, as EFI system
/// partitions that are kept in step.
fn has_copy(facts: &Facts, name: &str, disk: &str) -> bool {
    let uuid = |content: &Content| match content {
        Content::Signature(found) if found.format == "vfat" => found.uuid.clone(),
        _ => None,
    };
    let Some(own) = facts.assembly.volume(name).and_then(|v| uuid(&v.content)) else {
        return false;
    };
    let mut volumes = facts.assembly.volumes.iter();
    volumes.any(|volume| {
        volume.disks.iter().any(|own| own == disk) && uuid(&volume.content).as_ref() == Some(&own)
    })
}
