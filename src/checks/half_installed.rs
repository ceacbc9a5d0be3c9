//! Packages that dpkg was just unpacking: it cannot configure them.

use super::{Check, dpkg};
use crate::facts::Facts;
use crate::facts::packages::dpkg::Package;
use crate::finding::{Evidence, Findings, Severity, Stage};

/// Packages that are named with what brings them back.
const NAMED_MAX: usize = 10;

pub(super) const CHECK: Check = Check {
    id: "packages/half-installed",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/half-installed.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(dpkg) = dpkg(facts) else { return };
    let half: Vec<&Package> = dpkg.packages.iter().filter(|p| p.is_cut_off()).collect();
    let Some(first) = half.first() else { return };
    let title = match half.len() {
        1 => format!(
            "the package {} was cut off while it was unpacked",
            first.name
        ),
        count => format!("{count} packages were cut off while they were unpacked"),
    };
    let status = format!("{}/status", dpkg.database.home);
    let mut evidence = Vec::new();
    let mut archives = Vec::new();
    for package in half.iter().take(NAMED_MAX) {
        let flag = if package.broken { "reinstreq " } else { "" };
        let said = format!("{}: {flag}{}", package.label(), package.state.word());
        evidence.push(Evidence::seen(&status, said));
        match dpkg.archive_of(package) {
            Some(file) => archives.push(file),
            None => evidence.push(Evidence::seen(
                dpkg.apt.cache.place(),
                format!("no intact package of {}", package.name),
            )),
        }
    }
    for file in &archives {
        evidence.push(Evidence::seen(*file, "intact, brings it back"));
    }
    let advice = match archives.as_slice() {
        [] => "download the package, then dpkg --root=ROOT --unpack FILE".to_owned(),
        files => format!(
            "dpkg --root=ROOT --unpack {}",
            files
                .iter()
                .map(|file| format!("ROOT{file}"))
                .collect::<Vec<_>>()
                .join(" ")
        ),
    };
    let finding = CHECK
        .finding(Severity::Degraded, "dpkg", title)
        .with(evidence)
        .because("its files are partly those of one version and partly of another")
        .by_hand(advice);
    out.push(finding);
}
