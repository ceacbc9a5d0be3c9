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
            let left = open.left.map(|left| format!(", not yet installed: {left}"));
            format!(
                "{:?} began {} UTC and never ended; packages to install: {}{}",
                open.command,
                date(since),
                open.planned,
                left.unwrap_or_default()
            )
        }
        None => format!(
            "the transaction of {} has {} steps; {} of them are not done",
            open.command,
            open.planned,
            open.left.unwrap_or(0)
        ),
    };
    // Lists of yum's that nobody removed; packages came and went since.
    let newest = rpm.packages.iter().filter_map(|p| p.installed).max();
    let severity = match open.started.is_none() && is_old(&open.command, newest) {
        true => Severity::Note,
        false => Severity::Degraded,
    };
    let title = format!("a transaction of {} never ended", open.program);
    let finding = CHECK
        .finding(severity, "rpm", title)
        .with([Evidence::seen(&open.path, seen)])
        .because("power was cut, or it was killed, while it worked")
        .by_hand(
            "repair packages/rpm-database-damaged and packages/rpm-duplicates first; then \
             chroot ROOT dnf distro-sync (yum: yum-complete-transaction --cleanup-only, \
             yum distro-sync), and rpm -Va",
        );
    out.push(finding);
}

/// True when a package was installed more than a day after yum's stamp, which
/// begins with the day: `2026-11-25.02:10.11`.
fn is_old(stamp: &str, newest: Option<u64>) -> bool {
    let newest = newest.map(|time| date(time.saturating_sub(2 * 86400)));
    match (stamp.get(..10), newest.as_deref().and_then(|n| n.get(..10))) {
        (Some(then), Some(newest)) => {
            then.starts_with(|c: char| c.is_ascii_digit()) && newest > then
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_list_of_yum() {
        // 2026-11-28 12:00 UTC.
        let newest = Some(1_795_867_200);
        assert!(is_old("2026-11-25.02:10.11", newest));
        assert!(!is_old("2026-11-26.02:10.11", newest));
        assert!(!is_old("2026-11-25.02:10.11", None) && !is_old("x", newest));
    }
}
