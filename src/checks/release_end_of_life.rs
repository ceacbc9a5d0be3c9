//! The release to go on with is no longer on the mirrors.

use super::{Check, dpkg, is_between};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/release-end-of-life",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/release-end-of-life.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    // Old is no fault; it is one only when packages have to come from there.
    let Some(dpkg) = dpkg(facts).filter(|dpkg| is_between(dpkg)) else {
        return;
    };
    let Some(release) = &dpkg.standing.to else {
        return;
    };
    let Some(host) = &release.old_archive else {
        return;
    };
    let sources =
        dpkg.standing.signs.iter().filter(|sign| {
            sign.codename == release.codename && sign.source.starts_with("/etc/apt/")
        });
    let end = &release.supported_until;
    let mut evidence = vec![Evidence::seen(
        "/etc/os-release",
        format!(
            "{}: updates ended {end}, today is {}",
            release.label(),
            dpkg.standing.today
        ),
    )];
    evidence.extend(sources.map(|sign| {
        Evidence::seen(&sign.source, sign.says.as_str()).expected(format!("a suite of {host}"))
    }));
    let finding = CHECK
        .finding(
            Severity::Note,
            &release.codename,
            format!("{} has left the mirrors: apt may get 404", release.label()),
        )
        .with(evidence)
        .because("this is no fault of the network")
        .by_hand(format!(
            "copy /etc/apt, then name {host} in its sources; never mix releases"
        ));
    out.push(finding);
}
