//! An array that the rescue system runs for writing.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/array-running",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-running.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        let Some(claim) = array.running.as_ref().filter(|claim| claim.is_active()) else {
            continue;
        };
        let title = format!("this rescue system runs {} as {}", array.name, claim.name);
        let seen = format!("{}: {}", claim.state, claim.members.join(", "));
        let finding = CHECK
            .finding(Severity::Note, &array.name, title)
            .with([Evidence::seen(format!("/dev/{}", claim.name), seen)])
            .because("it was started for writing before lifeboot; its driver may write by itself")
            .by_hand(format!(
                "to stop that: mdadm --readonly /dev/{}",
                claim.name
            ));
        out.push(finding);
    }
}
