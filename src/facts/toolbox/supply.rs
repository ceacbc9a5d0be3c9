//! Packages that could be unpacked: in apt's cache, and in folders that the
//! operator named; among these is what was fetched over the network. Another
//! member of a mirror would be a further place here.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::fetched::{self, Fetched};
use crate::facts::packages::apt::archives::Archive;
use crate::facts::packages::apt::{Offers, lists};
use crate::facts::packages::deb::{Control, Deb, Fault};
use crate::facts::packages::dpkg::{self, Dpkg, Package};
use crate::facts::packages::{control, relations};
use crate::facts::sha256_sum;
use crate::sys::root_dir::{Kind, RootDir};

/// The most packages of one folder that are looked at.
const ARCHIVES_MAX: usize = 20_000;

/// The most bytes of one of these fields.
const FIELD_MAX: usize = 64 << 10;

/// What a package asks of others, as its fields say it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Relations {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// `Pre-Depends` and `Depends`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub depends: String,
    /// The first of these alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pre_depends: String,
    /// `Provides`
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provides: String,
    /// `Breaks`
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub breaks: String,
    /// `Conflicts`
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub conflicts: String,
}

/// A package that is there as a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AtHand {
    /// What it is and asks for.
    pub relations: Relations,
    /// The folder of the rescue system; none: the patient's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The file, in that folder or in the patient.
    pub file: String,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// True when it has the digest that apt's index tells.
    pub checked: bool,
    /// How it came into its folder, where Lifeboot fetched it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Fetched>,
}

impl AtHand {
    /// Where it lies, in a message.
    pub fn place(&self) -> String {
        match &self.folder {
            Some(folder) => format!("{folder}/{}", self.file),
            None => self.file.clone(),
        }
    }
}

impl Relations {
    /// Of a stanza of `status`, of an index, or of a package's own.
    pub fn of(stanza: &[u8]) -> Self {
        let text = |name: &str| {
            let value = control::field(stanza, name).unwrap_or_default();
            let value = value.get(..FIELD_MAX).unwrap_or(value);
            let value = String::from_utf8_lossy(value).into_owned();
            // A field of several lines says the same in one.
            value.replace(['\n', '\t'], " ")
        };
        let pre_depends = text("Pre-Depends");
        let depends = match (pre_depends.as_str(), text("Depends")) {
            ("", depends) => depends,
            (before, depends) if depends.is_empty() => before.to_owned(),
            (before, depends) => format!("{before}, {depends}"),
        };
        Self {
            name: text("Package"),
            architecture: text("Architecture"),
            version: text("Version"),
            provides: text("Provides"),
            breaks: text("Breaks"),
            conflicts: text("Conflicts"),
            depends,
            pre_depends,
        }
    }

    /// `libc6 2.41-12 (amd64)`
    pub fn label(&self) -> String {
        label(&self.name, &self.version, &self.architecture)
    }

    /// True when it is what is installed, in exactly that version.
    pub fn is(&self, package: &Package) -> bool {
        (&self.name, &self.version, &self.architecture)
            == (&package.name, &package.version, &package.architecture)
    }
}

/// `libc6 2.41-12 (amd64)`
pub fn label(name: &str, version: &str, architecture: &str) -> String {
    format!("{name} {version} ({architecture})")
}

/// What the packages on disk ask for, and the packages at hand; of both only
/// what the packages called `wanted` need, directly or through others.
pub(super) fn collect(
    root: &RootDir,
    dpkg: &Dpkg,
    wanted: &[String],
    folders: &[&Path],
    offered: Vec<AtHand>,
) -> (Vec<Relations>, Vec<AtHand>) {
    let mut found = offered;
    for archive in &dpkg.apt.cache.archives {
        found.extend(open(root, archive, None));
    }
    let roots = in_folders(folders, &mut found);
    let mut installed = dpkg::relations(root, Relations::of);
    let reached = reached(wanted, &installed, &found);
    installed.retain(|one| reached.contains(&one.name));
    found.retain(|one| reached.contains(&one.relations.name));
    compare_all(root, dpkg, &mut found, &roots);
    (installed, found)
}

/// Sets each package against apt's index.
fn compare_all(
    root: &RootDir,
    dpkg: &Dpkg,
    found: &mut [AtHand],
    roots: &HashMap<String, RootDir>,
) {
    let mut indexes = dpkg.apt.indexes.clone();
    let names: HashSet<&[u8]> = found
        .iter()
        .map(|one| one.relations.name.as_bytes())
        .collect();
    let offers = lists::read(root, &mut indexes, &names);
    for archive in found.iter_mut().filter(|archive| archive.fault.is_none()) {
        let place = match &archive.folder {
            Some(folder) => roots.get(folder),
            None => Some(root),
        };
        if let Some(place) = place {
            compare(place, archive, &offers);
        }
    }
}

