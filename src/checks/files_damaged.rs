//! Files of installed packages do not hold what their packages shipped.

use super::package_files::{any_critical, finding, untold};
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::integrity::Damage;
use crate::finding::{Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/files-damaged",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/files-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let unreadable = untold(tree, |damage| matches!(damage, Damage::Unreadable { .. }));
    for group in &unreadable {
        for file in group.files.iter().take(1) {
            let what = match group.files.len() + group.more {
                1 => file.path.clone(),
                count => format!("{} and {} files more", file.path, count - 1),
            };
            out.could_not_tell(Stage::Packages, what, file.damage.words());
        }
    }
    let groups = untold(tree, |damage| is_loss(damage) || *damage == Damage::Changed);
    if groups.is_empty() {
        return;
    }
    let mut files = groups.iter().flat_map(|group| &group.files);
    let is_lost = files.any(|file| is_loss(&file.damage));
    // Somebody may have changed a file on purpose.
    let severity = if is_lost || any_critical(&groups) {
        Severity::Degraded
    } else {
        Severity::Note
    };
    let what = if is_lost {
        ["is damaged", "are damaged"]
    } else {
        ["is not as shipped", "are not as shipped"]
    };
    let mut told = finding(&CHECK, severity, tree.integrity.manager, &groups, what);
    if is_lost {
        told = told.because("most often power lost while they were written");
    }
    out.push(told);
}

fn is_loss(damage: &Damage) -> bool {
    matches!(
        damage,
        Damage::Empty | Damage::NulBytes { .. } | Damage::Truncated { .. }
    )
}
