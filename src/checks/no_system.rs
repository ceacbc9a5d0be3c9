//! No filesystem holds the root of a system.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::{Search, filesystems};

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
    let unknown: Vec<_> = looked_at.iter().filter(|r| r.unknown).collect();
    let all_known = filesystems::all_known(&facts.survey, &facts.assembly);
    let (severity, title) = if unknown.is_empty() && all_known {
        let title = "no filesystem on these disks holds a system";
        (Severity::Blocker, title)
    } else {
        let title = "no filesystem that could be opened holds a system";
        (Severity::Note, title)
    };
    let finding = CHECK
        .finding(severity, "root", title)
        .with(seen)
        .by_hand("lifeboot survey; then lifeboot diagnose --root DIR for a tree you mounted");
    out.push(finding);
    let why = match unknown.first() {
        Some(first) => format!("{} could not be looked at: {}", first.name, first.why),
        None => "nothing that could be opened looks like one".into(),
    };
    out.could_not_tell(Stage::Root, "the root filesystem", why);
}
