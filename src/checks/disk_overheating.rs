//! A disk that is hotter than it may be.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "hardware/disk-overheating",
    stage: Stage::Hardware,
    page: include_str!("../../docs/findings/hardware/disk-overheating.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for disk in &facts.survey.disks {
        let Some(heat) = disk.health.as_ref().and_then(|health| health.overheating()) else {
            continue;
        };
        let finding = CHECK
            .finding(
                Severity::Degraded,
                &disk.name,
                format!("the disk {} is too hot: {heat}", disk.name),
            )
            .with([Evidence::seen(disk.source.name(), heat)])
            .because("a fan that stopped, or a heat sink that came off")
            .by_hand("ask the datacenter to look at the fans and the air flow");
        out.push(finding);
    }
}
