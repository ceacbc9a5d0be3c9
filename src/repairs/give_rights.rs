//! Gives files and directories the mode and the owner that they should have.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::integrity::{Lone, Says};
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "give-rights",
    removes: &["packages/mode-changed", "packages/setuid-lost"],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let permissions = &facts.tree.as_ref()?.integrity.permissions;
    let powerless = finding.id == "packages/setuid-lost";
    let wanted = permissions.lone.iter();
    // What files beside it have is likely, and not known.
    let wanted = wanted.filter(|lone| lone.is_powerless == powerless && is_known(lone));
    let right = wanted.filter_map(|lone| lone.right.as_ref());
    // The top of a tree that was only put there has its finder's mode.
    let right = right.filter(|right| right.path != "/" || facts.has_disks());
    let actions: Vec<Action> = right
        .map(|right| Action::Attributes {
            path: (&right.path).into(),
            mode: right.mode,
            uid: right.uid,
            gid: right.gid,
            xattrs: Vec::new(),
        })
        .collect();
    let first = actions.first()?;
    let title = match actions.len() {
        1 => first.to_string(),
        count => format!("give {count} files and directories their mode and owner"),
    };
    Some(Outline {
        title,
        risk: Risk::Safe,
        actions,
        ..Outline::default()
    })
}

fn is_known(lone: &Lone) -> bool {
    !matches!(lone.says, Says::Neighbours { .. })
}
