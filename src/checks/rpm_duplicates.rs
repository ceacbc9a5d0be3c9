//! rpm knows packages in two versions: an upgrade stopped between putting the
//! new ones in and taking the old ones away.

use super::{Check, rpm, some};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/rpm-duplicates",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/rpm-duplicates.md"),
    run,
};

/// Packages that are named.
const NAMES_MAX: usize = 8;

fn run(facts: &Facts, out: &mut Findings) {
    let Some(rpm) = rpm(facts) else { return };
    let duplicates = rpm.duplicates();
    let Some(first) = duplicates.first() else {
        return;
    };
    let title = match duplicates.len() {
        1 => format!("{} is there in two versions", first.newest.name),
        count => format!("{count} packages are there in two versions"),
    };
    let path = rpm.place.as_ref().map_or(&rpm.home, |place| &place.path);
    let seen = duplicates.iter().take(NAMES_MAX).map(|duplicate| {
        let older = duplicate.older.iter().map(|package| package.full_version());
        let older: Vec<String> = older.collect();
        let name = &duplicate.newest.name;
        let newest = duplicate.newest.full_version();
        let what = format!("{name}: {} and, newer, {newest}", some(&older, 3));
        Evidence::seen(path, what)
    });
    let mut finding = CHECK
        .finding(Severity::Degraded, "rpm", title)
        .with(seen)
        .because("an upgrade was stopped before it took the old versions away");
    if let Some(more) = duplicates.len().checked_sub(NAMES_MAX).filter(|m| *m > 0) {
        finding = finding.with([Evidence::seen(path, format!("and {more} more"))]);
    }
    let older: Vec<String> = duplicates
        .iter()
        .flat_map(|duplicate| duplicate.older.iter().map(|package| package.label()))
        .collect();
    let shown = older.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>();
    let rest = if older.len() > NAMES_MAX { " ..." } else { "" };
    let home = &rpm.home;
    out.push(finding.by_hand(format!(
        "cp -a ROOT{home} ROOT{home}.saved, then take the old ones out of the database only: \
         chroot ROOT rpm -e --justdb --nodeps {}{rest}, then chroot ROOT dnf distro-sync \
         and rpm -Va; never --nodeps without --justdb",
        shown.join(" ")
    )));
}
