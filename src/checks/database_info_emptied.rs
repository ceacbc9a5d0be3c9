//! `/var/lib/dpkg/info` has lost the lists of most packages.

use super::{Check, dpkg};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/database-info-emptied",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/database-info-emptied.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(dpkg) = dpkg(facts) else { return };
    let info = &dpkg.database.info;
    if !info.is_emptied() {
        return;
    }
    let path = &info.path;
    let seen = format!("file lists of {} packages", info.lists);
    let mut evidence = vec![Evidence::seen(path, seen).expected(format!("of {}", info.on_disk))];
    evidence.extend(info.siblings.iter().take(5).map(|sibling| {
        let said = format!(
            "{} lists, {} of the missing ones",
            sibling.lists, sibling.missing
        );
        Evidence::seen(&sibling.path, said)
    }));
    let advice = match info.siblings.first() {
        // -n: what is in the new directory is newer.
        Some(sibling) => format!("cp -an ROOT{}/. ROOT{path}/", sibling.path),
        None => "put the directory back from a backup, or reinstall every package".into(),
    };
    let finding = CHECK
        .finding(
            Severity::Degraded,
            path,
            format!("dpkg has lost the lists of what packages own: {path}"),
        )
        .with(evidence)
        .because("somebody moved the directory away, as some advice on the net says")
        .by_hand(advice);
    out.push(finding);
    out.could_not_tell(
        Stage::Packages,
        "which files belong to packages",
        format!("{path} lacks the lists"),
    );
}
