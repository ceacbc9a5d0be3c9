//! In the place of a package's file stands something else.

use super::package_files::{finding, untold};
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::integrity::Damage;
use crate::finding::{Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/files-replaced",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/files-replaced.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let groups = untold(tree, |damage| {
        matches!(
            damage,
            Damage::WrongType { .. } | Damage::DanglingLink { .. }
        )
    });
    if groups.is_empty() {
        return;
    }
    let mut files = groups.iter().flat_map(|group| &group.files);
    let is_harmless = files.all(|file| {
        let damage = &file.damage;
        matches!(
            damage,
            Damage::WrongType {
                holds_the_same: Some(true),
                ..
            }
        )
    });
    let severity = if is_harmless {
        Severity::Note
    } else {
        Severity::Degraded
    };
    let what = ["was replaced", "were replaced"];
    out.push(finding(
        &CHECK,
        severity,
        tree.integrity.manager,
        &groups,
        what,
    ));
}
