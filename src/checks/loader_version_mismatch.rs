//! The dynamic loader and the C library are of different releases.

use super::surroundings::{owned_by, release};
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/loader-version-mismatch",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/loader-version-mismatch.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for pair in &tree.surroundings.pairs {
        let Some((loader, libc)) = pair.mismatch() else {
            continue;
        };
        let (loader, libc) = (release(loader), release(libc));
        let (severity, who) = if pair.starts_pid1 {
            (Severity::Blocker, "No program can start".to_owned())
        } else {
            let who = format!("No {} program can start", pair.machine);
            (Severity::Degraded, who)
        };
        let title = format!("{who}: the loader is of glibc {loader}, libc.so.6 of {libc}");
        let mut finding = CHECK.finding(severity, &pair.real_loader, title).with([
            Evidence::seen(&pair.real_loader, format!("the loader of glibc {loader}"))
                .expected(format!("glibc {libc}, or the other way round")),
            Evidence::seen(&pair.libc, format!("libc.so.6 of glibc {libc}")),
        ]);
        let mut shadows = tree.surroundings.shadows.iter();
        finding = match shadows.find(|shadow| shadow.winner.real_path == pair.libc) {
            Some(shadow) => finding
                .with([Evidence::seen(
                    &shadow.system.path,
                    format!("is passed over, {}", owned_by(shadow.system.owner.as_deref())),
                )])
                .because("a directory of /etc/ld.so.conf stands before the system's own")
                .by_hand(format!(
                    "mv ROOT{0} ROOT{0}.aside; ldconfig -r ROOT",
                    shadow.winner.path
                )),
            None => finding
                .because("an upgrade that stopped inside the package of the C library, or a file copied by hand")
                .by_hand("take both files out of one libc6 package: lifeboot explain init/loader-version-mismatch"),
        };
        out.push(finding);
    }
}
