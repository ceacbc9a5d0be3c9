//! Blocks that the array knows to be bad.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::superblock::Range;

pub(super) const CHECK: Check = Check {
    id: "storage/bad-blocks-recorded",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/bad-blocks-recorded.md"),
    run,
};

/// Enough to see where they lie.
const MOST: usize = 8;

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        for leg in &array.legs {
            let list = leg.superblock.bad_blocks.as_ref();
            let ranges = list.map_or(&[][..], |list| &list.ranges);
            if ranges.is_empty() {
                continue;
            }
            let title = format!("{} has bad blocks on record", leg.name);
            let finding = CHECK
                .finding(Severity::Note, &leg.name, title)
                .with([Evidence::seen(&leg.name, shown(ranges))])
                .because("a read or write failed there, and no other member could help")
                .by_hand("mdadm --examine-badblocks; test the disk: smartctl -a /dev/DISK");
            out.push(finding);
        }
    }
}

fn shown(ranges: &[Range]) -> String {
    let one = |range: &Range| format!("{}+{}", range.sector, range.sectors);
    let list: Vec<String> = ranges.iter().map(one).collect();
    format!("sectors of the member: {}", super::some(&list, MOST))
}
