//! Takes a member that dropped out into its array again.

use super::array_work::ArrayWork;
use super::{Kind, Outline, Risk};
use crate::assembly::{Leg, Standing, State};
use crate::facts::Facts;
use crate::finding::Finding;

pub(super) const KIND: Kind = Kind {
    name: "rejoin-leg",
    removes: &["storage/array-degraded"],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let arrays = &facts.assembly.arrays;
    let array = arrays
        .iter()
        .find(|array| array.name == finding.subject && array.state == State::Degraded)?;
    let leg = array.legs.iter().find(|leg| can_rejoin(leg))?;
    // A source that fails may give garbage, or nothing, to the last good copy.
    let source_fails = array.fresh_legs().any(|source| fails(facts, source));
    if array.missing.is_empty() || fails(facts, leg) || source_fails || !array.kernel_keeps_it() {
        return None;
    }
    Some(Outline {
        title: format!(
            "take {} into the array {} again and copy the current data to it",
            leg.name, array.name
        ),
        risk: Risk::Medium,
        work: Some(ArrayWork::RejoinLeg {
            uuid: array.uuid.clone(),
            volume: array.volume_name(),
            leg: leg.name.clone(),
        }),
        ..Outline::default()
    })
}

fn can_rejoin(leg: &Leg) -> bool {
    matches!(
        leg.standing,
        Standing::Stale { .. } | Standing::Faulty | Standing::Rebuilding
    )
}

/// True when its disk has to be replaced, not filled again.
fn fails(facts: &Facts, leg: &Leg) -> bool {
    let disks = &facts.survey.disks;
    disks
        .iter()
        .any(|disk| disk.name == leg.disk && disk.is_failing())
}
