//! What the last run of apt was to change, and how far each package is.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::others::Listed;
use crate::facts::packages::dpkg::{Dpkg, Package, State};
use crate::facts::packages::history::Run;
use crate::facts::packages::version;

/// What the counts go by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Nothing tells what was to be done.
    #[default]
    None,
    /// apt's history of the run that failed.
    History,
    /// apt's indexes of the newer release.
    Lists,
}

/// How far a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Cut off in the middle.
    Half,
    /// At its new version, not configured.
    Unpacked,
    /// At its old version, or not there yet.
    Untouched,
    /// To be removed, and still there.
    ToRemove,
    /// Removed as it was to be.
    Removed,
    /// At its new version and configured.
    Done,
}

/// One package that is to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its architecture, as apt names it.
    pub architecture: String,
    /// The version before; none: it was not there, or is not known.
    pub old: Option<String>,
    /// The version after; none: it is to be removed.
    pub new: Option<String>,
    /// How far it is.
    pub progress: Progress,
    /// What apt's indexes offer: `trixie 2.41-12`. Of what is done, nothing.
    pub offered: Vec<String>,
}

/// How many packages are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// To be upgraded or installed.
    pub planned: usize,
    /// Of those, at their new version and configured.
    pub done: usize,
    /// Of those, at their new version, not configured.
    pub unpacked: usize,
    /// Of those, cut off in the middle.
    pub half: usize,
    /// Of those, not begun.
    pub untouched: usize,
    /// To be removed, and still there.
    pub to_remove: usize,
    /// Removed.
    pub removed: usize,
}

impl Counts {
    pub(super) fn of(steps: &[Step]) -> Self {
        let count = |progress: Progress| steps.iter().filter(|s| s.progress == progress).count();
        Self {
            planned: steps.iter().filter(|step| step.new.is_some()).count(),
            done: count(Progress::Done),
            unpacked: count(Progress::Unpacked),
            half: count(Progress::Half),
            untouched: count(Progress::Untouched),
            to_remove: count(Progress::ToRemove),
            removed: count(Progress::Removed),
        }
    }
}

/// What is to become of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// What the runs that failed were to do, by name and architecture.
#[derive(Debug, Default)]
pub(super) struct Plan(BTreeMap<(String, String), Change>);

