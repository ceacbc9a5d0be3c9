//! The rescue system shows no disk at all.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "hardware/no-disks",
    stage: Stage::Hardware,
    page: include_str!("../../docs/findings/hardware/no-disks.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let searched = !matches!(facts.search, Search::Found(_));
    if !facts.survey.disks.is_empty() || !searched {
        return;
    }
    let finding = CHECK
        .finding(Severity::Blocker, "disks", "the rescue system sees no disk")
        .with([Evidence::seen("/sys/block", "no disk").expected("one or more")])
        .by_hand("dmesg | grep -i -e nvme -e ata -e scsi");
    out.push(finding);
    out.could_not_tell(
        Stage::Hardware,
        "the disks",
        "none is visible: a driver is missing in this rescue system, a disk \
         dropped out (power-cycle the machine), or it is gone",
    );
}
