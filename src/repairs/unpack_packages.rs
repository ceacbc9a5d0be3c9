//! Unpacks packages by Lifeboot itself where dpkg of the patient cannot run,
//! and lets it configure them then.

use super::closed_set::{self, Lacking};
use super::{Kind, Outline, Program, Risk, cost, restore_package_files};
use crate::facts::packages::Packages;
use crate::facts::toolbox::supply::label;
use crate::facts::toolbox::{AtHand, Fetched};
use crate::facts::{Facts, Tree};
use crate::finding::Finding;

use std::collections::BTreeSet;

use serde::Serialize;

pub(super) const KIND: Kind = Kind {
    name: "unpack-packages",
    removes: &["packages/dpkg-cannot-run"],
    plan,
};

/// A package to be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unpack {
    /// Its name.
    pub package: String,
    /// Its architecture.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// The folder of the rescue system; none: the file is the patient's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The file.
    pub file: String,
    /// True when it has the digest that apt's index tells.
    pub checked: bool,
    /// Only these of its files, by where they lie, and nothing of dpkg's
    /// database; empty: the whole package.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// How it came into its folder, where Lifeboot fetched it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Fetched>,
}

impl Unpack {
    pub(super) fn of(archive: &AtHand) -> Self {
        Self {
            package: archive.relations.name.clone(),
            architecture: archive.relations.architecture.clone(),
            version: archive.relations.version.clone(),
            folder: archive.folder.clone(),
            file: archive.file.clone(),
            checked: archive.checked,
            files: Vec::new(),
            fetched: archive.fetched.clone(),
        }
    }

    /// True when both are taken from the same file.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.folder, &self.file) == (&other.folder, &other.file)
    }

    /// Takes what `other` takes as well; the whole package has all its files.
    pub(super) fn add(&mut self, other: &Self) {
        if self.files.is_empty() || other.files.is_empty() {
            self.files.clear();
            return;
        }
        self.files.extend_from_slice(&other.files);
        self.files.sort_unstable();
        self.files.dedup();
    }

    /// `libc6 2.41-12 (amd64)`
    pub fn label(&self) -> String {
        label(&self.package, &self.version, &self.architecture)
    }

    /// Where it is taken from.
    pub fn place(&self) -> String {
        match &self.folder {
            Some(folder) => format!("{folder}/{}", self.file),
            None => format!("{} of the patient", self.file),
        }
    }
}

/// True when dpkg cannot run and nothing can be done about it.
pub(super) fn is_out_of_reach(tree: &Tree) -> bool {
    let Packages::Dpkg(dpkg) = &tree.packages else {
        return false;
    };
    !tree.toolbox.broken.is_empty() && closed_set::choose(&tree.toolbox, dpkg).is_err()
}

/// The names of the packages that are unpacked as a whole.
pub(super) fn names(tree: &Tree) -> BTreeSet<&str> {
    let Packages::Dpkg(dpkg) = &tree.packages else {
        return BTreeSet::new();
    };
    let set = match tree.toolbox.broken.is_empty() || !dpkg.faults.is_empty() {
        true => Vec::new(),
        false => closed_set::choose(&tree.toolbox, dpkg).unwrap_or_default(),
    };
    let names = set.iter().map(|archive| archive.relations.name.as_str());
    names.collect()
}

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let tree = facts.tree.as_ref()?;
    let Packages::Dpkg(dpkg) = &tree.packages else {
        return None;
    };
    // A damaged database is brought back first.
    if !dpkg.faults.is_empty() || restore_package_files::mends_dpkg(tree) {
        return None;
    }
    let mut outline = Outline {
        risk: Risk::Medium,
        minutes: cost::unpacked(1),
        ..Outline::default()
    };
    match closed_set::choose(&tree.toolbox, dpkg) {
        Ok(set) => {
            outline.unpack = set.iter().map(|archive| Unpack::of(archive)).collect();
            outline.minutes = cost::unpacked(set.len());
            outline.title = match outline.unpack.as_slice() {
                [one] => format!("unpack {} and let dpkg configure it", one.label()),
                several => format!(
                    "unpack {} packages and let dpkg configure them",
                    several.len()
                ),
            };
            let configure = super::finish_packages::configure();
            outline.programs.push(match dpkg.is_interrupted() {
                // The rest of the upgrade is another repair's matter.
                true => Program {
                    may_fail: true,
                    ..configure
                },
                false => configure,
            });
        }
        Err(lacking) => {
            outline.title = "unpack what dpkg needs".to_owned();
            let network = "lifeboot repair --network (lifeboot fetch DIR only fetches)";
            outline.refused = Some(why(&lacking, network));
        }
    }
    Some(outline)
}

/// What is lacking, and how to get it; `network` is the way with a network.
pub(super) fn why(lacking: &Lacking, network: &str) -> String {
    let Lacking { packages, damaged } = lacking;
    let mut said = format!("no intact package is at hand of {}", packages.join(", "));
    if !damaged.is_empty() {
        said += &format!("; not usable: {}", damaged.join("; "));
    }
    said + ". With a network: "
        + network
        + ". Without one: fetch them on another machine (apt-get download NAME=VERSION, or \
           packages.debian.org) and run lifeboot repair --packages DIR, where DIR has the files"
}
