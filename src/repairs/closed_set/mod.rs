//! Which packages are unpacked where dpkg cannot run: those of the files at
//! fault, in versions that fit each other and what stays on the disk.
//!
//! Looked for by trying, the best version first: the one that an interrupted
//! upgrade was going to, then the installed one, then the newest. Never an older
//! one: packages are not made to be downgraded.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::facts::packages::relations::{self, Relation};
use crate::facts::packages::{Dpkg, version};
use crate::facts::toolbox::{AtHand, BrokenTool, Relations, Toolbox};

mod held;

use held::provides;

/// The most choices that are tried.
const STEPS_MAX: usize = 20_000;

/// More than any such set has.
const SET_MAX: usize = 500;

/// The most names in a sentence.
const NAMED_MAX: usize = 12;

/// Why there is no such set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Packages that are not at hand, with their versions.
    pub packages: Vec<String>,
    /// Files that are there and not usable, and why.
    pub damaged: Vec<String>,
}

/// Chooses, and puts what others need before what needs it.
///
/// # Errors
/// What is lacking.
pub(super) fn choose<'f>(toolbox: &'f Toolbox, dpkg: &'f Dpkg) -> Result<Vec<&'f AtHand>, Lacking> {
    choose_with(toolbox, dpkg, &[])
}

/// The same, with further packages that are to be in it.
///
/// # Errors
/// What is lacking.
pub fn choose_with<'f>(
    toolbox: &'f Toolbox,
    dpkg: &'f Dpkg,
    named: &'f [String],
) -> Result<Vec<&'f AtHand>, Lacking> {
    let chooser = Chooser::new(toolbox, dpkg);
    let mut misses = Vec::new();
    let mut goals = chooser.goals(&mut misses);
    goals.extend(named.iter().map(|name| Goal::Unpack(name)));
    if misses.is_empty() {
        let set = chooser.solve(Set::new(), goals.clone(), &mut None);
        if let Some(set) = set {
            return Ok(in_order(&set));
        }
    }
    // Once more without turning back, to tell all that is lacking.
    chooser.steps.set(0);
    chooser.solve(Set::new(), goals, &mut Some(&mut misses));
    misses.dedup();
    let damaged = toolbox.at_hand.iter().filter_map(|archive| {
        let fault = archive.fault.as_ref()?;
        Some(format!("{}: {fault}", archive.place()))
    });
    let mut lacking = Lacking {
        damaged: damaged.take(NAMED_MAX).collect(),
        packages: misses,
    };
    if lacking.packages.is_empty() {
        lacking.packages.push("a set that fits together".to_owned());
    }
    if let Some(more) = lacking
        .packages
        .len()
        .checked_sub(NAMED_MAX)
        .filter(|n| *n > 0)
    {
        lacking.packages.truncate(NAMED_MAX);
        lacking.packages.push(format!("and {more} more"));
    }
    Err(lacking)
}

/// What was chosen, by name and architecture.
type Set<'f> = BTreeMap<(&'f str, &'f str), &'f AtHand>;

