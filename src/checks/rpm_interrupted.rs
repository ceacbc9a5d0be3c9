//! dnf or yum was stopped in the middle of a transaction.

use super::{Check, rpm};
use crate::date::date;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/rpm-interrupted",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/rpm-interrupted.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(rpm) = rpm(facts) else { return };
    let Some(open) = &rpm.unfinished else { return };
    let seen = match open.started.and_then(|time| u64::try_from(time).ok()) {
        Some(since) => {
            // Times are whole seconds: an earlier transaction may have ended in
            // the one in which this began.
            let last = rpm.packages.iter().filter_map(|p| p.transaction).max();
            let new = rpm
                .packages
                .iter()
                .filter(|p| p.installed >= Some(since) && p.transaction == last);
            format!(
                "{:?} began {} UTC and never ended; packages to install: {}, installed since: {}",
                open.command,
                date(since),
                open.planned,
                new.count()
            )
        }
        None => format!(
            "the transaction of {} has {} steps; {} of them are not done",
            open.command,
            open.planned,
            open.left.unwrap_or(0)
        ),
    };
    let title = format!("a transaction of {} never ended", open.program);
    let finding = CHECK
        .finding(Severity::Degraded, "rpm", title)
        .with([Evidence::seen(&open.path, seen)])
        .because("power was cut, or it was killed, while it worked")
        .by_hand(
            "repair packages/rpm-database-damaged and packages/rpm-duplicates first; then \
             chroot ROOT dnf distro-sync (yum: yum-complete-transaction --cleanup-only, \
             yum distro-sync), and rpm -Va",
        );
    out.push(finding);
}
