//! An array made over one that was in use.

use super::Check;
use crate::date::date;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/array-recreated",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-recreated.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        // A filesystem that was put onto a new array has been used since.
        let old = array.fresh_legs().find_map(|leg| {
            let inside = leg.superblock.inside.as_ref()?;
            let used = inside.written?.max(inside.mounted.unwrap_or(0));
            (used < leg.superblock.created).then_some((leg, inside, used))
        });
        let Some((leg, inside, used)) = old else {
            continue;
        };
        let title = format!("the array {} is younger than what lies on it", array.name);
        let made = format!("array made {} UTC", date(leg.superblock.created));
        let last = format!("{} last used {} UTC", inside.format, date(used));
        let finding = CHECK
            .finding(Severity::Note, &array.name, title)
            .with([
                Evidence::seen(&leg.name, made),
                Evidence::seen(&leg.name, last),
            ])
            .because("mdadm --create was run over an array that was in use, or a clock was wrong")
            .by_hand(
                "write nothing; copy the disks; compare order, level, chunk and data \
                 offset with what the array was before",
            );
        out.push(finding);
    }
}
