//! What the checks of an initramfs have in common.

use std::path::Path;

use super::boot_unseen;
use crate::assembly::{Array, Layer, Volume};
use crate::facts::initramfs::archive::FaultKind;
use crate::facts::initramfs::{Builder, Image, Layers};
use crate::facts::{Facts, Tree};
use crate::finding::{Finding, Findings, Severity, Stage};
use crate::sysroot::{MountedPart, Search};

/// The images that were unpacked, where /boot was there to be looked at. The
/// first one is started by default.
pub(super) fn images(tree: &Tree) -> &[Image] {
    if boot_unseen(tree) {
        return &[];
    }
    &tree.initramfs.images
}

/// The effect of a fault that stops the boot in this image: of the one that is
/// not started by default, only the way out is lost.
pub(super) fn stops(tree: &Tree, image: &Image) -> Severity {
    let is_default = match tree.kernels.default_entry() {
        Some(entry) => entry.initramfs.contains(&image.path),
        None => images(tree)
            .first()
            .is_some_and(|first| first.path == image.path),
    };
    match is_default {
        true => Severity::Blocker,
        false => Severity::Degraded,
    }
}

/// True when all of its content was seen: what is not in it is not there.
pub(super) fn is_whole(image: &Image) -> bool {
    let fault = image.fault.as_ref();
    image.left_out.is_empty() && fault.is_none_or(|fault| fault.kind == FaultKind::JunkBehind)
}

/// The parts of the tree that the initramfs mounts: / and /usr.
pub(super) fn early_parts(facts: &Facts) -> Vec<&MountedPart> {
    let Search::Found(info) = &facts.search else {
        return Vec::new();
    };
    let early = ["/", "/usr"].map(Path::new);
    let parts = info.parts.iter();
    parts.filter(|p| early.contains(&&*p.target)).collect()
}

/// The volumes that these stand on, and what those stand on.
pub(super) fn early_volumes(facts: &Facts) -> Vec<&Volume> {
    let parts = early_parts(facts);
    let below = |volume: &&Volume| parts.iter().any(|p| p.below.contains(&volume.name));
    facts.assembly.volumes.iter().filter(below).collect()
}

/// The arrays that the boot needs before it has a root, each of them.
pub(super) fn early_arrays(facts: &Facts) -> Vec<&Array> {
    let parts = early_parts(facts);
    let volumes = early_volumes(facts);
    let is_early = |array: &&Array| {
        let own = |volume: &&Volume| matches!(&volume.layer, Layer::Array { uuid } if *uuid == array.uuid);
        let named = |part: &&MountedPart| part.array.as_ref() == Some(&array.uuid);
        parts.iter().any(named) || volumes.iter().any(own)
    };
    facts.assembly.arrays.iter().filter(is_early).collect()
}

/// What is known of an image for the layers below the root. Where that is
/// nothing, it is told; facts of an earlier version have none of it.
pub(super) fn layers<'f>(image: &'f Image, what: &str, out: &mut Findings) -> Option<&'f Layers> {
    if image.layers.is_none() {
        let what = format!("{what} in {}", image.path);
        out.could_not_tell(Stage::Initramfs, what, "it was not looked for");
    }
    image.layers.as_ref()
}

/// The command line of the kernel that is started by default, where it is
/// known before GRUB runs.
pub(super) fn command_line(tree: &Tree) -> Option<&str> {
    Some(tree.kernels.default_entry()?.command_line.as_str())
}

/// How the image is made anew, in words for a finding.
pub(super) fn made_anew(image: &Image) -> String {
    let command = image.builder.command(&image.release);
    format!("in a chroot of the patient: {command}")
}

/// Adds how the image is made anew.
pub(super) fn rebuilt(finding: Finding, image: &Image) -> Finding {
    finding.by_hand(made_anew(image))
}

/// True when it is known what the image does.
pub(super) fn is_understood(image: &Image) -> bool {
    image.builder != Builder::Other
}
