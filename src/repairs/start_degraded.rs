//! Starts an array without members that are on no disk.

use super::array_work::ArrayWork;
use super::{Kind, Outline, Risk};
use crate::assembly::State;
use crate::facts::Facts;
use crate::finding::Finding;

pub(super) const KIND: Kind = Kind {
    name: "start-degraded",
    removes: &["storage/absent-member-expected"],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let arrays = &facts.assembly.arrays;
    let array = arrays
        .iter()
        .find(|array| array.name == finding.subject && array.state == State::Degraded)
        .filter(|array| array.kernel_keeps_it())?;
    Some(Outline {
        title: format!(
            "start the array {} with {} of {} members, so that it starts at boot",
            array.name,
            array.legs.iter().filter(|leg| leg.is_fresh()).count(),
            array.raid_disks
        ),
        risk: Risk::Medium,
        work: Some(ArrayWork::StartDegraded {
            uuid: array.uuid.clone(),
            volume: array.volume_name(),
        }),
        ..Outline::default()
    })
}
