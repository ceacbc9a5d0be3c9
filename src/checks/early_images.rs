//! What the checks of an initramfs have in common.

use super::boot_unseen;
use crate::assembly::Array;
use crate::facts::initramfs::archive::FaultKind;
use crate::facts::initramfs::{Builder, Image};
use crate::facts::{Facts, Tree};
use crate::finding::{Finding, Severity};
use crate::sysroot::Search;

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

/// The arrays that the boot needs before it has a root.
pub(super) fn early_arrays(facts: &Facts) -> Vec<&Array> {
    let Search::Found(info) = &facts.search else {
        return Vec::new();
    };
    let root = std::path::Path::new("/");
    let usr = std::path::Path::new("/usr");
    let parts = info.parts.iter();
    let early = parts.filter(|part| part.target == root || part.target == usr);
    let uuids: Vec<&String> = early.filter_map(|part| part.array.as_ref()).collect();
    let arrays = facts.assembly.arrays.iter();
    arrays.filter(|a| uuids.contains(&&a.uuid)).collect()
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
