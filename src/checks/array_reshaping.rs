//! An array whose shape is only half changed.

use super::Check;
use crate::assembly::State;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/array-reshaping",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-reshaping.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        let State::Unusable { why } = &array.state else {
            continue;
        };
        if !array.is_reshaping() {
            continue;
        }
        let title = format!(
            "the array {} stopped in the middle of a reshape",
            array.name
        );
        let finding = CHECK
            .finding(Severity::Note, &array.name, title)
            .with([Evidence::seen(&array.name, why.as_str())])
            .because("mdadm --grow was running when the machine stopped")
            .by_hand("copy the disks first; the reshape goes on when the array is assembled");
        out.push(finding);
        out.could_not_tell(
            Stage::Storage,
            format!("array {}", array.name),
            why.as_str(),
        );
    }
}
