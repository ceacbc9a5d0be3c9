//! An array seen only through a disk that dropped out of others.

use super::Check;
use crate::assembly::{Array, Leg, Standing};
use crate::date::date;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/only-stale-leg",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/only-stale-leg.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let arrays = &facts.assembly.arrays;
    for array in arrays.iter().filter(|array| !array.missing.is_empty()) {
        // What dropped out of this array is known to be old, and told.
        let legs: Vec<&Leg> = array.fresh_legs().collect();
        let old: Vec<(&Leg, &Array, &Leg)> = legs
            .iter()
            .filter_map(|leg| {
                let (other, stale) = stale_elsewhere(arrays, array, &leg.disk)?;
                Some((*leg, other, stale))
            })
            .collect();
        if legs.is_empty() || old.len() < legs.len() {
            continue;
        }
        let title = format!("only old members of {} may be here", array.name);
        let evidence = old.iter().map(|(leg, other, stale)| {
            let (own, dropped) = (leg.superblock.updated, stale.superblock.updated);
            let seen = format!(
                "last updated {} UTC; its disk dropped out of {} at {} UTC",
                date(own),
                other.name,
                date(dropped)
            );
            Evidence::seen(&leg.name, seen)
        });
        let finding = CHECK
            .finding(Severity::Degraded, &array.name, title)
            .with(evidence)
            .because("a disk that dropped out answers again, and the one that went on does not")
            .by_hand("find the other member first; write nothing to this one");
        out.push(finding);
        out.could_not_tell(
            Stage::Storage,
            format!("array {}", array.name),
            "its newest member may be on no disk that is here",
        );
    }
}

/// Another array in which a member on `disk` is old, and dropped out no later
/// than this array's member there was last updated (a minute apart at most).
fn stale_elsewhere<'a>(
    arrays: &'a [Array],
    array: &Array,
    disk: &str,
) -> Option<(&'a Array, &'a Leg)> {
    const MINUTE: u64 = 60;
    let own = array.fresh_legs().find(|leg| leg.disk == disk)?;
    let others = arrays.iter().filter(|other| other.uuid != array.uuid);
    others
        .flat_map(|other| other.legs.iter().map(move |leg| (other, leg)))
        .filter(|(_, leg)| leg.disk == disk && matches!(leg.standing, Standing::Stale { .. }))
        // It was written after that: the disk came back into this array.
        .find(|(_, leg)| own.superblock.updated <= leg.superblock.updated + MINUTE)
}
