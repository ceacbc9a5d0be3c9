//! A machine compared with its salvage: what is missing, and what differs.
//! Nothing is changed here; what a fix would do is told as actions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::accounts::Accounts;
use super::defaults::Defaults;
use super::read::{Ended, Salvaged};
use super::record::{Header, Kept, Kind, Package, PathRecord, Record};
use super::rules::Rules;
use crate::journal::Action;
use crate::journal::encoded::encode;
use crate::sys::root_dir::RootDir;

mod accounts;
mod aspects;
mod found;
mod importance;
mod packages;
mod services;

pub use importance::Importance;

use aspects::Aspect;
use found::Places;

/// Differences that are kept; of more only the number.
const DIFFERENCES_MAX: usize = 100_000;

/// Something that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// How much it matters.
    pub importance: Importance,
    /// The path, the user, the package.
    pub subject: String,
    /// What differs, each in a few words.
    pub what: Vec<String>,
    /// Paths below that are missing with it.
    #[serde(skip_serializing_if = "is_zero")]
    pub below: u64,
    /// True when `--fix-permissions` sets all of it right.
    pub can_be_fixed: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks for it
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// Where the salvage came from.
    pub header: Header,
    /// Why the salvage is not whole.
    pub cut_off: Option<String>,
    /// What could not be read when it was made.
    pub unread_then: u64,
    /// What could not be read now, and why.
    pub unread_now: Vec<(String, String)>,
    /// Paths that were compared.
    pub paths: u64,
    /// Users and groups that were compared.
    pub accounts: u64,
    /// Packages that were compared.
    pub packages: u64,
    /// What differs, the most important first.
    pub differences: Vec<Difference>,
    /// Further ones that are not listed.
    pub more: usize,
    /// Differences that a new installation brings with it.
    pub notes: Vec<Difference>,
    /// What sets modes, owners and attributes right.
    #[serde(skip)]
    pub fixes: Vec<Action>,
}

impl Comparison {
    /// True when nothing differs.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.unread_now.is_empty() && self.cut_off.is_none()
    }
}

/// Compares what the salvage says with `root`; `told` hears each path before it
/// is compared.
///
/// # Errors
/// The salvage cannot be read.
pub fn compare(
    salvaged: Salvaged,
    root: &RootDir,
    told: &mut dyn FnMut(&Path),
) -> Result<Comparison> {
    let defaults = Defaults::of(root);
    let now = packages::by_name(&defaults.packages);
    let mut comparer = Comparer {
        rules: Rules::default(),
        accounts: Accounts::of(root),
        now,
        then: HashMap::new(),
        users: Vec::new(),
        groups: Vec::new(),
        places: Places::new(root),
        masked: HashSet::new(),
        gone: None,
        stale: [BTreeMap::new(), BTreeMap::new()],
        answer: Comparison::default(),
    };
    let ended = salvaged.records(&mut |record| {
        if let Record::Path(path) = &record {
            told(&path.path);
        }
        comparer.record(record);
        Ok(())
    })?;
    if let Ended::CutOff(why) = ended {
        comparer.answer.cut_off = Some(why);
    }
    Ok(comparer.end(root))
}

struct Comparer<'r> {
    rules: Rules,
    accounts: Accounts,
    now: packages::Now,
    then: HashMap<String, Package>,
    users: Vec<super::record::User>,
    groups: Vec<super::record::Group>,
    places: Places<'r>,
    /// Units that were masked.
    masked: HashSet<PathBuf>,
    /// A directory that is missing or no directory: what was below it is only
    /// counted.
    gone: Option<(PathBuf, usize)>,
    /// Users and groups by name: paths that still have their old number.
    stale: [BTreeMap<String, u64>; 2],
    answer: Comparison,
}

