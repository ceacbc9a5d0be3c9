//! The root is a btrfs on several devices, and nothing in the initramfs tells
//! the kernel of them.

use super::Check;
use super::early_images::{
    command_line, early_volumes, images, is_understood, is_whole, layers, rebuilt, stops,
};
use crate::assembly::Volume;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Stage};
use crate::survey::Content;

pub(super) const CHECK: Check = Check {
    id: "initramfs/btrfs-scan-missing",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/btrfs-scan-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let volumes = early_volumes(facts);
    let Some((volume, devices)) = volumes.iter().find_map(|v| Some((v, several_devices(v)?)))
    else {
        return;
    };
    if names_devices(tree) {
        return;
    }
    for image in images(tree).iter().filter(|image| is_whole(image)) {
        let what = "what scans for the devices of the root";
        let Some(layers) = layers(image, what, out) else {
            continue;
        };
        if layers.btrfs_scan.is_some() {
            continue;
        }
        let seen = "neither btrfs device scan nor a rule of udev for it";
        if !is_understood(image) {
            let what = format!("{what} in {}", image.path);
            out.could_not_tell(Stage::Initramfs, what, seen);
            continue;
        }
        let release = &image.release;
        let title = format!(
            "the root is a btrfs on {devices} devices, and the initramfs of {release} \
             does not scan for them"
        );
        let finding = CHECK
            .finding(stops(tree, image), release, title)
            .with([Evidence::seen(&image.path, seen).expected("64-btrfs.rules, or a script")])
            .with([Evidence::seen(&volume.name, "one of its devices")])
            .because("it was made while btrfs-progs was not installed");
        out.push(rebuilt(finding, image));
    }
}

/// How many devices a btrfs has, where it has several.
pub(super) fn several_devices(volume: &Volume) -> Option<u64> {
    match &volume.content {
        Content::Signature(found) if found.format == "btrfs" => {
            let devices = found.member.as_ref()?.devices;
            (devices > 1).then_some(devices)
        }
        _ => None,
    }
}

/// `rootflags=device=/dev/sda1,device=...`
fn names_devices(tree: &Tree) -> bool {
    let words = command_line(tree).unwrap_or_default().split_whitespace();
    let mut flags = words.filter_map(|word| word.strip_prefix("rootflags="));
    flags.any(|flags| flags.split(',').any(|flag| flag.starts_with("device=")))
}
