//! A partition table that is damaged, wholly or in one of its copies.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/partition-table-damaged",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/partition-table-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for disk in &facts.survey.disks {
        let Some(problem) = &disk.table_problem else {
            continue;
        };
        let finding = CHECK
            .finding(
                Severity::Degraded,
                &disk.name,
                format!("the partition table of {} is damaged", disk.name),
            )
            .with([Evidence::seen(&disk.name, problem.as_str()).expected("a whole table")])
            .by_hand(format!(
                "look first: {} /dev/{}; copy the disk before any change",
                match disk.table.as_deref() {
                    Some("gpt") | None => "sgdisk --print",
                    Some(_) => "sfdisk --dump",
                },
                disk.name
            ));
        out.push(finding);
        if disk.partitions.is_empty() {
            out.could_not_tell(Stage::Storage, disk.name.as_str(), problem.as_str());
        }
    }
}
