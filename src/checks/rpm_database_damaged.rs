//! rpm's database is damaged.

use super::{Check, rpm};
use crate::facts::Facts;
use crate::facts::packages::Rpm;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/rpm-database-damaged",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/rpm-database-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(rpm) = rpm(facts) else { return };
    let Some(first) = rpm.faults.first() else {
        return;
    };
    let faults = rpm.faults.iter().take(10);
    let seen = faults.map(|fault| Evidence::seen(&fault.path, fault.what.as_str()));
    let older = rpm.older.iter().take(3);
    let older = older.map(|path| Evidence::seen(path, "another database, which is older"));
    let stale = rpm.stale.iter().take(1);
    let stale = stale.map(|path| Evidence::seen(path, "left behind by a process of rpm's"));
    let title = format!("rpm's database is damaged: {}", first.path);
    let finding = CHECK
        .finding(Severity::Degraded, &first.path, title)
        .with(seen)
        .with(older)
        .with(stale)
        .because("a power cut or a full disk while rpm wrote")
        .by_hand(advice(rpm));
    out.push(finding);
    out.could_not_tell(
        Stage::Packages,
        "which packages are installed and finished",
        "the database is damaged",
    );
}

fn advice(rpm: &Rpm) -> String {
    let home = &rpm.home;
    let save = format!("cp -a ROOT{home} ROOT{home}.saved");
    let known = rpm.packages.len();
    if known == 0 {
        return format!(
            "{save}; nothing in it can be read: look for a copy on the other disk or in a \
             backup, and never rebuild it in place first"
        );
    }
    let stale = match rpm.stale.is_empty() {
        true => String::new(),
        false => format!("rm ROOT{home}/__db.*; "),
    };
    format!(
        "{save}; {stale}rpm --root ROOT --rebuilddb with the patient's version of rpm or a \
         newer one: it keeps the {known} packages that can be read; then install the lost \
         ones again over their files (dnf history names them)"
    )
}
