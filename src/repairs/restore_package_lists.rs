//! Puts dpkg's lists of files back that somebody moved away.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::packages::Packages;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-package-lists",
    removes: &["packages/database-info-emptied"],
    plan,
};

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let Packages::Dpkg(dpkg) = &facts.tree.as_ref()?.packages else {
        return None;
    };
    let info = &dpkg.database.info;
    let old = info.siblings.first()?;
    // Lists that were made since would have to be sorted in one by one.
    if info.lists > 0 || old.missing < info.without_list.len() {
        return None;
    }
    Some(Outline {
        title: format!("rename {} back to {}", old.path, info.path),
        risk: Risk::Safe,
        actions: vec![
            Action::Quarantine {
                path: info.path.clone().into(),
            },
            Action::Rename {
                from: old.path.clone().into(),
                to: info.path.clone().into(),
            },
        ],
        ..Outline::default()
    })
}
