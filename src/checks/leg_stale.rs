//! A member that dropped out and holds old data.

use super::Check;
use crate::assembly::Standing;
use crate::date::date;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/leg-stale",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/leg-stale.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        // Of two sides the events only count their own writes.
        if array.is_split() {
            continue;
        }
        let newest = array.fresh_legs().next();
        for leg in &array.legs {
            let Standing::Stale { behind } = leg.standing else {
                continue;
            };
            let title = format!("{} holds old data of {}", leg.name, array.name);
            let since = date(leg.superblock.updated);
            let seen = format!("left out since {since} UTC, {behind} updates behind");
            let current = newest.map(|newest| {
                let updated = date(newest.superblock.updated);
                Evidence::seen(&newest.name, format!("last updated {updated} UTC"))
            });
            let finding = CHECK
                .finding(Severity::Note, &leg.name, title)
                .with([Evidence::seen(&leg.name, seen)])
                .with(current)
                .because("the disk dropped out then, and the machine ran on without it")
                .by_hand("never boot from that disk alone: it would show the old data");
            out.push(finding);
        }
    }
}
