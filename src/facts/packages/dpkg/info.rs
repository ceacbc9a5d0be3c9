//! `/var/lib/dpkg/info`: which of its files are there, and directories beside
//! it that hold what is missing in it.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::status::Package;
use crate::sys::root_dir::{Kind, RootDir};

/// Names that are kept of each kind.
const NAMES_MAX: usize = 1000;

/// Directories beside it that are looked into.
const SIBLINGS_MAX: usize = 50;

/// Scripts of which a size of 0 is looked for (deb-preinst(5) and its like).
const SCRIPTS: [&str; 4] = [".preinst", ".postinst", ".prerm", ".postrm"];

/// What is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Info {
    /// Where it lies.
    pub path: String,
    /// Lists of files in it.
    pub lists: usize,
    /// Packages on disk.
    pub on_disk: usize,
    /// Of those, the ones without a list, by the name of the list.
    pub without_list: Vec<String>,
    /// Directories beside it that hold lists as well, the fullest first.
    pub siblings: Vec<Sibling>,
    /// Maintainer scripts of no length.
    pub empty_scripts: Vec<String>,
    /// Files that dpkg had begun to put there.
    pub begun: Vec<String>,
}

/// A directory such as `info.bak`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sibling {
    /// Where it lies.
    pub path: String,
    /// Lists of files in it.
    pub lists: usize,
    /// Of those, the ones that are missing in `info` and whose package is on
    /// the disk.
    pub missing: usize,
}

impl Info {
    /// True when it lacks far more lists than an accident with one package
    /// takes away.
    pub fn is_emptied(&self) -> bool {
        self.without_list.len() > self.on_disk / 10 + 3
    }
}

/// The names of the lists in a directory, without their ending.
pub(super) fn lists(root: &RootDir, folder: &Path) -> BTreeSet<String> {
    let entries = root.read_dir(folder).unwrap_or_default();
    let names = entries.iter().filter(|entry| entry.kind == Kind::File);
    names
        .filter_map(|entry| Some(entry.name.to_str()?.strip_suffix(".list")?.to_owned()))
        .collect()
}

/// Whether the list of a package is there. dpkg before 1.16 wrote all of them
/// without the architecture.
pub(super) fn has_list(lists: &BTreeSet<String>, package: &Package) -> bool {
    lists.contains(&package.info_stem()) || lists.contains(&package.name)
}

pub(super) fn collect(
    root: &RootDir,
    home: &Path,
    lists: &BTreeSet<String>,
    packages: &[Package],
) -> Info {
    let folder = home.join("info");
    // dpkg writes the list when the unpacking is done.
    let unpacked = |p: &&Package| p.on_disk() && p.state != super::State::HalfInstalled;
    let on_disk: Vec<&Package> = packages.iter().filter(unpacked).collect();
    let lacking = on_disk.iter().filter(|package| !has_list(lists, package));
    let mut info = Info {
        path: folder.display().to_string(),
        lists: lists.len(),
        on_disk: on_disk.len(),
        without_list: lacking.map(|package| package.info_stem()).collect(),
        ..Info::default()
    };
    scripts(root, &folder, &mut info);
    if !info.without_list.is_empty() {
        info.siblings = siblings(root, home, &info.without_list);
    }
    info.without_list.truncate(NAMES_MAX);
    info
}

fn scripts(root: &RootDir, folder: &Path, info: &mut Info) {
    let Ok(mut directory) = root.directory(folder) else {
        return;
    };
    for entry in directory.entries().unwrap_or_default() {
        let name = entry.name.to_string_lossy();
        let path = folder.join(&entry.name).display().to_string();
        if name.ends_with(".dpkg-new") || name.ends_with(".dpkg-tmp") {
            info.begun.push(path);
        } else if SCRIPTS.iter().any(|ending| name.ends_with(ending)) {
            let meta = directory.metadata(&entry.name);
            if meta.is_ok_and(|meta| meta.kind == Kind::File && meta.size == 0) {
                info.empty_scripts.push(path);
            }
        }
    }
    for names in [&mut info.begun, &mut info.empty_scripts] {
        names.sort();
        names.truncate(NAMES_MAX);
    }
}

/// `info.bak`, `info_old`, `info.2024`, ... whatever it is called: a directory
/// of lists.
fn siblings(root: &RootDir, home: &Path, missing: &[String]) -> Vec<Sibling> {
    let entries = root.read_dir(home).unwrap_or_default();
    let folders = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Directory && entry.name != "info")
        .take(SIBLINGS_MAX);
    let mut siblings: Vec<Sibling> = folders
        .map(|entry| {
            let path = home.join(&entry.name);
            let there = lists(root, &path);
            Sibling {
                path: path.display().to_string(),
                lists: there.len(),
                missing: missing.iter().filter(|m| there.contains(*m)).count(),
            }
        })
        .filter(|sibling| sibling.missing > 0)
        .collect();
    siblings.sort_by_key(|sibling| std::cmp::Reverse(sibling.missing));
    siblings
}
