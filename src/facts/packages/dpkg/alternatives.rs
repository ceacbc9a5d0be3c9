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

/// A group whose link leads nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Looks at every group.
pub(super) fn broken(root: &RootDir, home: &Path, owners: &Ownership) -> Vec<BrokenAlternative> {
    let folder = home.join("alternatives");
    let groups = root.read_dir(&folder).unwrap_or_default();
    let mut broken = Vec::new();
    for entry in groups.into_iter().take(GROUPS_MAX) {
        let Some(name) = entry.name.to_str() else {
            continue;
        };
        let place = Path::new("/etc/alternatives").join(name);
        if root.metadata(&place).is_ok() {
            continue;
        }
        let Ok(text) = root.read_text(folder.join(name), FILE_MAX) else {
            continue;
        };
        let Some(group) = Group::parse(&text) else {
            continue;
        };
        let target = root.read_link(&place).ok();
        let mut there: Vec<_> = group
            .choices
            .into_iter()
            .filter(|(path, _)| root.metadata(path).is_ok())
            .collect();
        there.sort_by_key(|(_, priority)| std::cmp::Reverse(*priority));
        broken.push(BrokenAlternative {
            name: name.to_owned(),
            link: group.link,
            owner: target
                .as_ref()
                .and_then(|target| owners.owner_merged(target).map(str::to_owned)),
            target: target.map(|target| target.display().to_string()),
            there: there.into_iter().map(|(path, _)| path).collect(),
        });
    }
    broken
}

/// The part of a group's file that matters here.
struct Group {
    link: String,
    choices: Vec<(String, i64)>,
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
        let mut slaves = 0;
        while !lines.next()?.is_empty() {
            lines.next()?;
            slaves += 1;
        }
        let mut choices = Vec::new();
        while let Some(path) = lines.next().filter(|path| path.starts_with('/')) {
            let priority = lines.next()?.trim().parse().ok()?;
            choices.push((path.to_owned(), priority));
            for _ in 0..slaves {
                lines.next();
            }
        }
        Some(Self { link, choices })
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
        assert_eq!(
            group.choices,
            [("/usr/bin/gawk".into(), 10), ("/usr/bin/mawk".into(), 5)]
        );
        assert!(Group::parse("").is_none());
        assert!(Group::parse("auto\n/usr/bin/awk\nx").is_none());
    }
}
