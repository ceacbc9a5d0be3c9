//! Packages of two releases are installed, and nothing is in progress.

use super::{Check, dpkg};
use crate::facts::Facts;
use crate::facts::packages::Dpkg;
use crate::facts::packages::standing::{Direction, Progress};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/releases-mixed",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/releases-mixed.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(dpkg) = dpkg(facts) else { return };
    let standing = &dpkg.standing;
    // While it is in progress, packages/upgrade-interrupted tells all of this.
    if !standing.mixed || dpkg.is_interrupted() {
        return;
    }
    let (Some(from), Some(to)) = (&standing.from, &standing.to) else {
        return;
    };
    let finding = CHECK
        .finding(
            Severity::Degraded,
            "dpkg",
            format!("packages of {} and {} are mixed", from.label(), to.label()),
        )
        .with(evidence(dpkg))
        .because("an upgrade was begun and never finished, or the sources were changed")
        .by_hand(
            match standing.advice.as_ref().map(|advice| advice.direction) {
                Some(Direction::Backward) => {
                    "put the old suite back into /etc/apt, then apt-get update"
                }
                _ => "in a chroot of the patient: apt-get -f install && apt-get full-upgrade",
            },
        );
    out.push(finding);
}

/// What tells of each release, and what is left to do.
pub(super) fn evidence(dpkg: &Dpkg) -> Vec<Evidence> {
    let standing = &dpkg.standing;
    let mut all: Vec<Evidence> = standing
        .signs
        .iter()
        .take(10)
        .map(|sign| Evidence::seen(&sign.source, format!("{} ({})", sign.says, sign.codename)))
        .collect();
    let old: Vec<String> = standing
        .steps
        .iter()
        .filter(|step| step.progress == Progress::Untouched)
        .filter_map(|step| Some(format!("{} {}", step.name, step.old.as_ref()?)))
        .collect();
    if !old.is_empty() {
        let said = format!("still of the older release: {}", super::some(&old, 8));
        all.push(Evidence::seen("/var/lib/dpkg/status", said));
    }
    all.extend(ways(dpkg));
    all
}

/// Both ways and the advice.
pub(super) fn ways(dpkg: &Dpkg) -> Vec<Evidence> {
    let standing = &dpkg.standing;
    let cache = dpkg.apt.cache.place();
    let mut all = Vec::new();
    let Some(advice) = &standing.advice else {
        return all;
    };
    if let Some(way) = &standing.forward {
        all.push(Evidence::seen(cache, format!("forward: {way}")));
    }
    if let Some(way) = &standing.backward {
        all.push(Evidence::seen(cache, format!("back: {way}")));
    }
    let word = match advice.direction {
        Direction::Forward => "go forward",
        Direction::Backward => "go back",
    };
    let said = format!("{word}: {}", advice.reasons.join("; "));
    all.push(Evidence::seen("/var/lib/dpkg/status", said));
    all
}
