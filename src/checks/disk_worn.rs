//! A disk that is used up or lost data, but does not call itself failing.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "hardware/disk-worn",
    stage: Stage::Hardware,
    page: include_str!("../../docs/findings/hardware/disk-worn.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for disk in &facts.survey.disks {
        let Some(health) = disk.health.as_ref() else {
            continue;
        };
        let why = health.worn();
        if why.is_empty() {
            continue;
        }
        // Sectors that cannot be read now are data lost now, where no mirror
        // has it.
        let severity = match health.pending_sectors {
            Some(1..) => Severity::Degraded,
            _ => Severity::Note,
        };
        let title = format!("the disk {} shows its age: {}", disk.name, why.join(", "));
        let seen = why
            .iter()
            .map(|why| Evidence::seen(disk.source.name(), why));
        let finding = CHECK
            .finding(severity, &disk.name, title)
            .with(seen)
            .by_hand("lifeboot survey --read-test, and plan for a new disk");
        out.push(finding);
    }
}
