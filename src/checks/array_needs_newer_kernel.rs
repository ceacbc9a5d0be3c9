//! An array that kernels before 6.19 refuse.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/array-needs-newer-kernel",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-needs-newer-kernel.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        let bytes = array.freshest().map_or(0, |own| own.logical_block_bytes);
        if bytes == 0 {
            continue;
        }
        let title = format!("the array {} needs kernel >= 6.19", array.name);
        let seen = format!("its superblock asks for logical blocks of {bytes} bytes");
        let finding = CHECK
            .finding(Severity::Note, &array.name, title)
            .with([Evidence::seen(&array.name, seen)])
            .because("it was made under kernel 6.19 or newer; older ones refuse its members")
            .by_hand("boot a rescue system with kernel >= 6.19 to write to it");
        out.push(finding);
    }
}
