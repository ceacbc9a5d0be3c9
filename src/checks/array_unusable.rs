//! A RAID member or array that cannot be opened.

use super::Check;
use crate::assembly::State;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::Content;

pub(super) const CHECK: Check = Check {
    id: "storage/array-unusable",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-unusable.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    // That lifeboot cannot open it says nothing about the machine. Whether
    // something on it is needed is asked by the check on fstab.
    let severity = Severity::Note;
    let by_hand = "mdadm --examine /dev/DISK (reads only); never mdadm --create";
    for array in &facts.assembly.arrays {
        // That has a finding of its own.
        if array.is_reshaping() {
            continue;
        }
        if let State::Unusable { why } = &array.state {
            let title = format!("the array {} cannot be opened", array.name);
            let finding = CHECK
                .finding(severity, &array.name, title)
                .with([Evidence::seen(&array.name, why.as_str())])
                .by_hand(by_hand);
            out.push(finding);
            if facts.tree.is_none() {
                out.could_not_tell(
                    Stage::Storage,
                    format!("array {}", array.name),
                    why.as_str(),
                );
            }
        }
    }
    for volume in facts.survey.places() {
        if let Content::RaidUnusable { why } = volume.content {
            let title = format!("{} is a RAID member that cannot be used", volume.name);
            let finding = CHECK
                .finding(severity, volume.name, title)
                .with([Evidence::seen(volume.name, why.as_str())])
                .by_hand(by_hand);
            out.push(finding);
            out.could_not_tell(Stage::Storage, volume.name, why.as_str());
        }
    }
}
