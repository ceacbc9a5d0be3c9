//! Stage 6, plan: repairs for findings, with what each would do.
//!
//! A repair is worked out from the facts alone. What it does to files is made
//! of the journal's primitive actions, so it can be finished or taken back;
//! work on arrays cannot, and says so.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use crate::checks::by_id;
use crate::facts::Facts;
use crate::finding::{Finding, Severity};
use crate::journal::Action;

mod array_work;
mod closed_set;
mod copy_boot_loader;
mod finish_packages;
mod program;
mod rebuild_initramfs;
mod rejoin_leg;
mod restore_array_entry;
mod restore_merged_link;
mod restore_package_lists;
mod restore_package_status;
mod restore_system_directory;
mod start_degraded;
mod unpack_packages;

pub use array_work::ArrayWork;
pub use copy_boot_loader::LoaderCopy;
pub use program::Program;
pub use unpack_packages::Unpack;

/// What can go wrong when a repair is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Only moves that are taken back exactly.
    Safe,
    /// May need a second look.
    Medium,
    /// May make things worse.
    Dangerous,
}

impl Risk {
    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Medium => "medium",
            Self::Dangerous => "dangerous",
        }
    }
}

/// A finding, named without its evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// `stage/kebab-name`.
    pub id: String,
    /// The path or device that it is about.
    pub subject: String,
}

impl Key {
    /// The name of a finding.
    pub fn of(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            subject: finding.subject.clone(),
        }
    }
}

/// A kind of repair: one file beside this one.
#[derive(Debug)]
struct Kind {
    /// Its name, for people and scripts.
    name: &'static str,
    /// The findings that it removes, by id.
    removes: &'static [&'static str],
    /// Works out what to do about one finding; none when it cannot help here.
    plan: fn(&Facts, &Finding) -> Option<Outline>,
}

/// What a kind of repair would do about one finding.
#[derive(Debug)]
struct Outline {
    title: String,
    risk: Risk,
    actions: Vec<Action>,
    unpack: Vec<Unpack>,
    programs: Vec<Program>,
    loader: Option<LoaderCopy>,
    work: Option<ArrayWork>,
    minutes: u32,
    /// Why it cannot be done here.
    refused: Option<String>,
}

/// Renames take no time to speak of; a minute is the operator's.
const MINUTES: u32 = 1;

impl Default for Outline {
    /// Nothing to do, at no risk.
    fn default() -> Self {
        Self {
            title: String::new(),
            risk: Risk::Safe,
            actions: Vec::new(),
            unpack: Vec::new(),
            programs: Vec::new(),
            loader: None,
            work: None,
            minutes: MINUTES,
            refused: None,
        }
    }
}

/// Every kind of repair, in the order in which they are done: files first,
/// then arrays, so that a resync copies what was repaired.
const REPAIRS: &[&Kind] = &[
    &restore_system_directory::KIND,
    &restore_merged_link::KIND,
    &restore_array_entry::KIND,
    &restore_package_lists::KIND,
    &restore_package_status::KIND,
    &unpack_packages::KIND,
    &finish_packages::KIND,
    &rebuild_initramfs::KIND,
    &copy_boot_loader::KIND,
    &start_degraded::KIND,
    &rejoin_leg::KIND,
];

/// One repair, worked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// The kind of repair.
    pub name: String,
    /// What it does, in a sentence.
    pub title: String,
    /// The finding that it removes.
    pub removes: Key,
    /// Findings that should vanish with it, because they follow from it.
    pub expected: Vec<Key>,
    /// What can go wrong.
    pub risk: Risk,
    /// Minutes that it takes.
    pub minutes: u32,
    /// The changes of files, in order.
    pub actions: Vec<Action>,
    /// Packages that Lifeboot unpacks by itself after them, in a rehearsal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpack: Vec<Unpack>,
    /// Programs of the patient that are run after that: in a rehearsal, and
    /// what they changed there is made on the patient.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Program>,
    /// The boot loader of a disk that goes to another one, after all files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader: Option<LoaderCopy>,
    /// Work on an array, which cannot be taken back. It is done only when the
    /// operator asked for this repair by name or agreed to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<ArrayWork>,
}

/// All repairs for a set of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The repairs, in the order in which they are done.
    pub repairs: Vec<Repair>,
    /// Findings that stop the boot or lock everybody out, and that nothing in
    /// the plan removes.
    pub uncovered: Vec<Key>,
    /// Repairs that were worked out and cannot be done on this tree.
    pub refused: Vec<Refused>,
}

/// A repair that cannot be done on this tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// What it would do.
    pub title: String,
    /// The finding that it would remove.
    pub removes: Key,
    /// Why it cannot be done.
    pub why: String,
}

