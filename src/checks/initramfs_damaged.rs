//! An initramfs that the kernel cannot unpack to its end.

use super::Check;
use super::early_images::{images, rebuilt, stops};
use crate::facts::initramfs::Image;
use crate::facts::initramfs::archive::{Fault, FaultKind};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/initramfs-damaged",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/initramfs-damaged.md"),
    run,
};

/// Less room than that is none: the smallest image takes more.
const ROOM_BYTES_MIN: u64 = 4 << 20;

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    for image in images(tree) {
        if !image.left_out.is_empty() {
            let what = format!("all of {}", image.path);
            let why = format!("{} is too large to be kept in memory", image.left_out[0]);
            out.could_not_tell(Stage::Initramfs, what, why);
        }
        if let Some(fault) = &image.fault
            && !told_elsewhere(tree, image)
        {
            judge(tree, image, fault, out);
        }
    }
}

/// Of a file that does not even begin like one, another check speaks.
fn told_elsewhere(tree: &Tree, image: &Image) -> bool {
    let mut kernels = tree.kernels.kernels.iter();
    kernels.any(|kernel| kernel.release == image.release && !kernel.initramfs_whole)
}

fn judge(tree: &Tree, image: &Image, fault: &Fault, out: &mut Findings) {
    let release = &image.release;
    let (severity, what) = match fault.kind {
        FaultKind::Unreadable | FaultKind::NotUnderstood => {
            let what = format!("what is inside {}", image.path);
            return out.could_not_tell(Stage::Initramfs, what, fault.why.as_str());
        }
        FaultKind::Cut => (stops(tree, image), "is cut off"),
        FaultKind::Damaged => (stops(tree, image), "is damaged"),
        FaultKind::Refused => (stops(tree, image), "cannot be unpacked by the kernel"),
        FaultKind::JunkBehind => (Severity::Degraded, "has junk behind its end"),
    };
    let seen = format!("at byte {} of {}: {}", fault.at, fault.of, fault.why);
    let evidence = Evidence::seen(&image.path, seen).expected("whole archives to its end");
    let mut finding = CHECK
        .finding(
            severity,
            release,
            format!("the initramfs of the kernel {release} {what}"),
        )
        .with([evidence])
        .with(surroundings(tree));
    if fault.kind == FaultKind::Cut {
        finding = finding.because("/boot was full, or the power went, while it was written");
    }
    if fault.kind == FaultKind::JunkBehind {
        finding = finding.because("the kernel complains about it and goes on");
    }
    out.push(rebuilt(finding, image));
}

/// What lies around it and tells how it came to be.
fn surroundings(tree: &Tree) -> Vec<Evidence> {
    let mut all = Vec::new();
    for path in tree.initramfs.leftovers.iter().take(4) {
        all.push(Evidence::seen(
            path,
            "left by a build or an upgrade that did not end",
        ));
    }
    if let Some((bytes, inodes)) = tree.initramfs.room
        && (bytes < ROOM_BYTES_MIN || inodes == 0)
    {
        let inodes = match inodes {
            u64::MAX => String::new(),
            number => format!(" and {number} inodes"),
        };
        let seen = format!("full: {} KiB{inodes} free", bytes / 1024);
        all.push(Evidence::seen("/boot", seen).expected("room for a new initramfs"));
    }
    all
}
