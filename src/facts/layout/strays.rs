//! Things that were written to the wrong place while a directory was replaced.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::facts::md5_sum;
use crate::facts::packages::Ownership;
use crate::sys::root_dir::{Kind, RootDir};

/// How deep two directories are merged.
const DEPTH: usize = 8;

/// What waits at the place where a stray belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AtHome {
    /// Nothing.
    Nothing,
    /// The same content.
    Same,
    /// Other content, and the stray is what the package ships.
    OlderThanStray,
    /// Other content, and nothing proves the stray to be the right one.
    Different,
}

/// One thing in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stray {
    /// Where it is.
    pub path: String,
    /// Where it belongs.
    pub home: String,
    /// What is there already.
    pub at_home: AtHome,
    /// Makes a name beside `home` one that is not taken: `` or `.2`, `.3`, ...
    pub suffix: String,
}

/// What a file is called that is kept beside another.
pub const KEPT: [&str; 3] = [".lifeboot-new", ".lifeboot-old", ".lifeboot-away"];

/// The first of ``, `.2`, `.3`, ... with which no name in `directory` made of
/// `name` is taken.
pub(super) fn free_suffix(
    root: &RootDir,
    directory: &Path,
    name: &OsStr,
    kinds: &[&str],
) -> String {
    let taken = |suffix: &String| {
        kinds.iter().any(|kind| {
            let mut name = name.to_owned();
            name.push(kind);
            name.push(suffix);
            root.symlink_metadata(directory.join(name)).is_ok()
        })
    };
    let numbered = (2..1000).map(|n| format!(".{n}"));
    std::iter::once(String::new())
        .chain(numbered)
        .find(|suffix| !taken(suffix))
        .unwrap_or_default()
}

/// Files that packages own in `directory` and that landed where its link
/// leads. `sibling` holds the directory's older content.
pub(super) fn through_link(
    root: &RootDir,
    owners: &Ownership,
    directory: &Path,
    sibling: &str,
) -> Vec<Stray> {
    let Ok(target) = root.resolve(directory) else {
        return Vec::new();
    };
    let landed = root.read_dir(&target.path).unwrap_or_default();
    landed
        .into_iter()
        .filter(|entry| {
            owners.owner_merged(&directory.join(&entry.name)).is_some()
                && owners
                    .owner_merged(&target.path.join(&entry.name))
                    .is_none()
        })
        .map(|entry| {
            let path = target.path.join(&entry.name);
            let old = Path::new(sibling).join(&entry.name);
            let home = directory.join(&entry.name);
            let at_home = compare(root, owners, &path, &old, &home);
            stray(root, &path, &home, &old, at_home)
        })
        .collect()
}

/// The content of a directory that took the place of the real one, which is
/// now at `sibling`. The strays are named by the place they will have once the
/// impostor is set aside: [`aside`].
pub(super) fn of_impostor(
    root: &RootDir,
    owners: &Ownership,
    directory: &Path,
    sibling: &str,
    suffix: &str,
) -> (Vec<Stray>, Vec<String>) {
    let mut found = Merge::of(root, owners, directory, Path::new(sibling));
    let aside = aside(directory, suffix);
    let moved = |path: &str, from: &Path, to: &Path| {
        let rest = Path::new(path).strip_prefix(from).unwrap_or(Path::new(""));
        to.join(rest).display().to_string()
    };
    for stray in &mut found.strays {
        stray.path = moved(&stray.path, directory, &aside);
        stray.home = moved(&stray.home, Path::new(sibling), directory);
    }
    let emptied = found
        .emptied
        .iter()
        .map(|path| {
            moved(path, directory, &aside)
                .trim_end_matches('/')
                .to_owned()
        })
        .collect();
    (found.strays, emptied)
}

/// Where an impostor is set aside.
pub fn aside(directory: &Path, suffix: &str) -> PathBuf {
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(ASIDE);
    name.push(suffix);
    directory.with_file_name(name)
}

/// What an impostor is called once it is set aside.
pub(super) const ASIDE: &str = ".lifeboot-aside";

/// The content of `directory`, all of which belongs into `home`.
pub(super) fn merge(
    root: &RootDir,
    owners: &Ownership,
    directory: &Path,
    home: &Path,
) -> (Vec<Stray>, Vec<String>) {
    let found = Merge::of(root, owners, directory, home);
    (found.strays, found.emptied)
}

struct Merge<'a> {
    root: &'a RootDir,
    owners: &'a Ownership,
    strays: Vec<Stray>,
    emptied: Vec<String>,
}

impl<'a> Merge<'a> {
    /// Everything in `from`, which belongs into `to`.
    fn of(root: &'a RootDir, owners: &'a Ownership, from: &Path, to: &Path) -> Self {
        let mut merge = Self {
            root,
            owners,
            strays: Vec::new(),
            emptied: Vec::new(),
        };
        merge.directory(from, to, 0);
        merge
    }

    fn directory(&mut self, from: &Path, to: &Path, depth: usize) {
        for entry in self.root.read_dir(from).unwrap_or_default() {
            let path = from.join(&entry.name);
            let home = to.join(&entry.name);
            let there = self.root.symlink_metadata(&home).ok();
            let both = entry.kind == Kind::Directory
                && there.is_some_and(|meta| meta.kind == Kind::Directory);
            if both && depth < DEPTH {
                self.directory(&path, &home, depth + 1);
                continue;
            }
            let at_home = compare(self.root, self.owners, &path, &home, &home);
            self.strays
                .push(stray(self.root, &path, &home, &home, at_home));
        }
        // Deepest first: a directory comes after everything in it.
        self.emptied.push(from.display().to_string());
    }
}

/// `old` is where the name `home` is to be found until the repair is done.
fn stray(root: &RootDir, path: &Path, home: &Path, old: &Path, at_home: AtHome) -> Stray {
    let name = old.file_name().unwrap_or_default();
    let directory = old.parent().unwrap_or(Path::new("/"));
    let suffix = match at_home {
        AtHome::Nothing => String::new(),
        _ => free_suffix(root, directory, name, &KEPT),
    };
    Stray {
        suffix,
        path: path.display().to_string(),
        home: home.display().to_string(),
        at_home,
    }
}

/// Sets the stray `new` against `old`, which stands where it belongs; `home`
/// is the path by which the package knows it.
fn compare(root: &RootDir, owners: &Ownership, new: &Path, old: &Path, home: &Path) -> AtHome {
    let Ok(old_meta) = root.symlink_metadata(old) else {
        return AtHome::Nothing;
    };
    let Ok(new_meta) = root.symlink_metadata(new) else {
        return AtHome::Different;
    };
    match (new_meta.kind, old_meta.kind) {
        (Kind::Symlink, Kind::Symlink) => match (root.read_link(new), root.read_link(old)) {
            (Ok(a), Ok(b)) if a == b => AtHome::Same,
            _ => AtHome::Different,
        },
        (Kind::File, Kind::File) => {
            let (new_sum, old_sum) = (
                md5_sum::of(root, new, u64::MAX),
                md5_sum::of(root, old, u64::MAX),
            );
            let alike = new_meta.mode == old_meta.mode
                && (new_meta.uid, new_meta.gid) == (old_meta.uid, old_meta.gid);
            if new_sum.is_some() && new_sum == old_sum && alike {
                AtHome::Same
            } else if new_sum.is_some() && new_sum == owners.shipped_md5(root, home) {
                AtHome::OlderThanStray
            } else {
                AtHome::Different
            }
        }
        _ => AtHome::Different,
    }
}
