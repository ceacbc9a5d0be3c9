//! dpkg's database is damaged.

use super::{Check, dpkg};
use crate::facts::Facts;
use crate::facts::packages::Dpkg;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/database-damaged",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/database-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(dpkg) = dpkg(facts) else { return };
    let info = &dpkg.database.info;
    // An emptied directory has a finding of its own.
    let faults: Vec<_> = dpkg
        .faults
        .iter()
        .filter(|fault| !info.is_emptied() || fault.path != info.path)
        .collect();
    let Some(first) = faults.first() else {
        return;
    };
    let seen = faults
        .iter()
        .take(10)
        .map(|fault| Evidence::seen(&fault.path, fault.what.as_str()));
    let finding = CHECK
        .finding(
            Severity::Degraded,
            &first.path,
            format!("the package database is damaged: {}", first.path),
        )
        .with(seen)
        .because("a power cut or a full disk while dpkg wrote")
        .with(copies(dpkg))
        .by_hand(advice(dpkg));
    out.push(finding);
    out.could_not_tell(
        Stage::Packages,
        "which packages are installed and finished",
        "the database is damaged",
    );
}

/// Whether it is `status` itself that is damaged.
fn is_status(dpkg: &Dpkg) -> bool {
    let status = format!("{}/status", dpkg.database.home);
    dpkg.faults.iter().any(|fault| fault.path == status)
}

/// Each older copy, the best one first.
fn copies(dpkg: &Dpkg) -> Vec<Evidence> {
    if !is_status(dpkg) {
        return Vec::new();
    }
    let best = dpkg.database.best_backup();
    let others = dpkg.database.backups.iter().filter(|b| Some(*b) != best);
    let best_said = best.map(|copy| Evidence::seen(&copy.path, format!("the best copy: {copy}")));
    let others = others
        .take(8)
        .map(|copy| Evidence::seen(&copy.path, copy.to_string()));
    best_said.into_iter().chain(others).collect()
}

fn advice(dpkg: &Dpkg) -> String {
    let home = &dpkg.database.home;
    if !is_status(dpkg) {
        return format!("copy ROOT{home} first; reinstall the packages that are named");
    }
    let Some(best) = dpkg.database.best_backup() else {
        return format!(
            "no copy of it is whole: copy ROOT{home}, repair the named lines by hand, or look \
             for a copy on the other disk"
        );
    };
    let read = match best.path.ends_with(".gz") {
        true => "zcat",
        false => "cat",
    };
    let mut said = format!(
        "cp -a ROOT{home}/status ROOT{home}/status.damaged && {read} ROOT{} > ROOT{home}/status",
        best.path
    );
    if best.wrong_about() > 0 {
        said += &format!(
            "; it is wrong about {} packages: read in /var/log/dpkg.log which, and install \
             them again",
            best.wrong_about()
        );
    }
    said
}