impl Plan {
    /// Takes the last runs together as far back as they failed: after the one
    /// that was cut off, people try again.
    pub(super) fn of(runs: &[Run]) -> Self {
        let failed = runs.iter().rev().take_while(|run| !run.ended || run.failed);
        let mut failed: Vec<&Run> = failed.collect();
        failed.reverse();
        let mut plan = Self::default();
        for item in failed.iter().flat_map(|run| &run.items) {
            let key = (item.name.clone(), item.architecture.clone());
            let change = plan.0.entry(key).or_insert_with(|| Change {
                old: item.old.clone(),
                new: None,
            });
            change.new.clone_from(&item.new);
        }
        plan
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is to become of the package of this name.
    pub(super) fn change(&self, name: &str) -> Option<&Change> {
        let mut found = self.0.iter().filter(|((known, _), _)| known == name);
        found.next().map(|(_, change)| change)
    }
}

/// How far each package is: by the plan, or by what the newer release has.
pub(super) fn steps(
    dpkg: &Dpkg,
    plan: &Plan,
    listed: &Listed<'_>,
    crosses: bool,
) -> (Basis, Vec<Step>) {
    let mut steps = if !plan.is_empty() {
        by_plan(dpkg, plan)
    } else if crosses {
        by_lists(dpkg, listed)
    } else {
        Vec::new()
    };
    let basis = match (plan.is_empty(), steps.is_empty()) {
        (false, _) => Basis::History,
        (true, false) => Basis::Lists,
        (true, true) => Basis::None,
    };
    // Unfinished packages that nothing else speaks of.
    let known: HashSet<(String, String)> = steps
        .iter()
        .map(|step| (step.name.clone(), step.architecture.clone()))
        .collect();
    let names: HashSet<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    for package in dpkg.packages.iter().filter(|p| p.unfinished()) {
        let is_known = match package.architecture.as_str() {
            "all" => names.contains(package.name.as_str()),
            _ => known.contains(&(package.name.clone(), package.architecture.clone())),
        };
        if !is_known {
            let progress = progress(Some(package), Some(&package.version));
            let new = match progress {
                Progress::Half => half(dpkg, package),
                _ => &package.version,
            };
            steps.push(Step {
                name: package.name.clone(),
                architecture: package.architecture.clone(),
                old: package.configured.clone(),
                new: Some(new.to_owned()),
                progress,
                offered: Vec::new(),
            });
        }
    }
    for step in &mut steps {
        if !matches!(step.progress, Progress::Done | Progress::Removed) {
            step.offered = listed.named(&step.name, &step.architecture);
        }
    }
    steps.sort_by(|a, b| {
        a.progress
            .cmp(&b.progress)
            .then_with(|| a.name.cmp(&b.name))
    });
    (basis, steps)
}

/// While a package is unpacked dpkg names its old version. Without a plan, the
/// newest that was downloaded is what it was unpacking.
fn half<'a>(dpkg: &'a Dpkg, package: &'a Package) -> &'a str {
    let archives = dpkg.apt.cache.archives.iter();
    let same = archives.filter(|archive| archive.package == package.name);
    same.map(|archive| archive.version.as_str())
        .chain([package.version.as_str()])
        .max_by(|a, b| version::compare(a, b))
        .unwrap_or(&package.version)
}

fn by_plan(dpkg: &Dpkg, plan: &Plan) -> Vec<Step> {
    let by_name: HashMap<(&str, &str), &Package> = dpkg
        .packages
        .iter()
        .map(|p| ((p.name.as_str(), p.architecture.as_str()), p))
        .collect();
    let steps = plan.0.iter().map(|((name, architecture), change)| {
        // apt's history names the machine's architecture for `all`.
        let package = by_name
            .get(&(name.as_str(), architecture.as_str()))
            .or_else(|| by_name.get(&(name.as_str(), "all")));
        Step {
            name: name.clone(),
            architecture: architecture.clone(),
            old: change.old.clone(),
            new: change.new.clone(),
            progress: progress(package.copied(), change.new.as_deref()),
            offered: Vec::new(),
        }
    });
    steps.collect()
}

fn progress(package: Option<&Package>, new: Option<&str>) -> Progress {
    let package = package.filter(|p| p.on_disk());
    match (package, new) {
        (Some(p), _) if p.state == State::HalfInstalled || p.broken => Progress::Half,
        (Some(_), None) => Progress::ToRemove,
        (None, None) => Progress::Removed,
        (None, Some(_)) => Progress::Untouched,
        (Some(p), Some(new)) if p.version != new => match p.state {
            // Upgraded beyond the plan by an earlier or later run.
            State::Installed if version::compare(&p.version, new).is_gt() => Progress::Done,
            _ => Progress::Untouched,
        },
        (Some(p), Some(_)) if p.unfinished() => Progress::Unpacked,
        (Some(_), Some(_)) => Progress::Done,
    }
}

/// Every package on disk that the newer release has, too.
fn by_lists(dpkg: &Dpkg, listed: &Listed<'_>) -> Vec<Step> {
    let on_disk = dpkg.packages.iter().filter(|p| p.on_disk());
    let steps = on_disk.filter_map(|package| {
        let newest = listed.newest(package)?;
        let there = listed.is_of_release(package);
        let step = |new: &str, progress| Step {
            name: package.name.clone(),
            architecture: package.architecture.clone(),
            old: match progress {
                Progress::Untouched => Some(package.version.clone()),
                _ => package.configured.clone(),
            },
            new: Some(new.to_owned()),
            progress,
            offered: Vec::new(),
        };
        Some(match there {
            // A held package stays where it is on purpose.
            false if listed.is_kept(package) => return None,
            // Cut off while its successor was unpacked, dpkg names the old one.
            false => step(newest, progress(Some(package), Some(newest))),
            true => step(
                &package.version,
                progress(Some(package), Some(&package.version)),
            ),
        })
    });
    steps.collect()
}
