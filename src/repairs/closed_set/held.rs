//! What is there once a set is unpacked: on the disk, or in the set.

use super::{Chooser, Goal, Set};
use crate::facts::packages::relations::{self, Relation};
use crate::facts::toolbox::Relations;

impl<'f> Chooser<'f> {
    /// True when a package on disk names this one, or what it provides.
    pub(super) fn asks_for(&self, name: &str, one: &Relations) -> bool {
        let asked = self.installed.get(name).into_iter().flatten();
        let mut names = asked
            .flat_map(|asking| relations::groups(&asking.depends).flatten())
            .map(|relation| relation.name);
        names.any(|name| {
            name == one.name || relations::provided(&one.provides).any(|(given, _)| given == name)
        })
    }

    /// True when a package on disk is replaced, or has what it depends on.
    pub(super) fn is_kept(&self, set: &Set<'f>, name: &str) -> bool {
        set.keys().any(|(chosen, _)| *chosen == name)
            || self
                .installed
                .get(name)
                .into_iter()
                .flatten()
                .all(|one| self.holds(set, &one.depends))
    }

    pub(super) fn holds(&self, set: &Set<'f>, field: &str) -> bool {
        relations::groups(field).all(|group| self.any_holds(set, &group))
    }

    pub(super) fn any_holds(&self, set: &Set<'f>, group: &[Relation<'_>]) -> bool {
        let gives = |one: &Relations, relation: &Relation<'_>| {
            (one.name == relation.name && relation.takes(&one.version)) || provides(one, relation)
        };
        group.iter().any(|relation| {
            let mut chosen = set.values();
            let stays = |one: &&&Relations| !set.keys().any(|(name, _)| *name == one.name);
            let mut staying = self.installed.values().flatten().filter(stays);
            chosen.any(|one| gives(&one.relations, relation))
                || staying.any(|one| gives(one, relation))
        })
    }

    /// A goal that nothing at hand meets, for people.
    pub(super) fn words(&self, goal: Goal<'f>) -> String {
        match goal {
            Goal::Unpack(name) => self.label(name),
            Goal::Keep(name) => {
                let asked = self.installed.get(name).into_iter().flatten();
                let groups = asked.flat_map(|one| relations::groups(&one.depends));
                let mut lacking = groups.filter(|group| !self.any_holds(&Set::new(), group));
                match lacking.next() {
                    Some(group) => alternatives(&group),
                    None => format!("{name}, in a version that fits"),
                }
            }
            Goal::Need(group) => group.trim().to_owned(),
            Goal::Away(name, taken) => format!("{name}, newer than {}", taken.trim()),
        }
    }

    /// The version that would come first.
    pub(super) fn label(&self, name: &str) -> String {
        let own = self.dpkg.named(name);
        let version = self.target(name).or(own.map(|own| own.version.as_str()));
        let architecture = own.map_or("", |own| own.architecture.as_str());
        match version.filter(|version| !version.is_empty()) {
            Some(version) => format!("{name} {version} ({architecture})"),
            None => name.to_owned(),
        }
    }
}

fn alternatives(group: &[Relation<'_>]) -> String {
    let texts: Vec<&str> = group.iter().map(|relation| relation.text).collect();
    texts.join(" | ")
}

/// True when a package gives what is asked for under another name; a version is
/// only given by one that tells it (Debian Policy, 7.5).
pub(super) fn provides(one: &Relations, relation: &Relation<'_>) -> bool {
    relations::provided(&one.provides).any(|(name, version)| {
        name == relation.name
            && match (relation.version, version) {
                (None, _) => true,
                (Some(_), Some(version)) => relation.takes(version),
                (Some(_), None) => false,
            }
    })
}
