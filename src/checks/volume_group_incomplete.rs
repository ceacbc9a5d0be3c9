//! A volume group of LVM lacks physical volumes.

use super::Check;
use crate::assembly::{Cause, VolumeGroup};
use crate::facts::Facts;
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/volume-group-incomplete",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/volume-group-incomplete.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for group in &facts.assembly.groups {
        if !group.missing.is_empty() || !group.copies.is_empty() {
            out.push(incomplete(facts, group));
        }
    }
    let closed = facts.assembly.unopened.iter();
    for volume in closed.filter(|volume| volume.cause == Cause::Incomplete) {
        if facts.tree.is_none() {
            out.could_not_tell(Stage::Storage, volume.name.as_str(), volume.why.as_str());
        }
    }
}

fn incomplete(facts: &Facts, group: &VolumeGroup) -> Finding {
    // Of disks that the operator picked, another may hold the rest.
    let severity = if facts.survey.selected {
        Severity::Note
    } else {
        Severity::Degraded
    };
    let title = match (group.missing.len(), group.copies.len()) {
        (0, _) => format!("the volume group {} has a disk twice", group.name),
        (1, _) => format!("the volume group {} lacks a disk", group.name),
        (lacks, _) => format!("the volume group {} lacks {lacks} disks", group.name),
    };
    let part = |what: &str, list: &[String]| {
        let name = group.name.clone();
        let seen = list.iter().map(|text| format!("{what} {text}"));
        seen.map(|text| Evidence::seen(&name, text))
            .collect::<Vec<_>>()
    };
    let closed = facts.assembly.unopened.iter().filter(|volume| {
        volume.cause == Cause::Incomplete && group.volumes.iter().any(|v| v.name == volume.name)
    });
    CHECK
        .finding(severity, &group.name, title)
        .with(part("missing: physical volume", &group.missing))
        .with(part("copies: physical volume", &group.copies))
        .with(closed.map(|volume| Evidence::seen(&volume.name, volume.why.as_str())))
        .by_hand("find the disk (lifeboot survey); never vgreduce --removemissing --force")
}
