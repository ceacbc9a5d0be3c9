//! The programs without which dpkg of the patient can do nothing: whether they
//! start, and, where one does not, what is at hand to bring them back.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::critical::package;
use super::elf::{Closure, Loader, Problem, SEARCH_PATH};
use super::layout::{Expected, Layout};
use super::packages::{Dpkg, Ownership, Packages};
use crate::sys::root_dir::RootDir;

pub mod fetched;
pub mod supply;

pub use fetched::Fetched;
pub use supply::{AtHand, Relations};

/// What dpkg asks for before it begins (`checkpath` in its src/main/main.c), and
/// its own parts; what nearly every maintainer script uses; perl, in which
/// debconf is written; and apt.
const TOOLS: [&str; 22] = [
    "sh",
    "dpkg",
    "dpkg-deb",
    "dpkg-split",
    "dpkg-query",
    "dpkg-trigger",
    "dpkg-divert",
    "tar",
    "rm",
    "ldconfig",
    "start-stop-daemon",
    "update-alternatives",
    "cat",
    "cp",
    "mv",
    "mkdir",
    "ln",
    "chmod",
    "sed",
    "grep",
    "perl",
    "apt-get",
];

/// One of them that does not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BrokenTool {
    /// Where it lies, or would lie.
    pub path: String,
    /// The first thing that keeps it from starting.
    pub problem: Problem,
    /// The package of the file at fault.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package: Option<String>,
    /// The package of the file that needs that one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asking: Option<String>,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Toolbox {
    /// Those that do not start.
    pub broken: Vec<BrokenTool>,
    /// The packages that own what they all load. These and all below are told
    /// only where something is broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Of the packages at hand and on disk that matter, what they ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub installed: Vec<Relations>,
    /// Packages that could be unpacked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_hand: Vec<AtHand>,
}

/// Asks about each of them.
pub(super) fn collect(
    root: &RootDir,
    loader: &Loader<'_>,
    owners: &Ownership,
    layout: &Layout,
    packages: &Packages,
) -> Toolbox {
    let Packages::Dpkg(dpkg) = packages else {
        return Toolbox::default();
    };
    let mut toolbox = Toolbox::default();
    let mut names = BTreeSet::new();
    for path in TOOLS.iter().filter_map(|tool| promised(root, owners, tool)) {
        let closure = loader.closure(&path);
        names.extend(owned(owners, &path));
        let objects = closure.objects.iter();
        let files = objects.flat_map(|object| [&object.path, &object.real_path]);
        names.extend(files.filter_map(|file| owned(owners, file)));
        toolbox.broken.extend(broken(path, closure, owners, layout));
    }
    if !toolbox.broken.is_empty() {
        let at_fault = toolbox.broken.iter();
        let at_fault = at_fault.flat_map(|tool| [tool.package.clone(), tool.asking.clone()]);
        names.extend(at_fault.flatten());
        toolbox.packages = names.into_iter().collect();
        toolbox.look_around(root, dpkg, &[]);
    }
    toolbox
}

/// Where an installed package put it; what nobody promised is missing by
/// choice. Without a merged /usr only one of its spellings is there: that, or
/// the one that the package has.
fn promised(root: &RootDir, owners: &Ownership, tool: &str) -> Option<String> {
    let paths = SEARCH_PATH.iter().map(|dir| format!("{dir}/{tool}"));
    let paths: Vec<String> = paths.filter(|path| owned(owners, path).is_some()).collect();
    let there = |path: &&String| root.symlink_metadata(path).is_ok();
    let exact = |path: &&String| owners.owner(Path::new(path.as_str())).is_some();
    let found = paths.iter().find(there).or(paths.iter().find(exact));
    found.or(paths.first()).cloned()
}

fn owned(owners: &Ownership, path: &str) -> Option<String> {
    owners.owner_merged(Path::new(path)).map(str::to_owned)
}

fn broken(
    path: String,
    closure: Closure,
    owners: &Ownership,
    layout: &Layout,
) -> Option<BrokenTool> {
    // Without a link of the merged /usr nothing is found where it is.
    let mut suspects = layout.suspects.iter();
    let is_unlinked = suspects.any(|suspect| matches!(suspect.expected, Expected::Link { .. }));
    let is_missing = |problem: &Problem| {
        matches!(
            problem,
            Problem::ProgramMissing { .. }
                | Problem::InterpreterMissing { .. }
                | Problem::LibraryMissing { .. }
        )
    };
    let is_cause = |problem: &Problem| {
        let misleads = layout.misleads(problem) || (is_unlinked && is_missing(problem));
        problem.is_fatal() && !misleads
    };
    let problem = closure.problems.into_iter().find(is_cause)?;
    let asking = match &problem {
        Problem::LibraryMissing { needed_by, .. }
        | Problem::LibraryDamaged { needed_by, .. }
        | Problem::InterpreterMissing { needed_by, .. }
        | Problem::InterpreterDamaged { needed_by, .. }
        | Problem::VersionMissing { needed_by, .. } => owned(owners, needed_by),
        _ => owned(owners, &path),
    };
    Some(BrokenTool {
        package: package(owners, &problem),
        asking,
        path,
        problem,
    })
}

impl Toolbox {
    /// Looks at what could be unpacked: apt's cache, and `folders` of the rescue
    /// system.
    pub fn look_around(&mut self, root: &RootDir, dpkg: &Dpkg, folders: &[&Path]) {
        if !self.broken.is_empty() {
            self.look_further(root, dpkg, folders, &[], Vec::new());
        }
    }

    /// The same for the packages called `named`, too, and with what an archive
    /// offers.
    pub fn look_further(
        &mut self,
        root: &RootDir,
        dpkg: &Dpkg,
        folders: &[&Path],
        named: &[String],
        offered: Vec<AtHand>,
    ) {
        let wanted: Vec<String> = self.packages.iter().chain(named).cloned().collect();
        (self.installed, self.at_hand) = supply::collect(root, dpkg, &wanted, folders, offered);
    }
}
