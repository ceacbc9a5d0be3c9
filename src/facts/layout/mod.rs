//! The tree's own shape: system directories that were renamed, replaced or
//! lost, judged by what the package database says lies in them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::elf::Problem;
use super::packages::Ownership;
use crate::sys::root_dir::{Kind, RootDir};

mod siblings;
mod strays;

pub use siblings::Sibling;
pub use strays::{AtHome, Stray, aside};

/// Directories at the top that a merged /usr replaces by links
/// (file-hierarchy(7)).
const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Below these, nothing on disk belongs to the layout.
const VOLATILE: [&str; 8] = [
    "/dev", "/media", "/mnt", "/proc", "/run", "/sys", "/tmp", "/var/run",
];

/// How deep the layout is examined: `/usr/lib/x86_64-linux-gnu` is the third.
const DEPTH: usize = 3;

/// What a place should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Expected {
    /// A directory of its own.
    Directory,
    /// A link of the merged /usr.
    Link {
        /// `usr/lib`.
        target: String,
    },
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Seen {
    /// Nothing.
    Missing,
    /// A symbolic link.
    Link {
        /// Its text.
        target: String,
    },
    /// A directory.
    Directory,
    /// A file or something else.
    Other,
}

/// A place that is not what the package database needs it to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Suspect {
    /// The place.
    pub path: String,
    /// What it should be.
    pub expected: Expected,
    /// What it is.
    pub seen: Seen,
    /// True when it lies on another filesystem than `/`: what is taken away
    /// there cannot go to the journal's quarantine.
    pub off_root: bool,
    /// Makes a name beside it one that is not taken: `` or `.2`, `.3`, ...
    pub suffix: String,
    /// Names that packages own in it.
    pub owned: usize,
    /// Of those, how many are found through it now.
    pub reachable: usize,
    /// Directories that hold what it should hold, the fullest first.
    pub siblings: Vec<Sibling>,
    /// Things that landed elsewhere because of it.
    pub strays: Vec<Stray>,
    /// Directories that are empty once the strays are home, deepest first.
    pub emptied: Vec<String>,
}

/// The layout of the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Layout {
    /// Whether `/bin`, `/sbin` and `/lib` are links into /usr; none when the
    /// tree does not tell.
    pub merged: Option<bool>,
    /// What is not as it should be.
    pub suspects: Vec<Suspect>,
    /// True when there was no file list to judge by.
    pub unknown: bool,
}

impl Layout {
    /// `/lib/x` is `/usr/lib/x` on a merged system.
    pub fn real_name(&self, path: &Path) -> PathBuf {
        real_name(path, self.merged == Some(true))
    }

    /// True when the way to a problem leads through a place that is not as it
    /// should be: what is missing behind it says nothing about the system.
    pub fn misleads(&self, problem: &Problem) -> bool {
        let through = |path: &str| {
            let path = self.real_name(Path::new(path));
            self.suspects
                .iter()
                .any(|suspect| path.starts_with(&suspect.path))
        };
        match problem {
            Problem::ProgramMissing { program, at, .. } => through(program) || through(at),
            Problem::InterpreterMissing { at, .. } => through(at),
            Problem::LibraryMissing { searched, .. } => searched.iter().any(|dir| through(dir)),
            _ => false,
        }
    }
}

fn real_name(path: &Path, merged: bool) -> PathBuf {
    let first = path.components().nth(1);
    match first.and_then(|c| c.as_os_str().to_str()) {
        Some(first) if merged && MERGED.contains(&first) => {
            Path::new("/usr").join(path.strip_prefix("/").unwrap_or(path))
        }
        _ => path.to_owned(),
    }
}

