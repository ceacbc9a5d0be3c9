//! Writes the type of filesystem into fstab that the device has.

use super::edit::{Edit, EditKind, Edits};
use super::{Risk, table_line};
use crate::facts::Facts;
use crate::facts::mounts::Device;
use crate::finding::Finding;

pub(super) const KIND: EditKind = EditKind {
    name: "correct-fstab-type",
    removes: &["services/fstab-type-wrong"],
    plan,
};

/// What can be mounted as it is.
const MOUNTED: [&str; 7] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "f2fs"];

/// Options that each type of filesystem takes (mount(8)).
const FOR_ALL: [&str; 19] = [
    "async",
    "atime",
    "auto",
    "defaults",
    "dev",
    "diratime",
    "exec",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "nofail",
    "nosuid",
    "relatime",
    "ro",
    "rw",
    "suid",
    "sync",
    "_netdev",
];

fn plan(facts: &Facts, finding: &Finding) -> Option<Edits> {
    let tree = facts.tree.as_ref()?;
    let file = tree.mounts.file.as_ref()?;
    let mut lines = Vec::new();
    let mut title = String::new();
    for line in &tree.mounts.lines {
        let entry = &line.entry;
        let Device::Present { format, .. } = &line.device else {
            continue;
        };
        let ours = entry.spec == finding.subject && entry.fstype != *format;
        if !ours || entry.has("noauto") || entry.is_swap() || !MOUNTED.contains(&format.as_str()) {
            continue;
        }
        // An option of the one may be refused by the other.
        let for_all = |option: &String| {
            FOR_ALL.contains(&option.as_str()) || option.starts_with("x-systemd.")
        };
        if !entry.options.iter().all(for_all) {
            return None;
        }
        let new = |old: &str| table_line::with_field(old, 2, |_| format.clone());
        lines.push(Edit::line(file, entry.line, new)?);
        title = format!("mount {} as {format}", entry.target.display());
    }
    (!lines.is_empty()).then_some(Edits {
        title,
        risk: Risk::Safe,
        lines,
    })
}
