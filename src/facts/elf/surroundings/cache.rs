//! `/etc/ld.so.cache` against the directories that it stands for.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Around, KEPT_MAX};
use crate::facts::elf::ldconf;
use crate::facts::elf::problem::Problem;
use crate::facts::elf::search::{Outcome, Trail};
use crate::facts::elf::tokens::directory_of;

/// Most files of the configured directories that are looked into.
const FILES_MAX: usize = 5000;

/// The cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cache {
    /// Where it lies.
    pub path: String,
    /// It is not there at all, which is no fault by itself.
    pub absent: bool,
    /// Why the loader does not use it, or a part of it.
    pub trouble: Option<String>,
    /// Names that lead to nothing and that are found nowhere else.
    pub gone: Vec<Gone>,
    /// Libraries in configured directories that programs need and that only
    /// the cache could lead to.
    pub uncached: Vec<Uncached>,
}

/// An entry whose file is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gone {
    /// The name that programs ask for.
    pub name: String,
    /// Where it was.
    pub path: String,
    /// The package that ships it.
    pub owner: Option<String>,
    /// Programs that need it.
    pub users: Vec<String>,
}

/// A library that is there and is not found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Uncached {
    /// The name that programs ask for.
    pub name: String,
    /// Where it lies.
    pub path: String,
    /// Programs that need it.
    pub users: Vec<String>,
}

pub(super) fn collect(around: &Around<'_, '_>) -> Cache {
    let path = around.search.constants.cache.clone();
    let absent = around.search.files.root.symlink_metadata(&path).is_err();
    let trouble = around.loader.trouble_of(&path).filter(|_| !absent);
    let told: HashSet<&str> = around
        .pid1
        .problems
        .iter()
        .filter_map(|problem| match problem {
            Problem::LibraryMissing { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    Cache {
        gone: gone(around, &told),
        uncached: uncached(around, &told),
        path,
        absent,
        trouble,
    }
}

/// Entries whose file is gone, where that matters: a package says that it
/// ships the file, or a program needs it.
fn gone(around: &Around<'_, '_>, told: &HashSet<&str>) -> Vec<Gone> {
    let Some(cache) = around.search.cache else {
        return Vec::new();
    };
    let files = around.search.files;
    let mut names_in: HashMap<&str, Option<HashSet<String>>> = HashMap::new();
    let mut lost = BTreeSet::new();
    for (name, path) in cache.entries(around.search.machine) {
        let directory = directory_of(path);
        // A directory that is gone as a whole is no matter of the cache.
        let names = names_in.entry(directory).or_insert_with(|| {
            let names = || files.names_in(directory).iter().cloned().collect();
            files.is_directory(directory).then(names)
        });
        let file = path.rsplit('/').next().unwrap_or(path);
        let is_gone = names.as_ref().is_some_and(|names| !names.contains(file));
        if is_gone && !told.contains(name) && is_missing(around, name) {
            lost.insert((name, path));
        }
    }
    let lost = lost.into_iter().take(KEPT_MAX).map(|(name, path)| Gone {
        name: name.to_owned(),
        path: path.to_owned(),
        owner: around.owner(path),
        users: around.users.lacking(name),
    });
    lost.filter(|gone| gone.owner.is_some() || !gone.users.is_empty())
        .collect()
}

/// True when no search finds `name`.
fn is_missing(around: &Around<'_, '_>, name: &str) -> bool {
    let mut trail = Trail::default();
    let outcome = around.search.find(&around.asking, 0, name, &mut trail);
    matches!(outcome, Outcome::Missing)
}

/// Libraries in configured directories that programs need and do not find.
fn uncached(around: &Around<'_, '_>, told: &HashSet<&str>) -> Vec<Uncached> {
    let files = around.search.files;
    let mut seen = HashSet::new();
    let mut missing = BTreeSet::new();
    let mut looked_into = 0;
    for directory in ldconf::directories(files.root) {
        let Ok(resolved) = files.root.resolve(&directory) else {
            continue;
        };
        let real = resolved.path.to_string_lossy().into_owned();
        let in_it = format!("{real}/");
        let is_system = around.search.constants.system_dirs.iter().any(|dir| {
            let system = files.root.resolve(dir);
            system.is_ok_and(|system| system.path == resolved.path)
        });
        if is_system || !seen.insert(real) {
            continue;
        }
        for name in files.names_in(&directory).iter() {
            looked_into += 1;
            if !name.starts_with("lib") || !name.contains(".so") || looked_into > FILES_MAX {
                continue;
            }
            let path = format!("{in_it}{name}");
            let Ok(opened) = files.open(&path) else {
                continue;
            };
            let Ok(object) = opened.object.as_ref() else {
                continue;
            };
            let Some(soname) = &object.soname else {
                continue;
            };
            let is_wanted = object.machine == around.search.machine
                && !soname.contains('/')
                && !told.contains(soname.as_str());
            if is_wanted && is_missing(around, soname) {
                missing.insert((soname.clone(), opened.real_path.clone()));
            }
        }
    }
    let missing = missing.into_iter().take(KEPT_MAX);
    missing
        .map(|(name, path)| Uncached {
            users: around.users.lacking(&name),
            name,
            path,
        })
        .filter(|uncached| !uncached.users.is_empty())
        .collect()
}
