//! Encrypted, and no key was given.

use super::Check;
use crate::assembly::Cause;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/volume-locked",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/volume-locked.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let closed = facts.assembly.unopened.iter();
    for volume in closed.filter(|volume| volume.cause == Cause::Locked) {
        let finding = CHECK
            .finding(
                Severity::Note,
                &volume.name,
                format!("{} is encrypted and stays closed", volume.name),
            )
            .with([Evidence::seen(&volume.name, volume.why.as_str())]);
        out.push(finding);
        if facts.tree.is_none() {
            out.could_not_tell(Stage::Storage, volume.name.as_str(), volume.why.as_str());
        }
    }
}
