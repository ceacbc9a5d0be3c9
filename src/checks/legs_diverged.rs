//! Two members that each went on without the other.

use super::Check;
use crate::assembly::State;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/legs-diverged",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/legs-diverged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        if array.state != State::Diverged {
            continue;
        }
        let title = format!(
            "the members of {} hold different data; which is right is yours to say",
            array.name
        );
        let legs = array.legs.iter().map(|leg| {
            let seen = format!(
                "{} events, last update {} s since 1970, counts the other as gone",
                leg.superblock.events, leg.superblock.updated
            );
            Evidence::seen(&leg.name, seen)
        });
        let finding = CHECK
            .finding(Severity::Blocker, &array.name, title)
            .with(legs)
            .because("the machine ran on one disk alone, and later on the other alone")
            .by_hand(
                "look at one side alone: lifeboot diagnose --disk /dev/nvme0n1, \
                 then --disk /dev/nvme1n1; copy both disks before any change",
            );
        out.push(finding);
        out.could_not_tell(
            Stage::Storage,
            format!("array {}", array.name),
            "its two sides are never joined without you; name one with --disk",
        );
    }
}
