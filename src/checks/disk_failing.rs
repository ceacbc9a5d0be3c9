//! A disk that calls itself failing.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "hardware/disk-failing",
    stage: Stage::Hardware,
    page: include_str!("../../docs/findings/hardware/disk-failing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for disk in &facts.survey.disks {
        let why = disk.health.iter().flat_map(|health| health.failing());
        let why: Vec<String> = why.collect();
        if why.is_empty() {
            continue;
        }
        let serial = disk.serial.as_deref().unwrap_or("unknown");
        let title = format!("the disk {} (serial {serial}) is failing", disk.name);
        let seen = why
            .iter()
            .map(|why| Evidence::seen(disk.source.name(), why).expected("no warning"));
        let finding = CHECK
            .finding(Severity::Degraded, &disk.name, title)
            .with(seen)
            .because("the disk's own health report says so")
            .by_hand(
                "save the data first, from its mirror where there is one; then have \
                 the disk with this serial number replaced",
            );
        out.push(finding);
    }
}
