//! Points a line of fstab to the filesystem that is meant, or lets the boot go
//! on without it.

use std::path::Path;

use super::edit::{Edit, EditKind, Edits};
use super::{Risk, root_filesystem, table_line};
use crate::facts::mounts::{Device, Line};
use crate::facts::{Facts, Tree};
use crate::finding::{Finding, Severity};
use crate::sysroot::Search;
use crate::sysroot::filesystems::{self, Filesystem};

pub(super) const KIND: EditKind = EditKind {
    name: "correct-fstab-device",
    removes: &["services/fstab-device-missing"],
    plan,
};

/// Without these, what runs would find and leave its data in the wrong place.
const NOT_WITHOUT: [&str; 3] = ["/", "/usr", "/var"];

/// Where distributions mount an EFI system partition.
const ESP: [&str; 2] = ["/boot/efi", "/efi"];

fn plan(facts: &Facts, finding: &Finding) -> Option<Edits> {
    let tree = facts.tree.as_ref()?;
    let file = tree.mounts.file.as_ref()?;
    let mut lines = Vec::new();
    let mut titles = Vec::new();
    let mut risk = Risk::Safe;
    for line in tree.mounts.lines.iter().filter(|line| is_it(line, finding)) {
        let entry = &line.entry;
        let target = entry.target.display();
        if let Some(meant) = meant(facts, tree, line) {
            let uuid = format!("UUID={}", meant.signature.uuid.as_ref()?);
            let new = |old: &str| table_line::with_field(old, 0, |_| uuid.clone());
            lines.push(Edit::line(file, entry.line, new)?);
            titles.push(format!("mount {} as {target}: {uuid}", meant.name));
            risk = Risk::Medium;
        } else if may_go_without(finding, line) {
            let fill = ["", "none", "auto", "defaults"];
            let new = |old: &str| table_line::with_option(old, "nofail", &fill);
            lines.push(Edit::line(file, entry.line, new)?);
            titles.push(format!("let the boot go on without {target} (nofail)"));
            risk = Risk::Medium;
        }
    }
    (!lines.is_empty()).then(|| Edits {
        title: titles.join("; "),
        risk,
        lines,
    })
}

fn is_it(line: &Line, finding: &Finding) -> bool {
    line.device == Device::Absent
        && line.entry.spec == finding.subject
        && !line.entry.has("noauto")
        && !line.entry.has("nofail")
}

fn may_go_without(finding: &Finding, line: &Line) -> bool {
    let target = line.entry.target.as_path();
    let needed = NOT_WITHOUT.iter().any(|needed| target == Path::new(needed));
    finding.severity >= Severity::Unreachable && !needed && !line.entry.is_swap()
}

/// The filesystem that is meant without doubt: no other line is about it, and
/// what it says of itself, or its being the only one, leaves no other.
fn meant(facts: &Facts, tree: &Tree, line: &Line) -> Option<Filesystem> {
    let entry = &line.entry;
    let all = filesystems::list(&facts.assembly);
    if entry.target == Path::new("/") {
        return root_itself(facts, tree, line);
    }
    let free = all.iter().filter(|found| !is_used(facts, tree, found));
    let target = entry.target.to_str()?;
    let fits = |found: &&Filesystem| {
        let format = found.signature.format.as_str();
        let of_type = entry.fstype == format || entry.fstype == "auto";
        let made_for_it = || {
            let life = found.signature.life.as_ref();
            life.and_then(|life| life.mounted_on.as_deref()) == Some(target)
        };
        match format {
            "swap" => entry.is_swap() && !found.signature.hibernated,
            "vfat" => {
                let is_esp = found.volume.purpose.as_deref() == Some("esp");
                of_type && is_esp && ESP.contains(&target)
            }
            // The kernel notes there where it was mounted.
            "ext2" | "ext3" | "ext4" => of_type && made_for_it(),
            _ => false,
        }
    };
    let mut found = free.filter(fits).filter(|f| f.signature.uuid.is_some());
    let only = found.next().filter(|_| found.next().is_none())?;
    // Two lines that want one filesystem: which of them is meant?
    let lines = tree.mounts.lines.iter();
    let mut rivals = lines.filter(|other| {
        let same = other.entry.target == entry.target || entry.is_swap();
        other.device == Device::Absent
            && other.entry.is_swap() == entry.is_swap()
            && same
            && other.entry.line != entry.line
    });
    rivals.next().is_none().then(|| only.clone())
}

/// The root that is looked at, where it is also the one that the kernel is told
/// to mount: with two words for it, the line of fstab alone is wrong.
fn root_itself(facts: &Facts, tree: &Tree, line: &Line) -> Option<Filesystem> {
    let root = root_filesystem::of(facts)?;
    let is_it =
        |device: &Device| matches!(device, Device::Present { name, .. } if *name == root.name);
    let (_, told) = tree.mounts.root_parameter.as_ref()?;
    let mut lines = tree.mounts.lines.iter();
    let is_only = !lines.any(|other| {
        other.entry.line != line.entry.line
            && (other.entry.target == Path::new("/") || is_it(&other.device))
    });
    let of_type = ["auto", root.signature.format.as_str()].contains(&line.entry.fstype.as_str());
    (is_it(told) && is_only && of_type).then_some(root)
}

/// True when something else is known to mean it.
fn is_used(facts: &Facts, tree: &Tree, found: &Filesystem) -> bool {
    let is_it = |device: &Device| match device {
        Device::Present { name, .. } => *name == found.name,
        _ => false,
    };
    let mut devices = tree.mounts.lines.iter().map(|line| &line.device);
    let by_kernel = tree.mounts.root_parameter.as_ref();
    let mut containers = tree.mounts.crypttab.iter().map(|line| &line.device);
    let mounted = match &facts.search {
        Search::Found(info) => info.parts.iter().any(|part| part.device == found.name),
        _ => false,
    };
    mounted
        || devices.any(is_it)
        || containers.any(is_it)
        || by_kernel.is_some_and(|(_, device)| is_it(device))
}
