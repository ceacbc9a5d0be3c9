//! Forward or back: what each way takes, and which is the safer one.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::others::Listed;
use super::plan::{Progress, Step};
use super::releases::{self, Known};
use super::{NamedRelease, Standing};
use crate::facts::packages::apt::{Archive, Cache};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To the newer versions.
    Forward,
    /// To the older ones.
    Backward,
}

/// What a way takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Way {
    /// Packages to unpack.
    pub unpack: usize,
    /// Packages to configure only.
    pub configure: usize,
    /// Packages to remove.
    pub remove: usize,
    /// Of those to unpack, intact in apt's cache.
    pub cached: usize,
    /// Of those to unpack, in the cache and damaged: files.
    pub damaged: Vec<String>,
    /// Of those to unpack, not in the cache: `name version`.
    pub missing: Vec<String>,
    /// Of the missing and damaged ones, those that apt's indexes offer.
    pub offered: usize,
    /// Bytes to download of these.
    pub download: u64,
    /// Packages whose version on this way is not known.
    pub unknown: usize,
}

impl Way {
    /// True when nothing has to be downloaded.
    pub fn is_complete(&self) -> bool {
        self.damaged.is_empty() && self.missing.is_empty() && self.unknown == 0
    }

    /// Packages that change on this way.
    pub fn changes(&self) -> usize {
        self.unpack + self.configure + self.remove + self.unknown
    }

    fn need(&mut self, step: &Step, version: &str, cached: &Cached<'_>, listed: &Listed<'_>) {
        self.unpack += 1;
        match cached.get(&step.name, version, &step.architecture) {
            Some(archive) if archive.is_intact() => {
                self.cached += 1;
                return;
            }
            Some(archive) => self.damaged.push(archive.file.clone()),
            None => self.missing.push(format!("{} {version}", step.name)),
        }
        let offers = listed.offers(&step.name, &step.architecture);
        if let Some(offer) = offers.iter().find(|offer| offer.version == version) {
            self.offered += 1;
            self.download = self.download.saturating_add(offer.size);
        }
    }
}

impl fmt::Display for Way {
    /// What it takes, in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unpack, configure, remove) = (self.unpack, self.configure, self.remove);
        write!(
            f,
            "{unpack} to unpack, {configure} to configure, {remove} to remove"
        )?;
        if unpack > 0 {
            write!(f, "; {} of {unpack} in the cache", self.cached)?;
        }
        if !self.damaged.is_empty() {
            write!(f, ", {} damaged there", self.damaged.len())?;
        }
        if !self.missing.is_empty() {
            write!(f, ", {} missing", self.missing.len())?;
        }
        if self.download > 0 {
            let mib = self.download.div_ceil(1 << 20);
            write!(f, " (apt's index offers {}, {mib} MiB)", self.offered)?;
        }
        if self.unknown > 0 {
            write!(f, "; of {} the version is not known", self.unknown)?;
        }
        Ok(())
    }
}

/// Which way, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Advice {
    /// The safer way.
    pub direction: Direction,
    /// The way that changes fewer packages.
    pub nearer: Direction,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// The packages in the cache by what they are.
#[derive(Debug)]
pub(super) struct Cached<'a>(HashMap<(&'a str, &'a str), Vec<&'a Archive>>);

impl<'a> Cached<'a> {
    pub(super) fn of(cache: &'a Cache) -> Self {
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for archive in &cache.archives {
            let key = (archive.package.as_str(), archive.version.as_str());
            found.entry(key).or_default().push(archive);
        }
        Self(found)
    }

    fn get(&self, name: &str, version: &str, architecture: &str) -> Option<&'a Archive> {
        let mut found = self.0.get(&(name, version))?.iter();
        found
            .find(|a| a.architecture == architecture || a.architecture == "all")
            .copied()
    }
}

