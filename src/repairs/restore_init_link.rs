//! Makes the link again by which the kernel finds PID 1, or gives the program at
//! its end its name back.

use super::{Kind, Outline, Risk};
use crate::facts::elf::Problem;
use crate::facts::init::{Renamed, USUAL};
use crate::facts::{Facts, Tree};
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-init-link",
    removes: &["init/init-missing"],
    plan,
};

/// Where systemd lies by the name that its package gives it.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// True where no directory of the system was renamed: that has a repair of its
/// own.
fn in_place(tree: &Tree) -> bool {
    tree.layout.suspects.is_empty()
}

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let tree = facts.tree.as_ref()?;
    let init = &tree.init;
    if let Some(Renamed { from, to }) = init.renamed.as_ref().filter(|_| in_place(tree)) {
        return Some(Outline {
            title: format!("rename {from} back to {to}: it is what the package put there"),
            risk: Risk::Safe,
            actions: vec![Action::Rename {
                from: from.into(),
                to: to.into(),
            }],
            ..Outline::default()
        });
    }
    let instead = init
        .instead
        .as_deref()
        .filter(|path| SYSTEMD.contains(path))?;
    let whole = init.instead_closure.as_ref().is_some_and(|c| c.starts());
    if init.asked != USUAL || !whole || !in_place(tree) {
        return None;
    }
    let mut problems = init.closure.problems.iter();
    let (at, links) = problems.find_map(|problem| match problem {
        Problem::ProgramMissing { at, links, .. } => Some((at, links)),
        _ => None,
    })?;
    let is_init = |path: &str| path == USUAL || path == "/usr/sbin/init" || path == "/usr/bin/init";
    let mut actions = Vec::new();
    let path = match links.iter().find(|link| is_init(&link.at)) {
        // It is there and leads to nothing.
        Some(link) => {
            let path = link.at.as_str();
            actions.push(Action::Quarantine { path: path.into() });
            path
        }
        None if is_init(at) => at.as_str(),
        None => return None,
    };
    actions.push(Action::Symlink {
        path: path.into(),
        target: instead.into(),
    });
    Some(Outline {
        title: format!("make the link {path} -> {instead}"),
        risk: Risk::Safe,
        actions,
        ..Outline::default()
    })
}
