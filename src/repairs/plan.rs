//! The plan: what is done about all findings, and in which order.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use serde::Serialize;

use super::{
    ArrayWork, EDITS, Edit, EspWork, Key, LoaderCopy, MINUTES, Program, REPAIRS, Refused, Repair,
    Risk, Unpack, Wanted, edit,
};
use crate::checks::by_id;
use crate::facts::Facts;
use crate::finding::{Finding, Severity};
use crate::journal::Action;

/// All repairs for a set of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// The repairs, in the order in which they are done.
    pub repairs: Vec<Repair>,
    /// Findings that stop the boot or lock everybody out, and that nothing in
    /// the plan removes.
    pub uncovered: Vec<Key>,
    /// Repairs that were worked out and cannot be done on this tree.
    pub refused: Vec<Refused>,
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
        let mut all: Vec<_> = all.flat_map(|repair| &repair.loaders).collect();
        // Several findings about one disk want the same.
        let mut seen = HashSet::new();
        all.retain(|copy| seen.insert(&copy.to));
        all
    }

    /// What each EFI system partition gets: several findings about one may want
    /// the same files.
    pub fn esps(&self) -> Vec<EspWork> {
        let mut all: Vec<EspWork> = Vec::new();
        for work in self.repairs.iter().filter_map(|repair| repair.esp.as_ref()) {
            let same = |own: &&mut EspWork| own.name == work.name;
            let Some(own) = all.iter_mut().find(same) else {
                all.push(work.clone());
                continue;
            };
            for put in &work.files {
                let mut there = own.files.iter();
                if !there.any(|old| old.path.eq_ignore_ascii_case(&put.path)) {
                    own.files.push(put.clone());
                }
            }
        }
        all
    }

    /// Every package that is unpacked, in order. Several findings may want
    /// files of the same one.
    pub fn unpack(&self) -> Vec<Unpack> {
        let mut all: Vec<Unpack> = Vec::new();
        for wanted in self.repairs.iter().flat_map(|repair| &repair.unpack) {
            match all.iter_mut().find(|known| known.is_of(wanted)) {
                None => all.push(wanted.clone()),
                Some(known) => known.add(wanted),
            }
        }
        all
    }

    /// Packages that are not at hand, and with which more could be done.
    pub fn wants(&self) -> Vec<Wanted> {
        let own = self.repairs.iter().flat_map(|repair| &repair.wants);
        let refused = self.refused.iter().flat_map(|refused| &refused.wants);
        let all: BTreeSet<&Wanted> = own.chain(refused).collect();
        all.into_iter().cloned().collect()
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
        let own = self.repairs.iter().map(|repair| repair.actions.as_slice());
        let lists: Vec<&[Action]> = own.chain([more]).collect();
        // Two findings may be done away with by the same changes.
        let first = |at: &usize| !lists[..*at].contains(&lists[*at]);
        let own = (0..lists.len()).filter(first).flat_map(|at| lists[at]);
        for action in own {
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
            Err(why) => self.refused.push(repair.refused(why)),
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
            // What stands in a file follows from no line of it.
            let repair = Repair {
                name: kind.name.to_owned(),
                title: edits.title,
                edits: edits.lines,
                ..Repair::of_nothing(Key::of(finding), edits.risk, MINUTES)
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
            // Nothing below a directory comes back with its mode, nor with single
            // files.
            let is_single = outline.unpack.iter().any(|one| !one.files.is_empty());
            let expected = match is_single || stays(&outline.actions) {
                true => Vec::new(),
                false => follows(findings, finding),
            };
            let refused = outline.refused;
            let repair = Repair {
                name: kind.name.to_owned(),
                title: outline.title,
                removes: Key::of(finding),
                expected,
                risk: outline.risk,
                minutes: work.map_or(outline.minutes, |work| work.minutes(arrays)),
                edits: Vec::new(),
                actions: outline.actions,
                unpack: outline.unpack,
                programs: outline.programs,
                loaders: outline.loaders,
                esp: outline.esp,
                work: outline.work,
                wants: outline.wants,
                download: outline.download,
            };
            match refused {
                Some(why) => plan.refused.push(repair.refused(why)),
                None => plan.add(repair, possible),
            }
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
    stops
        .map(Key::of)
        .filter(|key| !repairs.iter().any(|repair| repair.covers(key)))
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
