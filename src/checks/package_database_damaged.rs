//! dpkg's database is damaged.

use super::Check;
use crate::facts::Facts;
use crate::facts::packages::Packages;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/database-damaged",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/database-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let Packages::Dpkg(dpkg) = &tree.packages else {
        return;
    };
    let Some(first) = dpkg.faults.first() else {
        return;
    };
    let seen = dpkg
        .faults
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
        .by_hand("compare with /var/lib/dpkg/status-old and /var/backups/dpkg.status.*");
    out.push(finding);
    out.could_not_tell(
        Stage::Packages,
        "which packages are installed and finished",
        "the database is damaged",
    );
}