/// Compares the tree with the package database.
pub(super) fn collect(root: &RootDir, owners: &Ownership) -> Layout {
    if owners.is_empty() {
        return Layout {
            unknown: true,
            ..Layout::default()
        };
    }
    let merged = merged(root, owners);
    let shape = Shape {
        root,
        owners,
        merged: merged == Some(true),
    };
    let mut suspects = Vec::new();
    if shape.merged {
        suspects.extend(MERGED.iter().filter_map(|name| shape.check_link(name)));
    }
    for directory in shape.directories() {
        let below = |s: &Suspect| directory.starts_with(&s.path);
        if !suspects.iter().any(below) {
            suspects.extend(shape.check_directory(&directory));
        }
    }
    Layout {
        merged,
        suspects,
        unknown: false,
    }
}

/// Whether this system has a merged /usr, from what is left of it.
fn merged(root: &RootDir, owners: &Ownership) -> Option<bool> {
    let usual = &MERGED[..3];
    let is_link = |name: &&&str| {
        root.read_link(Path::new("/").join(name))
            .is_ok_and(|target| into_usr(&target).is_some_and(|n| n == Path::new(name)))
    };
    if usual.iter().any(|name| is_link(&name)) {
        return Some(true);
    }
    let full = |name: &&str| {
        let directory = Path::new("/").join(name);
        let owned: BTreeSet<_> = owners.names_in(&directory).collect();
        let there = names(root, &directory);
        let found = owned.iter().filter(|n| there.contains(**n)).count();
        !owned.is_empty() && found * 2 > owned.len()
    };
    if usual.iter().any(full) {
        return Some(false);
    }
    // Only packages of a merged system own these.
    let says = ["/usr/share/doc/usrmerge", "/usr/share/doc/usr-is-merged"];
    let by_package = says
        .iter()
        .any(|path| owners.owner(Path::new(path)).is_some());
    let by_lists = owners.owner(Path::new("/bin/sh")).is_none()
        && owners.owner(Path::new("/usr/bin/sh")).is_some();
    (by_package || by_lists).then_some(true)
}

/// `usr/lib` and `/usr/lib` give `lib`.
fn into_usr(target: &Path) -> Option<&Path> {
    target
        .strip_prefix("/")
        .unwrap_or(target)
        .strip_prefix("usr")
        .ok()
}

/// The names in a directory, links followed to it; empty when it is none.
fn names(root: &RootDir, directory: &Path) -> BTreeSet<OsString> {
    root.read_dir(directory)
        .unwrap_or_default()
        .into_iter()
        .map(|entry| entry.name)
        .collect()
}

struct Shape<'a> {
    root: &'a RootDir,
    owners: &'a Ownership,
    merged: bool,
}

