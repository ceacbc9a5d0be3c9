//! Puts a link of the merged /usr back, after moving what stands in its place
//! to where it belongs.

use super::{Kind, Outline, Risk, restore_system_directory::carry_all_home};
use crate::facts::Facts;
use crate::facts::layout::{Expected, Seen};
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-merged-link",
    removes: &[
        "root/usr-merge-link-missing",
        "root/usr-merge-link-replaced",
    ],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let suspects = &facts.tree.as_ref()?.layout.suspects;
    let (suspect, target) = suspects.iter().find_map(|s| match &s.expected {
        Expected::Link { target } if s.path == finding.subject => Some((s, target)),
        _ => None,
    })?;
    let path = &suspect.path;
    let mut actions = Vec::new();
    match suspect.seen {
        Seen::Missing => {}
        Seen::Link { .. } | Seen::Other => {
            actions.push(Action::Quarantine { path: path.into() });
        }
        Seen::Directory => actions.extend(carry_all_home(suspect)),
    }
    actions.push(Action::Symlink {
        path: path.into(),
        target: target.into(),
    });
    Some(Outline {
        title: match suspect.strays.len() {
            0 => format!("make the link {path} -> {target}"),
            count => format!("move {count} things from {path} to /{target}, make the link"),
        },
        risk: if suspect.strays.is_empty() {
            Risk::Safe
        } else {
            Risk::Medium
        },
        actions,
        ..Outline::default()
    })
}
