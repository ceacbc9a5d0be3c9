//! A disk or partition that the kernel cannot read.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::Content;

pub(super) const CHECK: Check = Check {
    id: "hardware/disk-unreadable",
    stage: Stage::Hardware,
    page: include_str!("../../docs/findings/hardware/disk-unreadable.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for volume in facts.survey.places() {
        let Content::Unreadable { why, failing } = volume.content else {
            continue;
        };
        out.could_not_tell(Stage::Hardware, volume.name, why.as_str());
        if !failing {
            continue;
        }
        let finding = CHECK
            .finding(
                Severity::Degraded,
                volume.name,
                format!("{} cannot be read", volume.name),
            )
            .with([Evidence::seen(volume.name, why.as_str()).expected("readable")])
            .by_hand("dmesg | tail -n 50");
        out.push(finding);
    }
}
