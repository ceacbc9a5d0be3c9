//! Makes the link again by which the kernel finds PID 1.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::elf::Problem;
use crate::facts::init::USUAL;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-init-link",
    removes: &["init/init-missing"],
    plan,
};

/// Where systemd lies by the name that its package gives it.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let tree = facts.tree.as_ref()?;
    let init = &tree.init;
    // A renamed directory is put back by a repair of its own.
    let instead = init
        .instead
        .as_deref()
        .filter(|path| SYSTEMD.contains(path))?;
    let whole = init.instead_closure.as_ref().is_some_and(|c| c.starts());
    let in_place = tree.layout.suspects.is_empty();
    if init.asked != USUAL || !whole || !in_place {
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
