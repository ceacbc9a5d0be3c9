//! Members held by an array that the rescue system did not start.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/array-inactive",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-inactive.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        let Some(claim) = array.running.as_ref().filter(|claim| claim.is_inactive()) else {
            continue;
        };
        let title = format!(
            "{} of this rescue system holds members of {}",
            claim.name, array.name
        );
        let seen = format!("{}: {}", claim.state, claim.members.join(", "));
        let finding = CHECK
            .finding(Severity::Note, &array.name, title)
            .with([Evidence::seen(format!("/dev/{}", claim.name), seen)])
            .because("udev collected the members one by one and waits for more")
            .by_hand(format!("before a repair: mdadm --stop /dev/{}", claim.name));
        out.push(finding);
    }
}
