//! What is needed to go on is not all in apt's cache.

use super::{Check, dpkg, is_between, some};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/archives-incomplete",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/archives-incomplete.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(dpkg) = dpkg(facts).filter(|dpkg| is_between(dpkg)) else {
        return;
    };
    let Some(way) = &dpkg.standing.forward else {
        return;
    };
    if way.is_complete() {
        return;
    }
    let cache = dpkg.apt.cache.place();
    let mut evidence = vec![Evidence::seen(cache, format!("to go on: {way}"))];
    let archives = dpkg.apt.cache.archives.iter();
    for archive in archives.filter(|a| way.damaged.contains(&a.file)).take(8) {
        if let Some(fault) = &archive.fault {
            evidence.push(Evidence::seen(&archive.file, fault.to_string()));
        }
    }
    if !way.missing.is_empty() {
        let said = format!("not there: {}", some(&way.missing, 8));
        evidence.push(Evidence::seen(cache, said));
    }
    let partial = &dpkg.apt.cache.partial;
    if !partial.is_empty() {
        let said = format!("downloads not ended: {}", some(partial, 5));
        evidence.push(Evidence::seen(format!("{cache}/partial"), said));
    }
    for other in &dpkg.standing.elsewhere {
        let (has, of) = (other.files.len(), other.of);
        let said = format!("has {has} of these {of}, whole, in {}", other.folder);
        evidence.push(Evidence::seen(&other.place, said));
    }
    let lacking = way.missing.len() + way.damaged.len() + way.unknown;
    let best = dpkg.standing.elsewhere.iter().max_by_key(|e| e.files.len());
    let (title, advice) = match best {
        Some(other) => (
            format!(
                "{lacking} packages that are needed to go on are not in the cache; {} of them are on {}",
                other.files.len(),
                other.place
            ),
            format!(
                "mount {} read-only, for example at /mnt, then lifeboot repair --packages /mnt{}; \
                 the rest: lifeboot repair --network",
                other.place, other.folder
            ),
        ),
        None => (
            format!("{lacking} packages that are needed to go on must be downloaded"),
            "with a network: lifeboot repair --network".to_owned(),
        ),
    };
    let finding = CHECK
        .finding(Severity::Note, "apt", title)
        .with(evidence)
        .by_hand(advice);
    out.push(finding);
}