impl Plan {
    /// Minutes for everything in it.
    pub fn minutes(&self) -> u32 {
        self.repairs.iter().map(|repair| repair.minutes).sum()
    }

    /// The highest risk in it.
    pub fn risk(&self) -> Risk {
        self.repairs
            .iter()
            .map(|repair| repair.risk)
            .max()
            .unwrap_or(Risk::Safe)
    }

    /// Only the repairs for findings with one of these ids.
    #[must_use]
    pub fn only(mut self, ids: &[String]) -> Self {
        if !ids.is_empty() {
            self.repairs
                .retain(|repair| ids.contains(&repair.removes.id) || ids.contains(&repair.name));
        }
        self
    }

    /// Without the work that cannot be taken back.
    #[must_use]
    pub fn revocable(mut self) -> Self {
        self.repairs.retain(|repair| repair.work.is_none());
        self
    }

    /// Every piece of work on arrays, in order.
    pub fn works(&self) -> Vec<&ArrayWork> {
        self.repairs
            .iter()
            .filter_map(|repair| repair.work.as_ref())
            .collect()
    }

    /// Every boot loader that goes to another disk.
    pub fn loaders(&self) -> Vec<&LoaderCopy> {
        let all = self.repairs.iter();
        let mut all: Vec<_> = all.filter_map(|repair| repair.loader.as_ref()).collect();
        // Several findings about one disk want the same.
        all.dedup_by(|one, other| one.to == other.to);
        all
    }

    /// Every package that is unpacked, in order.
    pub fn unpack(&self) -> Vec<Unpack> {
        let all = self.repairs.iter();
        all.flat_map(|repair| repair.unpack.clone()).collect()
    }

    /// Every program of the patient that it runs, in order.
    pub fn programs(&self) -> Vec<Program> {
        let all = self.repairs.iter();
        let mut all: Vec<_> = all.flat_map(|repair| repair.programs.clone()).collect();
        // Several findings may want the same image to be built anew.
        let mut seen = HashSet::new();
        all.retain(|program| seen.insert(program.line()));
        all
    }

    /// Every change of files, in order.
    pub fn actions(&self) -> Vec<Action> {
        self.repairs
            .iter()
            .flat_map(|repair| repair.actions.clone())
            .collect()
    }
}

/// Works out what can be done about `findings`; `possible` tells why a list of
/// changes cannot be made on this tree, where it cannot.
pub fn plan(
    facts: &Facts,
    findings: &[Finding],
    possible: &dyn Fn(&[Action]) -> Result<(), String>,
) -> Plan {
    let mut plan = Plan::default();
    for kind in REPAIRS {
        let wanted = findings
            .iter()
            .filter(|finding| kind.removes.contains(&finding.id.as_str()));
        for finding in wanted {
            let Some(outline) = (kind.plan)(facts, finding) else {
                continue;
            };
            let refused = outline.refused.map_or(Ok(()), Err);
            if let Err(why) = refused.and_then(|()| possible(&outline.actions)) {
                plan.refused.push(Refused {
                    title: outline.title,
                    removes: Key::of(finding),
                    why,
                });
                continue;
            }
            plan.repairs.push(Repair {
                name: kind.name.to_owned(),
                title: outline.title,
                removes: Key::of(finding),
                expected: follows(findings, finding),
                risk: outline.risk,
                minutes: outline
                    .work
                    .as_ref()
                    .map_or(outline.minutes, |work| work.minutes(&facts.assembly.arrays)),
                actions: outline.actions,
                unpack: outline.unpack,
                programs: outline.programs,
                loader: outline.loader,
                work: outline.work,
            });
        }
    }
    plan.uncovered = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Unreachable)
        .map(Key::of)
        .filter(|key| {
            !plan
                .repairs
                .iter()
                .any(|repair| repair.removes == *key || repair.expected.contains(key))
        })
        .collect();
    plan
}

/// Findings whose evidence lies in the place that `cause` is about.
fn follows(findings: &[Finding], cause: &Finding) -> Vec<Key> {
    let place = Path::new(&cause.subject);
    findings
        .iter()
        .filter(|finding| finding.id != cause.id && by_id(&finding.id).is_some())
        .filter(|finding| {
            let mut sources = finding.evidence.iter().map(|e| Path::new(&e.source));
            sources.any(|source| lies_in(source, place))
        })
        .map(Key::of)
        .collect()
}

/// True for a path in `place`, also under the spelling of a merged /usr: what
/// is in `/lib` lies in `/usr/lib`.
fn lies_in(path: &Path, place: &Path) -> bool {
    let merged = path
        .strip_prefix("/")
        .map(|inside| Path::new("/usr").join(inside));
    path.starts_with(place) || merged.is_ok_and(|path| path.starts_with(place))
}