pub(super) fn forward(steps: &[Step], cached: &Cached<'_>, listed: &Listed<'_>) -> Way {
    let mut way = Way::default();
    for step in steps {
        match (step.progress, &step.new) {
            (Progress::Half | Progress::Untouched, Some(new)) if !new.is_empty() => {
                way.need(step, new, cached, listed);
            }
            (Progress::Half, _) | (Progress::Untouched, Some(_)) => way.unknown += 1,
            (Progress::Unpacked, _) => way.configure += 1,
            (Progress::ToRemove, _) => way.remove += 1,
            _ => {}
        }
    }
    way
}

pub(super) fn backward(steps: &[Step], cached: &Cached<'_>, listed: &Listed<'_>) -> Way {
    let mut way = Way::default();
    for step in steps {
        match (step.progress, &step.old, &step.new) {
            (Progress::Untouched | Progress::ToRemove, ..) => {}
            (_, Some(old), new) if Some(old) != new.as_ref() => {
                way.need(step, old, cached, listed);
            }
            // Half removed: which version it had is not known.
            (_, _, None) | (_, Some(_), _) => way.unknown += 1,
            // By the history it is new; by nothing else that can be told.
            (_, None, Some(_)) => way.remove += 1,
        }
    }
    way
}

/// Weighs them; nothing to do is no question.
pub(super) fn advise(
    standing: &Standing,
    steps: &[Step],
    from: Option<&'static Known>,
    to: Option<&'static Known>,
) -> Option<Advice> {
    let forward = standing.forward.as_ref()?;
    let backward = standing.backward.as_ref()?;
    if forward.changes() == 0 {
        return None;
    }
    let nearer = match backward.changes() < forward.changes() {
        true => Direction::Backward,
        false => Direction::Forward,
    };
    let mut reasons = Vec::new();
    let counts = &standing.counts;
    let begun = counts.done + counts.unpacked + counts.half + counts.removed;
    let mut direction = Direction::Forward;
    if begun == 0 {
        direction = Direction::Backward;
        reasons.push("no package has been changed yet".into());
    } else if let Some(version) = new_libc(steps, from, to) {
        reasons.push(format!(
            "libc6 is at {version} already, and what was built for it does not run with an older one"
        ));
    } else {
        reasons.push("packages are made to be upgraded, not to be downgraded".into());
    }
    let (way, name) = match direction {
        Direction::Forward => (forward, standing.to.as_ref()),
        Direction::Backward => (backward, standing.from.as_ref()),
    };
    reasons.extend(supply(way, name));
    Some(Advice {
        direction,
        nearer,
        reasons,
    })
}

/// The version of a C library that has been changed already.
fn new_libc(
    steps: &[Step],
    from: Option<&'static Known>,
    to: Option<&'static Known>,
) -> Option<String> {
    let step = steps.iter().find(|step| step.name == "libc6")?;
    let there = matches!(
        step.progress,
        Progress::Done | Progress::Unpacked | Progress::Half
    );
    let new = step.new.clone().filter(|_| there)?;
    let same = |a: &str, b: &str| a.split('-').next() == b.split('-').next();
    let older = match &step.old {
        Some(old) => !same(old, &new),
        None => {
            let release = to.and_then(|to| releases::by_libc(to.family, &new));
            release.is_some() && from != to && release == to
        }
    };
    older.then_some(new)
}

/// Where the packages come from.
fn supply(way: &Way, release: Option<&NamedRelease>) -> Vec<String> {
    let mut said = Vec::new();
    if way.unpack == 0 && way.unknown == 0 {
        return said;
    }
    if way.is_complete() {
        said.push(format!(
            "all {} packages to unpack are in the cache, intact",
            way.unpack
        ));
        return said;
    }
    let lacking = way.missing.len() + way.damaged.len();
    said.push(format!(
        "{} of {} packages to unpack are in the cache, {lacking} must come from a mirror",
        way.cached, way.unpack
    ));
    if let Some(release) = release
        && let Some(host) = &release.old_archive
    {
        said.push(format!(
            "{} is out of support, mirrors drop it: take it from {host}",
            release.label()
        ));
    }
    said
}
