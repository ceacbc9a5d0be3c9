//! A parity array without the device that its writes go to first.

use super::Check;
use crate::assembly::Standing;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::superblock::feature;

pub(super) const CHECK: Check = Check {
    id: "storage/journal-device-missing",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/journal-device-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        let Some(own) = array.freshest() else {
            continue;
        };
        let there = array
            .legs
            .iter()
            .any(|leg| leg.standing == Standing::Journal);
        if own.features & feature::JOURNAL == 0 || there {
            continue;
        }
        let title = format!("the journal device of the array {} is missing", array.name);
        let seen = Evidence::seen(&array.name, "no member holds its journal");
        let finding = CHECK
            .finding(Severity::Degraded, &array.name, title)
            .with([seen.expected("a journal device")])
            .because("the disk with the write journal failed or is not connected")
            .by_hand("connect that disk; mdadm does not start such an array without --force");
        out.push(finding);
    }
}
