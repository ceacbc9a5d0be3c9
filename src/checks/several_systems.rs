//! More than one filesystem holds a system.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "root/several-systems",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/several-systems.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Search::Several { candidates } = &facts.search else {
        return;
    };
    let seen = candidates
        .iter()
        .map(|candidate| Evidence::seen(&candidate.name, candidate.description()));
    let first = candidates.first().map_or("NAME", |c| c.name.as_str());
    let first = shell_words::quote(first);
    let finding = CHECK
        .finding(
            Severity::Note,
            "root",
            format!("{} systems are on these disks; name one", candidates.len()),
        )
        .with(seen)
        .by_hand(format!("lifeboot diagnose --root-device {first}"));
    out.push(finding);
    out.could_not_tell(
        Stage::Root,
        "which system is meant",
        format!("choose with --root-device, for example {first}"),
    );
}
