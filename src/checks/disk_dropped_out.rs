//! A disk that the kernel gave up while the rescue system ran.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::DiskLog;

pub(super) const CHECK: Check = Check {
    id: "hardware/disk-dropped-out",
    stage: Stage::Hardware,
    page: include_str!("../../docs/findings/hardware/disk-dropped-out.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for log in &facts.survey.kernel_log.disks {
        if log.dropouts == 0 {
            continue;
        }
        let finding = CHECK
            .finding(Severity::Degraded, &log.name, title(log))
            .with(log.lines.iter().map(|line| Evidence::seen("dmesg", line)))
            .because(
                "often the power saving of the disk or its PCIe link, or a bad cable, \
                 and not a dead disk",
            )
            .by_hand(
                "power the machine off, wait a minute, power it on (a reboot is not \
                 enough), then: lifeboot survey",
            );
        out.push(finding);
    }
}

fn title(log: &DiskLog) -> String {
    if log.present {
        format!("the disk {} dropped out and came back", log.name)
    } else {
        format!("{} dropped out: its disk is not there", log.name)
    }
}
