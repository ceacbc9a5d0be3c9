//! The next boot is an update, and not the system.

use super::{Check, rpm};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/offline-update-waiting",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/offline-update-waiting.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(rpm) = rpm(facts) else { return };
    let Some(update) = &rpm.offline_update else {
        return;
    };
    let was_begun = rpm.unfinished.is_some() || !rpm.duplicates().is_empty();
    let (severity, title) = match (was_begun, update.is_there) {
        (true, _) => (
            Severity::Degraded,
            "an update at boot did not end, and the next boot tries it again",
        ),
        (false, false) => (
            Severity::Degraded,
            "the next boot is an update whose packages are gone",
        ),
        (false, true) => (
            Severity::Note,
            "the next boot installs an update and restarts",
        ),
    };
    let mut seen = format!("a link to {}", update.target);
    if !update.is_there {
        seen += ", where nothing is";
    }
    let path = &update.path;
    let finding = CHECK
        .finding(severity, path, title)
        .with([Evidence::seen(path, seen)])
        .by_hand(format!(
            "to boot the system as it is: rm ROOT{path} (only the link); after the boot: \
             dnf distro-sync"
        ));
    out.push(finding);
}
