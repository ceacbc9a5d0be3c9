//! pacman was stopped in the middle of a transaction.

use super::{Check, some};
use crate::facts::Facts;
use crate::facts::packages::{Packages, Pacman};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/pacman-interrupted",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/pacman-interrupted.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let Packages::Pacman(pacman) = &tree.packages else {
        return;
    };
    let twice = pacman.twice();
    let title = if pacman.unfinished.is_some() {
        "a transaction of pacman never ended"
    } else if !pacman.faults.is_empty() {
        "pacman's database is damaged"
    } else if !twice.is_empty() {
        "packages are there in two versions"
    } else if pacman.lock.is_some() {
        "pacman's lock was left behind: pacman refuses to work"
    } else {
        return;
    };
    let finding = CHECK
        .finding(Severity::Degraded, "pacman", title)
        .with(evidence(pacman, &twice))
        .because("power was cut, or pacman was killed, while it worked")
        .by_hand(
            "rm ROOT/var/lib/pacman/db.lck, then with the rescue system's pacman: \
             pacman --sysroot ROOT -Syu, and pacman --sysroot ROOT -Qkk",
        );
    out.push(finding);
    if !pacman.faults.is_empty() {
        out.could_not_tell(
            Stage::Packages,
            "whether the files of all packages are whole",
            "the records of some of pacman's packages are damaged",
        );
    }
}

fn evidence(pacman: &Pacman, twice: &[String]) -> Vec<Evidence> {
    let mut all = Vec::new();
    if let Some(open) = &pacman.unfinished {
        let what = format!(
            "{:?} began {} and never ended; {} packages changed; the log ends with: {}",
            open.command, open.started, open.changed, open.last
        );
        all.push(Evidence::seen("/var/log/pacman.log", what));
    }
    if let Some(lock) = &pacman.lock {
        all.push(Evidence::seen(lock, "a lock").expected("none while no pacman runs"));
    }
    let faults = pacman.faults.iter().take(8);
    all.extend(faults.map(|fault| Evidence::seen(&fault.path, fault.what.as_str())));
    if !twice.is_empty() {
        all.push(Evidence::seen("/var/lib/pacman/local", some(twice, 8)));
    }
    all
}
