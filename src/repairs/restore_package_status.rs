//! Puts the best copy of dpkg's database in the place of a damaged one.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::packages::Packages;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-package-status",
    removes: &["packages/database-damaged"],
    plan,
};

/// A copy that is wrong about more packages than one run of dpkg changes would
/// make dpkg overwrite newer files: that is a person's decision.
const WRONG_MAX: usize = 5;

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let Packages::Dpkg(dpkg) = &facts.tree.as_ref()?.packages else {
        return None;
    };
    let status = format!("{}/status", dpkg.database.home);
    // What else is damaged, no copy of it mends.
    if dpkg.faults.iter().any(|fault| fault.path != status) {
        return None;
    }
    let best = dpkg.database.best_backup()?;
    if best.wrong_about() > WRONG_MAX {
        return None;
    }
    let mut actions = Vec::new();
    // Of a file that is missing there is nothing to put away.
    if dpkg.database.status.modified != 0 {
        actions.push(Action::Quarantine {
            path: status.clone().into(),
        });
    }
    actions.push(Action::Copy {
        path: status.into(),
        source: best.path.clone().into(),
        size: best.bytes,
        mode: 0o644,
        uid: 0,
        gid: 0,
    });
    Some(Outline {
        title: format!("put the copy {} in its place", best.path),
        risk: match best.wrong_about() {
            0 => Risk::Safe,
            _ => Risk::Medium,
        },
        actions,
        ..Outline::default()
    })
}
