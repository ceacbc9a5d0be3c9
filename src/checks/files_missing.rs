//! Files of installed packages are not there.

use super::package_files::{finding, untold};
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::integrity::Damage;
use crate::finding::{Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/files-missing",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/files-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for fault in &tree.integrity.faults {
        if fault.what.starts_with("cannot be read") {
            let what = format!("the files that {} names", fault.path);
            out.could_not_tell(Stage::Packages, what, fault.what.as_str());
        }
    }
    let groups = untold(tree, |damage| matches!(damage, Damage::Missing { .. }));
    if !groups.is_empty() {
        let told = finding(
            &CHECK,
            Severity::Degraded,
            tree.integrity.manager,
            &groups,
            ["is missing", "are missing"],
        );
        out.push(told);
    }
}
