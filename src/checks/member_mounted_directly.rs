//! A mirror whose members differ though both count as current.

use super::Check;
use crate::assembly::Leg;
use crate::date::date;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/member-mounted-directly",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/member-mounted-directly.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        let Some(pair) = array.differing() else {
            continue;
        };
        let title = format!("a member of {} was used without the array", array.name);
        let finding = CHECK
            .finding(Severity::Degraded, &array.name, title)
            .with(pair.map(|leg| Evidence::seen(&leg.name, said(leg))))
            .because("one member was mounted by itself, which metadata 0.90 and 1.0 allow")
            .by_hand(
                "look at each side: lifeboot legs, lifeboot diagnose --leg DISK; copy \
                 both; then --fail, --remove and --add the one that is not wanted",
            );
        out.push(finding);
        out.could_not_tell(
            Stage::Storage,
            format!("array {}", array.name),
            "its members differ; the one written last was looked at, --leg takes the other",
        );
    }
}

fn said(leg: &Leg) -> String {
    let Some(inside) = &leg.superblock.inside else {
        return "no filesystem".into();
    };
    let time = |time: Option<u64>| time.map_or("never".into(), date);
    if let Some(counter) = inside.counter {
        return format!("{}: {counter} changes counted", inside.format);
    }
    format!(
        "{}: mounted {} times, last {}, last written {}",
        inside.format,
        inside.mounts.unwrap_or(0),
        time(inside.mounted),
        time(inside.written)
    )
}
