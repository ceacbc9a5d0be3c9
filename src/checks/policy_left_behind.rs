//! A policy that keeps services from being started, left from an earlier try.

use super::{Check, dpkg, is_between};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/policy-left-behind",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/policy-left-behind.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    // Some keep one for good; it matters when packages are to be configured.
    let Some(dpkg) = dpkg(facts).filter(|dpkg| is_between(dpkg)) else {
        return;
    };
    let Some(text) = &dpkg.policy else { return };
    let path = "/usr/sbin/policy-rc.d";
    let finding = CHECK
        .finding(
            Severity::Note,
            path,
            "services are not started while packages are configured",
        )
        .with([Evidence::seen(path, format!("{text:?}")).expected("no such file")])
        .because("somebody who worked in a chroot left it behind")
        .by_hand(format!(
            "keep it until the packages are finished, then rm ROOT{path}"
        ));
    out.push(finding);
}
