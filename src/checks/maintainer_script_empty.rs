//! Scripts of packages have no length, as after a power cut.

use std::collections::BTreeSet;

use super::{Check, dpkg};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

/// Scripts that are named.
const NAMED_MAX: usize = 10;

pub(super) const CHECK: Check = Check {
    id: "packages/maintainer-script-empty",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/maintainer-script-empty.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(dpkg) = dpkg(facts) else { return };
    let scripts = &dpkg.database.info.empty_scripts;
    let Some(first) = scripts.first() else { return };
    // A package may have been made like that; one that still has to be
    // configured cannot be.
    let unfinished = dpkg.packages.iter().filter(|p| p.unfinished());
    let unfinished: BTreeSet<String> = unfinished.map(|p| p.info_stem()).collect();
    let severity = match scripts
        .iter()
        .any(|script| unfinished.contains(stem(script)))
    {
        true => Severity::Degraded,
        false => Severity::Note,
    };
    let title = match scripts.len() {
        1 => format!("a script of a package is empty: {first}"),
        count => format!("{count} scripts of packages are empty, such as {first}"),
    };
    let evidence = scripts
        .iter()
        .take(NAMED_MAX)
        .map(|script| Evidence::seen(script, "0 bytes").expected("a script"));
    let finding = CHECK
        .finding(severity, first, title)
        .with(evidence)
        .because("a power cut just after the package was unpacked")
        .by_hand("in a chroot of the patient: apt-get install --reinstall PACKAGE");
    out.push(finding);
}

/// The part of its name that tells the package.
fn stem(script: &str) -> &str {
    let file = script.rsplit('/').next().unwrap_or(script);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}
