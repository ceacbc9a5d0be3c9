//! Data that is read, and may not be what was written.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/array-data-doubtful",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-data-doubtful.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        if array.warnings.is_empty() {
            continue;
        }
        let title = format!("some data of the array {} may be wrong", array.name);
        let seen = |text: &String| Evidence::seen(&array.name, text.as_str());
        let finding = CHECK
            .finding(Severity::Degraded, &array.name, title)
            .with(array.warnings.iter().map(seen))
            .because("the machine stopped while it was writing")
            .by_hand("copy the disks first; after the repair check the filesystems");
        out.push(finding);
    }
}
