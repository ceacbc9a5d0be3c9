//! Makes the directories on which the kernel's own filesystems are mounted.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "make-mount-points",
    removes: &["init/mount-point-missing"],
    plan,
};

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let missing = &facts.tree.as_ref()?.init.missing_mount_points;
    let made = missing.iter().map(|path| Action::MakeDirectory {
        path: path.into(),
        mode: 0o755,
        uid: 0,
        gid: 0,
        xattrs: Vec::new(),
    });
    Some(Outline {
        title: format!("make {}", missing.join(", ")),
        risk: Risk::Safe,
        actions: made.collect(),
        ..Outline::default()
    })
}