/// Of these packages, those that are at hand in exactly the installed version.
pub(in crate::facts) fn exactly(
    root: &RootDir,
    dpkg: &Dpkg,
    wanted: &[&Package],
    folders: &[&Path],
) -> Vec<AtHand> {
    let mut found = Vec::new();
    for archive in &dpkg.apt.cache.archives {
        let named = |one: &&&Package| one.name == archive.package && one.version == archive.version;
        if wanted.iter().any(|one| named(&one)) {
            found.extend(open(root, archive, None));
        }
    }
    let roots = in_folders(folders, &mut found);
    found.retain(|archive| wanted.iter().any(|own| archive.relations.is(own)));
    compare_all(root, dpkg, &mut found, &roots);
    found
}

/// Adds the packages of these folders; the folders, by their names.
fn in_folders(folders: &[&Path], found: &mut Vec<AtHand>) -> HashMap<String, RootDir> {
    let mut roots = HashMap::new();
    for folder in folders {
        let shown = folder.display().to_string();
        if let Ok(opened) = RootDir::open(*folder) {
            found.extend(in_folder(&opened, &shown));
            roots.insert(shown, opened);
        }
    }
    roots
}

/// The packages of a folder.
fn in_folder(folder: &RootDir, shown: &str) -> Vec<AtHand> {
    let entries = folder.read_dir("/").unwrap_or_default();
    let noted = fetched::noted(folder);
    let names = entries
        .iter()
        .filter(|entry| entry.kind == Kind::File)
        .filter_map(|entry| entry.name.to_str())
        .filter(|name| name.ends_with(".deb"));
    let found = names.take(ARCHIVES_MAX).filter_map(|name| {
        let file = format!("/{name}");
        let size = folder.metadata(&file).ok()?.size;
        let archive = Archive {
            file,
            size,
            ..Archive::default()
        };
        let mut found = open(folder, &archive, Some(shown))?;
        found.fetched = noted.iter().find(|one| one.file == name).cloned();
        Some(found)
    });
    found.collect()
}

/// What a package says of itself. One that cannot be read is told by its name,
/// where the cache has it by one.
fn open(place: &RootDir, archive: &Archive, folder: Option<&str>) -> Option<AtHand> {
    let read = || -> Result<Control, Fault> {
        let file = place.open_file(&archive.file)?;
        Deb::open(file, archive.size)?.control()
    };
    let (relations, fault) = match read() {
        Ok(control) => (Relations::of(&control.text), archive.fault.clone()),
        Err(_) if archive.package.is_empty() => return None,
        Err(fault) => {
            let relations = Relations {
                name: archive.package.clone(),
                version: archive.version.clone(),
                architecture: archive.architecture.clone(),
                ..Relations::default()
            };
            (relations, Some(fault))
        }
    };
    Some(AtHand {
        relations,
        folder: folder.map(str::to_owned),
        file: match folder {
            Some(_) => archive.file.trim_start_matches('/').to_owned(),
            None => archive.file.clone(),
        },
        fault,
        checked: false,
        fetched: None,
    })
}

/// Sets size and digest of a package against apt's index, where that knows it.
fn compare(place: &RootDir, archive: &mut AtHand, offers: &Offers) {
    let one = &archive.relations;
    let key = (one.name.clone(), one.architecture.clone());
    let known = offers.get(&key);
    let known = known.and_then(|all| all.iter().find(|o| o.version == one.version));
    let known = known.filter(|known| known.sha256.len() == 64);
    if known.is_none() && archive.fetched.is_none() {
        return;
    }
    let damaged = |what: &str| Some(Fault::Damaged(what.to_owned()));
    match place.open_file(&archive.file).and_then(sha256_sum::of) {
        Ok(found) => {
            let is = |digest: &str| found.eq_ignore_ascii_case(digest);
            let fetched = archive.fetched.as_ref();
            if known.is_some_and(|known| !is(&known.sha256)) {
                archive.fault = damaged("its digest is not the one in apt's index");
            } else if fetched.is_some_and(|fetched| !is(&fetched.sha256)) {
                archive.fault = damaged("its digest is not the one that was fetched");
            }
            archive.checked = known.is_some() && archive.fault.is_none();
        }
        Err(error) => archive.fault = Some(error.into()),
    }
}

/// The names that are met on the way from `wanted` through dependencies, those
/// that only are provided included.
fn reached(wanted: &[String], installed: &[Relations], at_hand: &[AtHand]) -> BTreeSet<String> {
    let all = || at_hand.iter().map(|one| &one.relations).chain(installed);
    let mut by_name: HashMap<&str, Vec<&Relations>> = HashMap::new();
    for one in all() {
        by_name.entry(&one.name).or_default().push(one);
        for (name, _) in relations::provided(&one.provides) {
            by_name.entry(name).or_default().push(one);
        }
    }
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut next: Vec<&str> = wanted.iter().map(String::as_str).collect();
    while let Some(name) = next.pop() {
        if !reached.insert(name.to_owned()) {
            continue;
        }
        for one in by_name.get(name).into_iter().flatten() {
            next.push(&one.name);
            let groups = relations::groups(&one.depends);
            next.extend(groups.flatten().map(|relation| relation.name));
        }
    }
    reached
}
