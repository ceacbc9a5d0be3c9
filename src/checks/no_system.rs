//! No filesystem holds the root of a system.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "root/no-system",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/no-system.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Search::None { looked_at } = &facts.search else {
        return;
    };
    if facts.survey.disks.is_empty() {
        return;
    }
    let seen = looked_at
        .iter()
        .map(|rejected| Evidence::seen(&rejected.name, rejected.why.as_str()));
    let finding = CHECK
        .finding(
            Severity::Blocker,
            "root",
            "no filesystem on these disks holds a system",
        )
        .with(seen)
        .by_hand("lifeboot survey; then lifeboot diagnose --root DIR for a tree you mounted");
    out.push(finding);
    let unknown: Vec<_> = looked_at.iter().filter(|r| r.unknown).collect();
    let why = match unknown.first() {
        Some(first) => format!("{} could not be looked at: {}", first.name, first.why),
        None => "nothing that could be opened looks like one".into(),
    };
    out.could_not_tell(Stage::Root, "the root filesystem", why);
}
