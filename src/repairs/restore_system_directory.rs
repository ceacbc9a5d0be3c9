//! Puts a renamed system directory back, and carries home what landed in the
//! wrong place meanwhile.

use std::path::Path;

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::layout::{AtHome, Expected, Seen, Stray, Suspect, aside};
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-system-directory",
    removes: &["root/system-directory-replaced"],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let suspect = facts
        .tree
        .as_ref()?
        .layout
        .suspects
        .iter()
        .find(|s| s.path == finding.subject && s.expected == Expected::Directory)?;
    let sibling = chosen(suspect)?;
    let path = &suspect.path;
    let mut actions = Vec::new();
    match suspect.seen {
        Seen::Missing => {}
        Seen::Directory => actions.push(Action::Rename {
            from: path.into(),
            to: aside(Path::new(path), &suspect.suffix),
        }),
        Seen::Link { .. } | Seen::Other => actions.push(put_away(suspect, path, &suspect.suffix)),
    }
    actions.push(Action::Rename {
        from: sibling.into(),
        to: path.into(),
    });
    actions.extend(carry_all_home(suspect));
    Some(Outline {
        title: match suspect.strays.len() {
            0 => format!("rename {sibling} back to {path}"),
            count => format!("rename {sibling} back to {path}, carry {count} things home"),
        },
        risk: Risk::Safe,
        actions,
        ..Outline::default()
    })
}

/// The one directory that holds the content; none when that is a guess.
fn chosen(suspect: &Suspect) -> Option<&str> {
    let first = suspect.siblings.first()?;
    let clear = suspect
        .siblings
        .get(1)
        .is_none_or(|second| second.holds.saturating_mul(2) < first.holds);
    (clear && first.same_filesystem).then_some(first.path.as_str())
}

/// What brings every stray home and removes the directories left empty by it.
pub(super) fn carry_all_home(suspect: &Suspect) -> impl Iterator<Item = Action> {
    let strays = suspect.strays.iter();
    let emptied = suspect.emptied.iter();
    strays
        .flat_map(|stray| carry_home(suspect, stray))
        .chain(emptied.map(|path| Action::RemoveEmptyDirectory { path: path.into() }))
}

/// What brings one stray home; a conflict is kept beside, never lost.
fn carry_home(suspect: &Suspect, stray: &Stray) -> Vec<Action> {
    let move_to = |from: &str, to: String| Action::Rename {
        from: from.into(),
        to: to.into(),
    };
    let home = &stray.home;
    match stray.at_home {
        AtHome::Nothing => vec![move_to(&stray.path, home.clone())],
        AtHome::Same => vec![put_away(suspect, &stray.path, &stray.suffix)],
        AtHome::OlderThanStray => vec![
            move_to(home, format!("{home}.lifeboot-old{}", stray.suffix)),
            move_to(&stray.path, home.clone()),
        ],
        AtHome::Different => vec![move_to(
            &stray.path,
            format!("{home}.lifeboot-new{}", stray.suffix),
        )],
    }
}

/// Takes `path` out of the way: into the quarantine, or, on a filesystem of its
/// own, to another name beside it.
fn put_away(suspect: &Suspect, path: &str, suffix: &str) -> Action {
    if suspect.off_root {
        Action::Rename {
            from: path.into(),
            to: format!("{path}.lifeboot-away{suffix}").into(),
        }
    } else {
        Action::Quarantine { path: path.into() }
    }
}
