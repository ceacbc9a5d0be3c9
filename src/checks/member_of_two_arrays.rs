//! Superblocks left behind by earlier arrays.

use super::Check;
use crate::date::date;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::{Content, Superblock};

pub(super) const CHECK: Check = Check {
    id: "storage/member-of-two-arrays",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/member-of-two-arrays.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for disk in &facts.survey.disks {
        tell(&disk.name, &disk.old_members, out);
    }
    for place in facts.survey.places() {
        if let Content::RaidMember(member) = place.content {
            tell(place.name, &member.also, out);
        }
    }
}

fn tell(name: &str, old: &[Superblock], out: &mut Findings) {
    if old.is_empty() {
        return;
    }
    let title = format!("{name} carries the superblock of an earlier array, too");
    let evidence = old.iter().map(|one| {
        let seen = format!(
            "metadata {} at sector {}: {}, made {} UTC; not used",
            one.version,
            one.sector,
            one.name,
            date(one.created)
        );
        Evidence::seen(name, seen)
    });
    let finding = CHECK
        .finding(Severity::Note, name, title)
        .with(evidence)
        .because("the disk was part of another array before and was not wiped")
        .by_hand(
            "name members in mdadm.conf; never --zero-superblock a whole disk that \
             has partitions: it may be the last partition's",
        );
    out.push(finding);
}
