//! An array still counts on a member that is on no disk.

use super::Check;
use crate::assembly::{Array, State};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::Content;
use crate::survey::superblock::Role;

pub(super) const CHECK: Check = Check {
    id: "storage/absent-member-expected",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/absent-member-expected.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    // A disk that the operator left out is not absent.
    if facts.survey.selected {
        return;
    }
    for array in &facts.assembly.arrays {
        // Nor is a member that the operator did not choose.
        let degraded = array.state == State::Degraded && array.left_out().next().is_none();
        let Some(freshest) = array.legs.iter().find(|leg| leg.is_fresh()) else {
            continue;
        };
        // A leg that is there and old was recorded as gone when it fell behind.
        let counted = |slot: &&u32| {
            let roles = freshest.superblock.roles.iter();
            let mut active = roles.filter_map(|role| match Role::from(*role) {
                Role::Active(slot) => Some(u32::from(slot)),
                _ => None,
            });
            active.any(|active| active == **slot)
        };
        // One that is being rebuilt, or was taken into another array, is here.
        let here = |slot: &&u32| {
            let mut legs = array.legs.iter();
            legs.any(|leg| leg.superblock.role() == role(**slot)) || taken_elsewhere(facts, array)
        };
        let expected: Vec<&u32> = array
            .missing
            .iter()
            .filter(counted)
            .filter(|slot| !here(slot))
            .collect();
        if !degraded || expected.is_empty() {
            continue;
        }
        let title = format!(
            "the array {} still counts on {} that is on no disk: a boot may wait for it or stop",
            array.name,
            match expected.len() {
                1 => "a member".to_owned(),
                count => format!("{count} members"),
            }
        );
        let evidence = expected.iter().map(|slot| {
            Evidence::seen(&freshest.name, format!("slot {slot} is in use"))
                .expected("recorded as gone, or its disk here")
        });
        let finding = CHECK
            .finding(Severity::Degraded, &array.name, title)
            .with(evidence)
            .because("the disk vanished while the machine was off")
            .by_hand(
                "is the disk only hidden? switch the machine off for a minute first \
                 (cold), then look again",
            );
        out.push(finding);
    }
}

fn role(slot: u32) -> Role {
    u16::try_from(slot).map_or(Role::Spare, Role::Active)
}

/// True when a member of `array` now carries a newer array's superblock, too.
fn taken_elsewhere(facts: &Facts, array: &Array) -> bool {
    let mut volumes = facts.assembly.volumes.iter();
    volumes.any(|volume| match &volume.content {
        Content::RaidMember(member) => {
            let mut also = member.also.iter();
            also.any(|old| old.array_uuid == array.uuid)
        }
        _ => false,
    })
}
