//! Files that dpkg left behind when it was cut off (`tarobject` in its
//! src/main/archives.c): it writes `NAME.dpkg-new` and keeps the old file as
//! `NAME.dpkg-tmp`, a hard link, for the whole package. Then it renames each new
//! one over `NAME` (`tar_deferred_extract`), and at last removes the old ones.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::facts::packages::Ownership;
use crate::sys::root_dir::{Kind, RootDir};

/// Directories that are looked into; a big server has some 20,000.
const DIRECTORIES_MAX: usize = 60_000;

/// Files that are kept.
const FILES_MAX: usize = 1000;

/// What the search found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Leftovers {
    /// The files.
    pub files: Vec<Leftover>,
    /// True when it was made; with nothing unfinished it is not.
    pub searched: bool,
    /// True when there were too many directories or files.
    pub more: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Leftover {
    /// Where it lies.
    pub path: String,
    /// True for the old file (`.dpkg-tmp`), false for the new one.
    pub is_old: bool,
    /// True when the file that it belongs to is there.
    pub beside: bool,
    /// True when the new file is there as well: the old one is still in place.
    #[serde(default)]
    pub new_waits: bool,
    /// Its size.
    pub size: u64,
    /// The package that owns the file that it belongs to.
    pub owner: Option<String>,
}

/// Searches the directories that packages own something in, except /etc: new
/// configuration files wait there until their package is configured.
pub(super) fn search(root: &RootDir, owners: &Ownership) -> Leftovers {
    let mut found = Leftovers {
        searched: true,
        ..Leftovers::default()
    };
    let mut seen = std::collections::HashSet::new();
    for (count, path) in owners.directories().enumerate() {
        if count == DIRECTORIES_MAX {
            found.more = true;
            break;
        }
        if path.starts_with("/etc") {
            continue;
        }
        // Two spellings of a merged /usr are one directory.
        let Ok(real) = root.resolve(path) else {
            continue;
        };
        if !seen.insert((real.meta.dev, real.meta.ino)) || real.path.starts_with("/etc") {
            continue;
        }
        inside(root, &real.path, owners, &mut found);
        if found.files.len() >= FILES_MAX {
            found.files.truncate(FILES_MAX);
            found.more = true;
            break;
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn inside(root: &RootDir, path: &Path, owners: &Ownership, found: &mut Leftovers) {
    let Ok(mut directory) = root.directory(path) else {
        return;
    };
    for entry in directory.entries().unwrap_or_default() {
        let Some(name) = entry.name.to_str() else {
            continue;
        };
        let (whole, is_old) = match (
            name.strip_suffix(".dpkg-new"),
            name.strip_suffix(".dpkg-tmp"),
        ) {
            (Some(whole), _) => (whole, false),
            (None, Some(whole)) => (whole, true),
            _ => continue,
        };
        if entry.kind == Kind::Directory {
            continue;
        }
        let file = path.join(whole);
        let new = path.join(format!("{whole}.dpkg-new"));
        found.files.push(Leftover {
            path: path.join(name).display().to_string(),
            is_old,
            beside: root.symlink_metadata(&file).is_ok(),
            new_waits: root.symlink_metadata(&new).is_ok(),
            size: directory.metadata(&entry.name).map_or(0, |meta| meta.size),
            owner: owner(owners, &file),
        });
    }
}

fn owner(owners: &Ownership, file: &Path) -> Option<String> {
    owners.owner_merged(file).map(str::to_owned)
}