/// What is still to be seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal<'f> {
    /// This package is unpacked.
    Unpack(&'f str),
    /// What this package on disk depends on is there, or it is replaced.
    Keep(&'f str),
    /// One of these is there.
    Need(&'f str),
    /// This package is replaced by a version that this relation does not take.
    Away(&'f str, &'f str),
}

struct Chooser<'f> {
    dpkg: &'f Dpkg,
    tools: HashSet<&'f str>,
    /// What is on disk and whole by dpkg's own record.
    installed: HashMap<&'f str, Vec<&'f Relations>>,
    broken: &'f [BrokenTool],
    at_hand: HashMap<&'f str, Vec<&'f AtHand>>,
    all_at_hand: &'f [AtHand],
    steps: Cell<usize>,
}

impl<'f> Chooser<'f> {
    fn new(toolbox: &'f Toolbox, dpkg: &'f Dpkg) -> Self {
        let whole = |one: &&Relations| {
            let mut all = dpkg.packages.iter();
            all.any(|package| {
                (&package.name, &package.architecture) == (&one.name, &one.architecture)
                    && package.on_disk()
                    && !package.is_cut_off()
            })
        };
        let mut installed: HashMap<&str, Vec<&Relations>> = HashMap::new();
        for one in toolbox.installed.iter().filter(whole) {
            installed.entry(&one.name).or_default().push(one);
        }
        let native = dpkg.named("dpkg").map(|own| own.architecture.as_str());
        let mut at_hand: HashMap<&str, Vec<&AtHand>> = HashMap::new();
        for archive in toolbox.at_hand.iter().filter(|one| one.fault.is_none()) {
            let one = &archive.relations;
            let fits = one.architecture == "all" || Some(one.architecture.as_str()) == native;
            let newer = installed.get(one.name.as_str()).is_none_or(|all| {
                let mut all = all.iter();
                all.all(|other| version::compare(&one.version, &other.version) != Ordering::Less)
            });
            if fits && newer {
                at_hand.entry(&one.name).or_default().push(archive);
            }
        }
        let mut chooser = Self {
            dpkg,
            tools: toolbox.packages.iter().map(String::as_str).collect(),
            installed,
            broken: &toolbox.broken,
            at_hand: HashMap::new(),
            all_at_hand: &toolbox.at_hand,
            steps: Cell::new(0),
        };
        for (name, all) in &mut at_hand {
            all.sort_by(|a, b| {
                chooser
                    .rank(name, a)
                    .cmp(&chooser.rank(name, b))
                    .then_with(|| version::compare(&b.relations.version, &a.relations.version))
            });
        }
        chooser.at_hand = at_hand;
        chooser
    }

    /// The best first: the version of the upgrade, the installed one, others;
    /// of equals the one with a digest that is known, of the patient's own cache.
    fn rank(&self, name: &str, archive: &AtHand) -> (u8, bool, bool) {
        let version = archive.relations.version.as_str();
        let place = if self.target(name) == Some(version) {
            0
        } else if self
            .dpkg
            .named(name)
            .is_some_and(|own| own.version == version)
        {
            1
        } else {
            2
        };
        (place, !archive.checked, archive.folder.is_some())
    }

    /// The version to which an upgrade was going.
    fn target(&self, name: &str) -> Option<&'f str> {
        let mut steps = self.dpkg.standing.steps.iter();
        let step = steps.find(|step| step.name == name)?;
        step.new.as_deref()
    }

    /// What the broken tools ask for; what nobody is known to bring is a miss.
    fn goals(&self, misses: &mut Vec<String>) -> Vec<Goal<'f>> {
        let mut goals = Vec::new();
        for tool in self.broken {
            let goal = match (&tool.package, &tool.asking) {
                (Some(package), _) => Goal::Unpack(package),
                // The package that brought it may be gone.
                (None, Some(asking)) if !self.is_kept(&Set::new(), asking) => Goal::Keep(asking),
                _ => {
                    misses.push(format!("what brings {}", tool.problem.culprit()));
                    continue;
                }
            };
            if !goals.contains(&goal) {
                goals.push(goal);
            }
        }
        // The one that is asked for last is seen to first.
        goals.reverse();
        goals
    }

    /// Sees to one goal after the other. With `misses`, what cannot be seen to
    /// is noted there and passed over.
    fn solve(
        &self,
        mut set: Set<'f>,
        mut goals: Vec<Goal<'f>>,
        misses: &mut Option<&mut Vec<String>>,
    ) -> Option<Set<'f>> {
        while let Some(goal) = goals.pop() {
            if self.is_met(&set, goal) {
                continue;
            }
            let ways = self.ways(goal);
            for archive in ways {
                self.steps.set(self.steps.get() + 1);
                if self.steps.get() > STEPS_MAX || set.len() > SET_MAX {
                    return None;
                }
                let (mut next, mut further) = (set.clone(), goals.clone());
                if !self.add(&mut next, &mut further, archive) {
                    continue;
                }
                if let Some(found) = self.solve(next, further, misses) {
                    return Some(found);
                }
                if misses.is_some() {
                    return None;
                }
            }
            match misses {
                Some(misses) => misses.push(self.words(goal)),
                None => return None,
            }
        }
        let holds = |archive: &&'f AtHand| self.holds(&set, &archive.relations.depends);
        // What did not fit before is apt's to see to.
        let stays = |tool: &&str| self.is_kept(&set, tool) || !self.is_kept(&Set::new(), tool);
        let is_closed = set.values().all(holds) && self.tools.iter().all(stays);
        (is_closed && misses.is_none()).then(|| std::mem::take(&mut set))
    }

    fn is_met(&self, set: &Set<'f>, goal: Goal<'f>) -> bool {
        match goal {
            Goal::Unpack(name) => set.keys().any(|(chosen, _)| *chosen == name),
            Goal::Keep(name) => self.is_kept(set, name),
            Goal::Need(group) => self.holds(set, group),
            Goal::Away(name, taken) => {
                let mut chosen = set.keys().filter(|(chosen, _)| *chosen == name);
                chosen.next().is_some() && !self.is_taken(set, name, taken)
            }
        }
    }

    fn is_taken(&self, set: &Set<'f>, name: &str, relation: &str) -> bool {
        let chosen = set.values().filter(|one| one.relations.name == name);
        let mut versions = chosen.map(|one| one.relations.version.as_str());
        let mut all = relations::groups(relation).flatten();
        all.any(|relation| versions.any(|version| relation.takes(version)))
    }

    /// What could be unpacked for a goal, the best first.
    fn ways(&self, goal: Goal<'f>) -> Vec<&'f AtHand> {
        let named = |name: &str| self.at_hand.get(name).cloned().unwrap_or_default();
        match goal {
            Goal::Unpack(name) | Goal::Keep(name) => {
                let mut ways = named(name);
                if matches!(goal, Goal::Keep(_)) {
                    // What it asks for, before another version of it.
                    let asked = self.installed.get(name).into_iter().flatten();
                    let groups = asked.flat_map(|one| relations::groups(&one.depends));
                    let lacking = groups.filter(|group| !self.any_holds(&Set::new(), group));
                    let brought = lacking.flat_map(|group| self.bringing(&group));
                    ways = brought.chain(ways).collect();
                }
                ways
            }
            Goal::Need(group) => {
                let groups = relations::groups(group);
                groups.flat_map(|group| self.bringing(&group)).collect()
            }
            Goal::Away(name, taken) => {
                let mut ways = named(name);
                ways.retain(|one| {
                    let mut all = relations::groups(taken).flatten();
                    !all.any(|relation| relation.takes(&one.relations.version))
                });
                ways
            }
        }
    }

    /// What is at hand and is one of these.
    fn bringing(&self, group: &[Relation<'_>]) -> Vec<&'f AtHand> {
        let mut found = Vec::new();
        for relation in group {
            let named = self.at_hand.get(relation.name).into_iter().flatten();
            found.extend(named.filter(|one| relation.takes(&one.relations.version)));
            let others = self.at_hand.values().flatten();
            found.extend(others.filter(|one| provides(&one.relations, relation)));
        }
        found
    }

    /// Adds a package and what it asks for; false when it does not fit.
    fn add(&self, set: &mut Set<'f>, goals: &mut Vec<Goal<'f>>, archive: &'f AtHand) -> bool {
        let one = &archive.relations;
        if set.keys().any(|(name, _)| *name == one.name) {
            return false;
        }
        set.insert((&one.name, &one.architecture), archive);
        // Of one that is there for several architectures all are one version.
        for other in self.dpkg.packages.iter().filter(|other| other.on_disk()) {
            let is_sibling = other.name == one.name
                && other.multi_arch_same
                && other.architecture != one.architecture
                && other.version != one.version;
            if is_sibling {
                let mut all = self
                    .all_at_hand
                    .iter()
                    .filter(|other| other.fault.is_none());
                let sibling = all.find(|found| {
                    let found = &found.relations;
                    (&found.name, &found.version, &found.architecture)
                        == (&one.name, &one.version, &other.architecture)
                });
                let Some(sibling) = sibling else { return false };
                let key = (one.name.as_str(), sibling.relations.architecture.as_str());
                set.insert(key, sibling);
            }
        }
        for (field, is_hard) in [(&one.breaks, false), (&one.conflicts, true)] {
            for text in field.split(',') {
                if !self.put_away(set, goals, one, text, is_hard) {
                    return false;
                }
            }
        }
        let asking = self
            .tools
            .iter()
            .filter(|tool| self.asks_for(tool, one) && self.is_kept(&Set::new(), tool));
        goals.extend(asking.map(|tool| Goal::Keep(tool)));
        goals.extend(one.depends.split(',').map(Goal::Need));
        true
    }

    /// What `one` breaks or conflicts with; false when that must stay.
    fn put_away(
        &self,
        set: &Set<'f>,
        goals: &mut Vec<Goal<'f>>,
        one: &'f Relations,
        text: &'f str,
        is_hard: bool,
    ) -> bool {
        for relation in relations::groups(text).flatten() {
            if relation.name == one.name || self.is_taken(set, relation.name, text) {
                let is_other = relation.name != one.name;
                if is_other {
                    return false;
                }
                continue;
            }
            let on_disk = self.dpkg.packages.iter().filter(|other| other.on_disk());
            let mut named = on_disk.filter(|other| other.name == relation.name);
            let Some(other) = named.find(|other| relation.takes(&other.version)) else {
                continue;
            };
            let takes_over = relations::provided(&one.provides).any(|(name, _)| name == other.name);
            // What is broken and no tool is apt's to see to afterwards.
            let is_spared = !is_hard && !self.tools.contains(other.name.as_str());
            if takes_over || is_spared || set.keys().any(|(name, _)| *name == other.name) {
                continue;
            }
            let goal = Goal::Away(&other.name, text);
            if is_hard && self.ways(goal).is_empty() {
                return false;
            }
            goals.push(goal);
        }
        true
    }
}

/// What is needed stands before what needs it; in a circle, anyhow.
fn in_order<'f>(set: &Set<'f>) -> Vec<&'f AtHand> {
    fn visit<'f>(
        set: &Set<'f>,
        at: &'f AtHand,
        seen: &mut BTreeSet<(&'f str, &'f str)>,
        order: &mut Vec<&'f AtHand>,
    ) {
        let one = &at.relations;
        if !seen.insert((&one.name, &one.architecture)) {
            return;
        }
        // Pre-Depends come first in the field.
        for relation in relations::groups(&one.depends).flatten() {
            let needed = set.values().filter(|other| {
                other.relations.name == relation.name || provides(&other.relations, &relation)
            });
            for other in needed {
                visit(set, other, seen, order);
            }
        }
        order.push(at);
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for archive in set.values() {
        visit(set, archive, &mut seen, &mut order);
    }
    order
}

#[cfg(test)]
mod tests;
