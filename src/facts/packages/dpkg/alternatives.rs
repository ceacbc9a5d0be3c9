//! Alternatives whose link leads nowhere (update-alternatives(1); the format of
//! the files in `/var/lib/dpkg/alternatives` is in utils/update-alternatives.c).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::facts::packages::Ownership;
use crate::sys::root_dir::RootDir;

/// The most bytes of one file; some have a few thousand.
const FILE_MAX: u64 = 1 << 20;

/// The most alternatives that are looked at.
const GROUPS_MAX: usize = 5000;

/// Where the links lie that the choice is made with.
const LINKS: &str = "/etc/alternatives";

/// A group whose link leads nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BrokenAlternative {
    /// Its name: `/etc/alternatives/NAME`.
    pub name: String,
    /// What programs use: `/usr/bin/awk`.
    pub link: String,
    /// Where it leads; none when it is not there or no link.
    pub target: Option<String>,
    /// The package that owns the target.
    pub owner: Option<String>,
    /// The choices of the group that are there, the best first.
    pub there: Vec<String>,
}

/// A link that goes with another one, and that is missing or leads nowhere
/// while the other one is right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BrokenSlave {
    /// The group: `awk`.
    pub group: String,
    /// The link that it goes with: `/usr/bin/awk`.
    pub master: String,
    /// The choice that is in use: `/usr/bin/gawk`.
    pub choice: String,
    /// Its own name: `/etc/alternatives/NAME`.
    pub name: String,
    /// What programs use: `/usr/bin/nawk`.
    pub link: String,
    /// Where it should lead.
    pub target: String,
    /// The package that owns that.
    pub owner: Option<String>,
    /// Which of the two links is not there; none: it leads to what is not.
    pub missing: Option<String>,
}

/// Groups whose link leads nowhere, and links that go with others and do.
#[derive(Debug, Default)]
pub(super) struct Broken {
    pub(super) groups: Vec<BrokenAlternative>,
    pub(super) slaves: Vec<BrokenSlave>,
}

/// Looks at every group.
pub(super) fn broken(root: &RootDir, home: &Path, owners: &Ownership) -> Broken {
    let folder = home.join("alternatives");
    let groups = root.read_dir(&folder).unwrap_or_default();
    let mut broken = Broken::default();
    for entry in groups.into_iter().take(GROUPS_MAX) {
        let Some(name) = entry.name.to_str() else {
            continue;
        };
        let Ok(text) = root.read_text(folder.join(name), FILE_MAX) else {
            continue;
        };
        let Some(group) = Group::parse(&text) else {
            continue;
        };
        let place = Path::new(LINKS).join(name);
        let target = root.read_link(&place).ok();
        if root.metadata(&place).is_ok() {
            let chosen = target.and_then(|target| group.choice(&target));
            let found = chosen.into_iter().flat_map(|choice| {
                let slaves = group.slaves.iter().zip(&choice.slaves);
                slaves.filter_map(|(slave, target)| slave.broken(root, target))
            });
            broken.slaves.extend(found.map(|slave| BrokenSlave {
                group: name.to_owned(),
                master: group.link.clone(),
                choice: chosen.map_or(String::new(), |choice| choice.path.clone()),
                owner: owner(owners, Path::new(&slave.target)),
                ..slave
            }));
            continue;
        }
        let mut there: Vec<_> = group
            .choices
            .into_iter()
            .filter(|choice| root.metadata(&choice.path).is_ok())
            .collect();
        there.sort_by_key(|choice| std::cmp::Reverse(choice.priority));
        broken.groups.push(BrokenAlternative {
            name: name.to_owned(),
            link: group.link,
            owner: target.as_ref().and_then(|target| owner(owners, target)),
            target: target.map(|target| target.display().to_string()),
            there: there.into_iter().map(|choice| choice.path).collect(),
        });
    }
    broken
}

fn owner(owners: &Ownership, path: &Path) -> Option<String> {
    owners.owner_merged(path).map(str::to_owned)
}

/// A group's file.
#[derive(Debug)]
struct Group {
    link: String,
    slaves: Vec<Slave>,
    choices: Vec<Choice>,
}

/// A link that goes with the group's.
#[derive(Debug, PartialEq, Eq)]
struct Slave {
    name: String,
    link: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Choice {
    path: String,
    priority: i64,
    /// What each of the group's slaves leads to; empty: that one is left out.
    slaves: Vec<String>,
}

impl Group {
    /// `auto` or `manual`, the link, pairs of lines for what goes with it, an
    /// empty line; then for each choice its path, its priority, and a line for
    /// each of the pairs.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines
            .next()
            .filter(|mode| matches!(*mode, "auto" | "manual"))?;
        let link = lines.next()?.to_owned();
        let mut slaves = Vec::new();
        loop {
            let name = lines.next()?.to_owned();
            if name.is_empty() {
                break;
            }
            let link = lines.next()?.to_owned();
            slaves.push(Slave { name, link });
        }
        let mut choices = Vec::new();
        while let Some(path) = lines.next().filter(|path| path.starts_with('/')) {
            let path = path.to_owned();
            let priority = lines.next()?.trim().parse().ok()?;
            let slaves = lines.by_ref().take(slaves.len()).map(str::to_owned);
            let slaves = slaves.collect();
            choices.push(Choice {
                path,
                priority,
                slaves,
            });
        }
        Some(Self {
            link,
            slaves,
            choices,
        })
    }

    fn choice(&self, target: &Path) -> Option<&Choice> {
        let mut choices = self.choices.iter();
        choices.find(|choice| Path::new(&choice.path) == target)
    }
}

impl Slave {
    /// What is wrong with it, when the choice has `target` for it. A choice
    /// without its file gets no link (`alternative_prepare_install`).
    fn broken(&self, root: &RootDir, target: &str) -> Option<BrokenSlave> {
        if !target.starts_with('/') || self.name.contains('/') {
            return None;
        }
        let place = format!("{LINKS}/{}", self.name);
        let is_there = root.metadata(target).is_ok();
        let lacks = |path: &str| root.symlink_metadata(path).is_err();
        let missing = if lacks(&place) {
            Some(place)
        } else if lacks(&self.link) {
            Some(self.link.clone())
        } else {
            None
        };
        let is_broken = match &missing {
            Some(_) => is_there,
            // A file of somebody's own in its place is none.
            None => root.metadata(&self.link).is_err(),
        };
        is_broken.then(|| BrokenSlave {
            name: self.name.clone(),
            link: self.link.clone(),
            target: target.to_owned(),
            missing,
            ..BrokenSlave::default()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_group_with_what_goes_with_it() {
        let text = "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\n\n\
            /usr/bin/gawk\n10\n/usr/share/man/man1/gawk.1.gz\n/usr/bin/mawk\n5\n\n\n";
        let group = Group::parse(text).unwrap();
        assert_eq!(group.link, "/usr/bin/awk");
        assert_eq!(group.slaves[0].name, "awk.1.gz");
        let choices: Vec<_> = group
            .choices
            .iter()
            .map(|c| (&*c.path, c.priority))
            .collect();
        assert_eq!(choices, [("/usr/bin/gawk", 10), ("/usr/bin/mawk", 5)]);
        assert_eq!(group.choices[0].slaves, ["/usr/share/man/man1/gawk.1.gz"]);
        // One without a manual page.
        assert_eq!(group.choices[1].slaves, [""]);
        assert!(Group::parse("").is_none());
        assert!(Group::parse("auto\n/usr/bin/awk\nx").is_none());
    }
}