impl Shape<'_> {
    /// The directories to examine, with the merged ones under their real name.
    fn directories(&self) -> BTreeSet<PathBuf> {
        self.owners
            .directories()
            .filter(|directory| {
                let depth = directory.components().count() - 1;
                (1..=DEPTH).contains(&depth) && !VOLATILE.iter().any(|v| directory.starts_with(v))
            })
            .map(|directory| real_name(directory, self.merged))
            .filter(|directory| directory.components().count() - 1 <= DEPTH)
            .collect()
    }

    /// What packages own in `directory`, under both spellings.
    fn owned_in(&self, directory: &Path) -> BTreeSet<OsString> {
        let mut owned: BTreeSet<_> = self
            .owners
            .names_in(directory)
            .map(OsString::from)
            .collect();
        if self.merged
            && let Ok(short) = directory.strip_prefix("/usr")
        {
            let short = Path::new("/").join(short);
            if real_name(&short, self.merged) == directory {
                owned.extend(self.owners.names_in(&short).map(OsString::from));
            }
        }
        owned
    }

    /// What makes the names beside `path` free ones.
    fn suffix(&self, path: &Path) -> String {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default();
        let kinds = [strays::ASIDE, strays::KEPT[2]];
        strays::free_suffix(self.root, parent, name, &kinds)
    }

    fn off_root(&self, path: &Path) -> bool {
        let device = |path: &Path| self.root.metadata(path).map(|meta| meta.dev).ok();
        path.parent().map(device) != Some(device(Path::new("/")))
    }

    fn seen(&self, path: &Path) -> Option<Seen> {
        match self.root.symlink_metadata(path) {
            Ok(meta) => Some(match meta.kind {
                Kind::Directory => Seen::Directory,
                Kind::Symlink => Seen::Link {
                    target: self.root.read_link(path).ok()?.display().to_string(),
                },
                Kind::File | Kind::Special => Seen::Other,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Seen::Missing),
            // A parent that is no directory is a suspect of its own.
            Err(_) => None,
        }
    }

    /// A link of the merged /usr that is not there as it should be.
    fn check_link(&self, name: &str) -> Option<Suspect> {
        let path = Path::new("/").join(name);
        let real = Path::new("/usr").join(name);
        let owned = self.owned_in(&real);
        let seen = self.seen(&path)?;
        let needed = !owned.is_empty() || self.root.metadata(&real).is_ok();
        let right = match &seen {
            Seen::Link { target } => {
                into_usr(Path::new(target)).is_some_and(|rest| rest == Path::new(name))
            }
            // lib32 and libx32 exist only where a package wants them.
            Seen::Missing => !needed || (owned.is_empty() && self.owners.owner(&path).is_none()),
            Seen::Directory | Seen::Other => !needed,
        };
        if right {
            return None;
        }
        let (strays, emptied) = match seen {
            Seen::Directory => strays::merge(self.root, self.owners, &path, &real),
            _ => (Vec::new(), Vec::new()),
        };
        let there = names(self.root, &path);
        Some(Suspect {
            path: path.display().to_string(),
            expected: Expected::Link {
                target: format!("usr/{name}"),
            },
            seen,
            suffix: self.suffix(&path),
            off_root: self.off_root(&path),
            owned: owned.len(),
            reachable: owned.iter().filter(|n| there.contains(*n)).count(),
            siblings: Vec::new(),
            strays,
            emptied,
        })
    }

    /// A directory whose content is not found through it.
    fn check_directory(&self, path: &Path) -> Option<Suspect> {
        let owned = self.owned_in(path);
        if owned.is_empty() {
            return None;
        }
        let seen = self.seen(path)?;
        let there = names(self.root, path);
        let reachable = owned.iter().filter(|name| there.contains(*name)).count();
        let well = match seen {
            // Lost content of a real directory is another check's matter; here
            // only a directory that took the place of the full one counts.
            Seen::Directory => reachable * 2 >= owned.len(),
            // A directory moved away on purpose, with a link left behind.
            _ => reachable * 10 >= owned.len() * 9,
        };
        if well {
            return None;
        }
        let siblings = siblings::find(self.root, self.owners, path, &owned, reachable);
        let depth = path.components().count() - 1;
        // Without a trace of its content only the skeleton of a system is worth
        // a finding: /etc, /usr, /usr/bin; not /etc/foo, which was deleted.
        let skeleton = depth == 1 || path.parent() == Some(Path::new("/usr"));
        if siblings.is_empty() && (seen == Seen::Directory || !skeleton) {
            return None;
        }
        let (strays, emptied) = match (&seen, siblings.first()) {
            (Seen::Link { .. }, Some(sibling)) => (
                strays::through_link(self.root, self.owners, path, &sibling.path),
                Vec::new(),
            ),
            (Seen::Directory, Some(sibling)) => {
                let suffix = self.suffix(path);
                strays::of_impostor(self.root, self.owners, path, &sibling.path, &suffix)
            }
            _ => (Vec::new(), Vec::new()),
        };
        Some(Suspect {
            path: path.display().to_string(),
            expected: Expected::Directory,
            seen,
            suffix: self.suffix(path),
            off_root: self.off_root(path),
            owned: owned.len(),
            reachable,
            siblings,
            strays,
            emptied,
        })
    }
}
