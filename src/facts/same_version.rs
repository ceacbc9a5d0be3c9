//! Packages that are at hand in exactly the version that is installed, of those
//! with damaged files: single files can be taken out of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Tree;
use super::elf::Problem;
use super::integrity::{self, Damage, Damaged, PackageDamage};
use super::packages::{Dpkg, Ownership, Package, Packages};
use super::toolbox::{AtHand, supply};
use crate::sys::root_dir::RootDir;

/// The most packages that are looked for.
const PACKAGES_MAX: usize = 500;

/// What is damaged, and what it can be brought back from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SameVersion {
    /// Damage of files that a finding names, and that was not met where the
    /// files of packages were compared: not all of them are read there. Programs
    /// that lost their execute bit are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_fault: Vec<PackageDamage>,
    /// Packages at hand, each in the version that is installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_hand: Vec<AtHand>,
}

impl SameVersion {
    /// Looks again: apt's cache, and `folders` of the rescue system.
    pub(super) fn look_around(
        &mut self,
        root: &RootDir,
        dpkg: &Dpkg,
        damaged: &[PackageDamage],
        folders: &[&Path],
    ) {
        let all = damaged.iter().chain(&self.at_fault);
        let labels: BTreeSet<&str> = all.map(|package| package.package.as_str()).collect();
        let installed = labels.into_iter().filter_map(|label| dpkg.labelled(label));
        let installed: Vec<&Package> = installed.take(PACKAGES_MAX).collect();
        self.at_hand = match installed.is_empty() {
            true => Vec::new(),
            false => supply::exactly(root, dpkg, &installed, folders),
        };
    }
}

/// Compares what the programs of the tree cannot load, and looks for packages.
pub(super) fn collect(root: &RootDir, owners: &Ownership, tree: &Tree) -> SameVersion {
    let Packages::Dpkg(dpkg) = &tree.packages else {
        return SameVersion::default();
    };
    let damaged = &tree.integrity.damaged;
    let known: BTreeSet<&str> = damaged
        .iter()
        .flat_map(|package| package.files.iter().map(|file| file.path.as_str()))
        .collect();
    let mut names = BTreeSet::new();
    let mut paths = Vec::new();
    for path in culprits(tree) {
        let real = root.resolve(path).ok();
        let real = real.and_then(|found| found.path.to_str().map(str::to_owned));
        for path in [Some(path.to_owned()), real].into_iter().flatten() {
            let owner = owners.owner_merged(Path::new(&path));
            if let Some(owner) = owner.filter(|_| !known.contains(path.as_str())) {
                names.insert(owner.to_owned());
                paths.push(path);
            }
        }
    }
    let names: Vec<String> = names.into_iter().take(PACKAGES_MAX).collect();
    let mut found = SameVersion::default();
    if !names.is_empty() {
        found.at_fault = integrity::at_fault(root, &names, &paths);
        for package in &mut found.at_fault {
            let files = &mut package.files;
            files.retain(|file| !known.contains(file.path.as_str()));
            files.retain(|file| !matches!(file.damage, Damage::Missing { .. }));
            package.more = 0;
        }
        found.at_fault.retain(|package| !package.files.is_empty());
    }
    found
        .at_fault
        .extend(not_executable(root, owners, tree, dpkg));
    found.look_around(root, dpkg, damaged, &[]);
    found
}

/// Programs that lost their execute bit, as their packages spell them.
fn not_executable(
    root: &RootDir,
    owners: &Ownership,
    tree: &Tree,
    dpkg: &Dpkg,
) -> Vec<PackageDamage> {
    let lost = problems(tree).filter_map(|problem| match problem {
        Problem::NotExecutable { path } => Some(path.as_str()),
        _ => None,
    });
    let mut found: BTreeMap<&str, PackageDamage> = BTreeMap::new();
    for path in lost.collect::<BTreeSet<&str>>() {
        let inside = path.strip_prefix("/usr").unwrap_or(path);
        let spellings = [path.to_owned(), inside.to_owned(), format!("/usr{path}")];
        let owned = spellings.into_iter().find_map(|spelled| {
            let name = owners.owner(Path::new(&spelled))?;
            Some((dpkg.labelled(name)?, spelled))
        });
        let Some((package, path)) = owned else {
            continue;
        };
        let of_package = found.entry(&package.name).or_insert(PackageDamage {
            package: package.name.clone(),
            version: package.version.clone(),
            state: package.state,
            files: Vec::new(),
            more: 0,
        });
        of_package.files.push(Damaged {
            size: root.metadata(&path).map_or(0, |meta| meta.size),
            path,
            damage: Damage::Changed,
            is_conffile: false,
            is_diverted: false,
            has_sum: true,
            is_critical: true,
        });
    }
    found.into_values().collect()
}

/// What keeps programs from starting.
fn problems(tree: &Tree) -> impl Iterator<Item = &Problem> {
    let tools = tree.toolbox.broken.iter().map(|tool| &tool.problem);
    let outside = tree.outside.broken.iter().map(|broken| &broken.problem);
    let programs = tree.critical.programs.iter();
    let faults = programs.flat_map(|program| program.faults.iter().map(|fault| &fault.problem));
    let first = tree.init.best_closure().problems.iter();
    let problems = first.chain(faults).chain(outside).chain(tools);
    problems.filter(|problem| problem.is_fatal())
}

/// The files that something cannot load, or that the boot loader cannot start.
fn culprits(tree: &Tree) -> BTreeSet<&str> {
    let kernels = tree.kernels.kernels.iter();
    let kernels = kernels.filter(|kernel| kernel.fault.is_some() || !kernel.whole);
    problems(tree)
        .map(|problem| problem.culprit())
        .chain(kernels.map(|kernel| kernel.image.as_str()))
        .chain(tree.surroundings.empty.iter().map(String::as_str))
        .filter(|path| path.starts_with('/'))
        .collect()
}
