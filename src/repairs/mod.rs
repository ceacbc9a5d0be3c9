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
mod comment_fstab_line;
mod comment_sshd_option;
mod correct_fstab_device;
mod correct_fstab_type;
mod edit;
mod enable_service;
mod finish_packages;
mod give_rights;
mod host_keys;
mod make_mount_points;
mod name_card;
mod pass_over_container;
mod program;
mod rebuild_initramfs;
mod rejoin_leg;
mod remove_nologin;
mod restore_array_entry;
mod restore_default_target;
mod restore_init_link;
mod restore_merged_link;
mod restore_shell;
mod restore_system_directory;
mod start_degraded;
mod table_line;
mod trust_keys;

pub use array_work::ArrayWork;
pub use edit::Edit;
pub use program::Program;

use edit::EditKind;

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
    programs: Vec<Program>,
    work: Option<ArrayWork>,
    minutes: u32,
}

/// Renames take no time to speak of; a minute is the operator's.
const MINUTES: u32 = 1;

/// Every kind of repair that changes lines of files. Files are put as a whole,
/// so these are done first, all lines of a file together.
const EDITS: &[&EditKind] = &[
    &restore_array_entry::KIND,
    &pass_over_container::KIND,
    &correct_fstab_device::KIND,
    &correct_fstab_type::KIND,
    &comment_fstab_line::KIND,
    &comment_sshd_option::KIND,
    &restore_shell::KIND,
];

/// Every other kind of repair, in the order in which they are done: files first,
/// then arrays, so that a resync copies what was repaired.
const REPAIRS: &[&Kind] = &[
    &restore_system_directory::KIND,
    &restore_merged_link::KIND,
    &restore_init_link::KIND,
    &make_mount_points::KIND,
    &restore_default_target::KIND,
    &remove_nologin::KIND,
    &enable_service::KIND,
    &name_card::KIND,
    &trust_keys::KIND,
    &host_keys::KIND,
    &give_rights::KIND,
    &finish_packages::KIND,
    &rebuild_initramfs::KIND,
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
    /// Lines that it changes. All lines of a file are changed together, first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// The changes of files, in order.
    pub actions: Vec<Action>,
    /// Programs of the patient that are run after them: in a rehearsal, and
    /// what they changed there is made on the patient.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Program>,
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
        self.actions_with(&[], &[])
    }

    /// The same, with what one more repair would do.
    fn actions_with(&self, edits: &[Edit], more: &[Action]) -> Vec<Action> {
        let own = self.repairs.iter().flat_map(|repair| &repair.edits);
        let edits: Vec<&Edit> = own.chain(edits).collect();
        let mut all = edit::actions(&edits);
        let own = self.repairs.iter().flat_map(|repair| &repair.actions);
        for action in own.chain(more) {
            // Two findings may want the same mode of the same file.
            let again = matches!(action, Action::Attributes { .. }) && all.contains(action);
            if !again {
                all.push(action.clone());
            }
        }
        all
    }

    /// Why what one more repair would do cannot be done beside the others.
    fn hinders(&self, edits: &[Edit], more: &[Action]) -> Option<String> {
        let own = || self.repairs.iter().flat_map(|repair| &repair.edits);
        for edit in edits {
            let of_file = own().filter(|other| other.path == edit.path);
            if own().any(|other| other.contradicts(edit)) || of_file.count() >= edit::OF_ONE_FILE {
                return Some(format!(
                    "another repair changes {} line {}; repair once more after it",
                    edit.path, edit.line
                ));
            }
        }
        let own = self.repairs.iter().flat_map(|repair| &repair.actions);
        let attributes = |action: &&Action| matches!(action, Action::Attributes { .. });
        let own: Vec<&Action> = own.filter(attributes).collect();
        let mut more = more.iter().filter(attributes);
        let clash = more.find(|action| {
            let mut same = own.iter().filter(|other| other.path() == action.path());
            same.any(|other| other != action)
        });
        clash.map(|action| {
            let path = action.path().display();
            format!("another repair changes {path}; repair once more after it")
        })
    }

    /// Adds a repair, where it can be done beside the others.
    fn add(&mut self, repair: Repair, possible: &dyn Fn(&[Action]) -> Result<(), String>) {
        let (edits, more) = (&repair.edits, &repair.actions);
        let alone = Self::default().actions_with(edits, more);
        let beside = || match self.hinders(edits, more) {
            Some(why) => Err(why),
            None if alone.is_empty() || self.repairs.is_empty() => Ok(()),
            None => possible(&self.actions_with(edits, more)),
        };
        match possible(&alone).and_then(|()| beside()) {
            Ok(()) => self.repairs.push(repair),
            Err(why) => self.refused.push(Refused {
                title: repair.title,
                removes: repair.removes,
                why,
            }),
        }
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
    let wanted = |removes: &'static [&'static str]| {
        let wanted = findings.iter();
        wanted.filter(move |finding| removes.contains(&finding.id.as_str()))
    };
    for kind in EDITS {
        for finding in wanted(kind.removes) {
            let Some(edits) = (kind.plan)(facts, finding) else {
                continue;
            };
            let repair = Repair {
                name: kind.name.to_owned(),
                title: edits.title,
                removes: Key::of(finding),
                // What stands in a file follows from no line of it.
                expected: Vec::new(),
                risk: edits.risk,
                minutes: MINUTES,
                edits: edits.lines,
                actions: Vec::new(),
                programs: Vec::new(),
                work: None,
            };
            plan.add(repair, possible);
        }
    }
    for kind in REPAIRS {
        for finding in wanted(kind.removes) {
            let Some(outline) = (kind.plan)(facts, finding) else {
                continue;
            };
            let arrays = &facts.assembly.arrays;
            let work = outline.work.as_ref();
            // Nothing below a directory comes back with its mode.
            let expected = match stays(&outline.actions) {
                true => Vec::new(),
                false => follows(findings, finding),
            };
            let repair = Repair {
                name: kind.name.to_owned(),
                title: outline.title,
                removes: Key::of(finding),
                expected,
                risk: outline.risk,
                minutes: work.map_or(outline.minutes, |work| work.minutes(arrays)),
                edits: Vec::new(),
                actions: outline.actions,
                programs: outline.programs,
                work: outline.work,
            };
            plan.add(repair, possible);
        }
    }
    plan.uncovered = uncovered(findings, &plan.repairs);
    plan
}

/// What stops the boot or locks everybody out, and no repair removes.
fn uncovered(findings: &[Finding], repairs: &[Repair]) -> Vec<Key> {
    let stops = findings
        .iter()
        .filter(|f| f.severity >= Severity::Unreachable);
    let covers =
        |repair: &Repair, key: &Key| repair.removes == *key || repair.expected.contains(key);
    stops
        .map(Key::of)
        .filter(|key| !repairs.iter().any(|repair| covers(repair, key)))
        .collect()
}

/// True for changes that move nothing.
fn stays(actions: &[Action]) -> bool {
    let stays = |action: &Action| {
        matches!(
            action,
            Action::Attributes { .. } | Action::MakeDirectory { .. }
        )
    };
    !actions.is_empty() && actions.iter().all(stays)
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
