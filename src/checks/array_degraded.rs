//! An array that runs, but not with all its members.

use super::Check;
use crate::assembly::{Array, Leg, Standing, State};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/array-degraded",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-degraded.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        if array.state != State::Degraded {
            continue;
        }
        let slots = usize::try_from(array.raid_disks).unwrap_or(usize::MAX);
        let there = slots.saturating_sub(array.missing.len());
        let title = format!(
            "the array {} runs with {there} of {} members",
            array.name, array.raid_disks
        );
        let finding = CHECK
            .finding(Severity::Degraded, &array.name, title)
            .with(array.legs.iter().map(leg))
            .with(absent(array))
            .because("a disk failed, was removed, or dropped out for a moment")
            .by_hand(
                "after the repair, in the running system: \
                 mdadm --detail /dev/mdX, then mdadm /dev/mdX --re-add /dev/DISK",
            );
        out.push(finding);
    }
}

fn leg(leg: &Leg) -> Evidence {
    let events = leg.superblock.events;
    let seen = match leg.standing {
        Standing::Fresh { slot } => format!("current, slot {slot}, {events} events"),
        Standing::Stale { behind } => format!("old: {behind} events behind"),
        Standing::Rebuilding => "only partly rebuilt".into(),
        Standing::Spare => "a spare without data".into(),
        Standing::Faulty => "marked as failed".into(),
        Standing::Duplicate => "a second member for the same slot".into(),
        Standing::Journal => "the write journal".into(),
        Standing::OtherSide => "left out: another was chosen with --leg".into(),
    };
    Evidence::seen(&leg.name, seen)
}

fn absent(array: &Array) -> Vec<Evidence> {
    let count = array.legs.len();
    let known = usize::try_from(array.raid_disks).unwrap_or(usize::MAX);
    (count..known)
        .take(8)
        .map(|_| Evidence::seen(&array.name, "a member is on no disk").expected("present"))
        .collect()
}