impl Comparer<'_> {
    fn record(&mut self, record: Record) {
        match record {
            Record::Salvage(header) => self.answer.header = header,
            Record::User(user) => self.users.push(user),
            Record::Group(group) => self.groups.push(group),
            Record::Package(package) => {
                self.answer.packages += 1;
                self.then.insert(package.name.clone(), package);
            }
            Record::Path(path) => self.path(&path),
            Record::Unread(_) => self.answer.unread_then += 1,
            Record::Tree(_) | Record::End(_) | Record::Other => {}
        }
    }

    fn path(&mut self, record: &PathRecord) {
        self.answer.paths += 1;
        if record.kind == Kind::Link && record.target.as_deref() == Some(Path::new("/dev/null")) {
            self.masked.insert(record.path.clone());
        }
        if let Some((gone, at)) = &self.gone {
            if record.path.starts_with(gone) {
                if let Some(difference) = self.answer.differences.get_mut(*at) {
                    difference.below += 1;
                }
                return;
            }
            self.gone = None;
        }
        let found = match self.places.look(&record.path) {
            Ok(found) => found,
            Err(error) => return self.unread(record, &error),
        };
        if let Some(found) = &found
            && self.is_told_by_another_name(record, found)
        {
            return;
        }
        let mut aspects = match &found {
            None => vec![Aspect::Missing],
            Some(found) => aspects::of(record, found, &self.accounts),
        };
        if self.content_counts(record)
            && let Some(found) = &found
        {
            match self.places.holds(record, found) {
                Ok(true) => {}
                Ok(false) => aspects.push(Aspect::Content),
                Err(error) => self.unread(record, &error),
            }
        }
        self.settle(record, found.as_ref(), aspects);
    }

    /// What differs of a file with several names is told by the first of them.
    fn is_told_by_another_name(&mut self, record: &PathRecord, found: &found::Found) -> bool {
        let Some(first) = &record.same_as else {
            return false;
        };
        let id = |of: &found::Found| (of.details.meta.dev, of.details.meta.ino);
        let other = self.places.look(first).ok().flatten();
        other.is_some_and(|other| id(&other) == id(found))
    }

    fn unread(&mut self, record: &PathRecord, error: &io::Error) {
        if self.answer.unread_now.len() < DIFFERENCES_MAX {
            let path = encode(&record.path);
            self.answer.unread_now.push((path, error.to_string()));
        }
    }

    /// True when other content is a difference at all.
    fn content_counts(&self, record: &PathRecord) -> bool {
        record.kind == Kind::File
            && !matches!(record.kept, Kept::Generated | Kept::Standing | Kept::Secret)
            && !super::rules::is_accounts(&record.path)
            && !self.rules.is_restless(&record.path)
    }

    fn settle(
        &mut self,
        record: &PathRecord,
        found: Option<&found::Found>,
        mut aspects: Vec<Aspect>,
    ) {
        let is_directory = record.kind == Kind::Directory;
        let is_gone = aspects
            .iter()
            .any(|aspect| matches!(aspect, Aspect::Missing | Aspect::Kind { .. }));
        let at = self.answer.differences.len();
        let fix = found.and_then(|found| aspects::fix(record, found, &aspects, &self.accounts));
        let can_be_fixed = fix.is_some() && aspects.iter().all(Aspect::is_of_rights);
        if self.rules.is_restless(&record.path) {
            aspects.retain(Aspect::is_of_rights);
        }
        self.count_stale(&mut aspects);
        if aspects.contains(&Aspect::Missing) && self.may_be_missing(record) {
            aspects.clear();
        }
        let is_noted = self.is_noted(record, &aspects);
        // A new version of a package may bring other rights.
        self.answer.fixes.extend(fix.filter(|_| !is_noted));
        if !aspects.is_empty() {
            let (importance, mut what) = importance::of(record, &aspects, &self.rules);
            if aspects.contains(&Aspect::Missing) {
                what.extend(importance::why_left_out(record.kept));
            }
            self.add(
                Difference {
                    importance,
                    subject: encode(&record.path),
                    what,
                    below: 0,
                    can_be_fixed,
                },
                is_noted,
            );
        }
        // Where it is not told itself, what was in it is.
        if is_directory && is_gone && self.answer.differences.len() > at {
            self.gone = Some((record.path.clone(), at));
        }
    }

    /// Paths with the old number of a user are counted with the user.
    fn count_stale(&mut self, aspects: &mut Vec<Aspect>) {
        aspects.retain(|aspect| {
            let (which, name) = match aspect {
                Aspect::Owner {
                    stale: Some(name), ..
                } => (0, name),
                Aspect::Group {
                    stale: Some(name), ..
                } => (1, name),
                _ => return true,
            };
            *self.stale[which].entry(name.clone()).or_default() += 1;
            false
        });
    }

    /// What comes with a package, or by itself, is not told on its own.
    fn may_be_missing(&self, record: &PathRecord) -> bool {
        let is_absent = || {
            let package = record
                .package
                .as_deref()
                .and_then(|name| self.then.get(name));
            package.is_some_and(|package| packages::is_changed(package, &self.now))
        };
        match record.kept {
            Kept::Generated | Kept::Standing => true,
            Kept::Default => is_absent(),
            _ => record.kind == Kind::Directory && is_absent(),
        }
    }

    /// What another version of a package brings, and what names the disks.
    fn is_noted(&self, record: &PathRecord, aspects: &[Aspect]) -> bool {
        let only_content = aspects
            .iter()
            .all(|aspect| matches!(aspect, Aspect::Content | Aspect::Missing));
        let package = record
            .package
            .as_deref()
            .and_then(|name| self.then.get(name));
        let is_other = package.is_some_and(|package| packages::is_changed(package, &self.now));
        match record.kept {
            Kept::Reference => only_content,
            Kept::Default => only_content && is_other,
            Kept::Standing => is_other,
            _ => false,
        }
    }

    fn add(&mut self, difference: Difference, is_noted: bool) {
        let list = match is_noted {
            true => &mut self.answer.notes,
            false => &mut self.answer.differences,
        };
        if list.len() < DIFFERENCES_MAX {
            list.push(difference);
        } else if !is_noted {
            self.answer.more += 1;
        }
    }

    fn end(mut self, root: &RootDir) -> Comparison {
        self.answer.accounts = (self.users.len() + self.groups.len()) as u64;
        let mut further = accounts::compare(&self.users, &self.groups, &self.accounts, &self.stale);
        further.extend(packages::compare(self.then.values(), &self.now));
        let masked = services::masked_now(root, &self.masked);
        further.extend(masked.into_iter().map(|difference| (difference, false)));
        for (difference, is_noted) in further {
            self.add(difference, is_noted);
        }
        let mut answer = self.answer;
        let order = |a: &Difference, b: &Difference| {
            (a.importance, &a.subject).cmp(&(b.importance, &b.subject))
        };
        answer.differences.sort_by(order);
        answer.notes.sort_by(order);
        answer
    }
}

#[cfg(test)]
mod tests;
