//! A disk on which reads or writes failed, by the kernel's log.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "hardware/disk-io-errors",
    stage: Stage::Hardware,
    page: include_str!("../../docs/findings/hardware/disk-io-errors.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let log = &facts.survey.kernel_log;
    for disk in log.disks.iter().filter(|disk| disk.is_failing()) {
        let count = disk.medium_errors.saturating_add(disk.io_errors);
        let errors = if count == 1 { "request" } else { "requests" };
        let title = format!("the disk {} failed {count} {errors}", disk.name);
        let finding = CHECK
            .finding(Severity::Degraded, &disk.name, title)
            .with(disk.lines.iter().map(|line| Evidence::seen("dmesg", line)))
            .because("sectors that cannot be read, a failing disk, or a bad cable")
            .by_hand(
                "save the data first; lifeboot survey --read-test tells how much of \
                 the disk is concerned",
            );
        out.push(finding);
    }
}
