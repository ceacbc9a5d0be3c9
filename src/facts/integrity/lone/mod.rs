//! Single paths with a mode or an owner that they should not have, by what
//! speaks of it: dpkg's overrides, the archive of the installed version, the
//! maintainer scripts, programs that refuse a file, and the other files of a
//! directory.
//!
//! A path that two of them disagree about is not told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::look::Seen;
use super::modes::Spelling;
use super::owned::{Owned, split};
use super::rights::{Rights, Shown};
use super::scripts::Everyone;
use super::strict;
use super::usual::{Known, Neighbours};
use crate::facts::packages::State;
use crate::facts::packages::dpkg_files::statoverride::{self, Statoverride};
use crate::facts::place::Place;
use crate::sys::root_dir::{Kind, Meta, RootDir};

mod expected;
mod want;

use want::Want;

/// The most paths that are told.
const TOLD_MAX: usize = 500;

/// The most bytes of dpkg's overrides.
const OVERRIDES_MAX: u64 = 4 << 20;

/// Where modes and owners are made anew by each boot, or are of no matter.
const PASSING: [&str; 6] = ["dev", "proc", "run", "sys", "tmp", "var/run"];

/// What says how a path should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Says {
    /// dpkg's statoverride.
    Override,
    /// The archive of the installed version.
    Archive {
        /// It.
        file: String,
    },
    /// A maintainer script.
    Script {
        /// It.
        file: String,
    },
    /// Every Debian ships it so.
    Debian,
    /// What uses it refuses anything else.
    Reader {
        /// What does not work.
        effect: String,
    },
    /// The other files of its directory.
    Neighbours {
        /// So many have what is expected.
        same: usize,
        /// Of so many.
        of: usize,
    },
}

/// A path with a mode or an owner that it should not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lone {
    /// Where.
    pub path: String,
    /// The package that owns it; none for one of dpkg's overrides or a
    /// directory at the top.
    pub package: Option<String>,
    /// What it has, as far as that is wrong.
    pub seen: Shown,
    /// What it should have.
    pub expected: Shown,
    /// What says so.
    pub says: Says,
    /// The same by numbers: all that it should have. None for what is no
    /// directory and no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Place>,
    /// The mode to set again after its owner, when that is wrong: a chown takes
    /// the set-user-id bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<u32>,
    /// A program that lost the right to act for another user or group.
    pub is_powerless: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) paths: Vec<Lone>,
    pub(super) more: usize,
    pub(super) without_capability: Vec<String>,
    pub(super) archives: usize,
    pub(super) overrides_unreadable: Option<String>,
}

/// Where to look, and what is told elsewhere.
pub(super) struct Scope<'s> {
    pub(super) whole: bool,
    /// True where nothing is to be expected.
    pub(super) hidden: &'s (dyn Fn(&Path) -> bool + Sync),
    /// Directories below which a recursive command went.
    pub(super) tops: Vec<String>,
}

pub(super) fn search(root: &RootDir, owned: &Owned, seen: &[Seen], scope: &Scope<'_>) -> Found {
    let overrides = match root.read(owned.home.join("statoverride"), OVERRIDES_MAX) {
        Ok(bytes) => Ok(statoverride::parse(&bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    };
    // Which paths have one is not known then: nothing else can be told either.
    let overrides = match overrides {
        Ok(overrides) => overrides,
        Err(why) => {
            return Found {
                overrides_unreadable: Some(why),
                ..Found::default()
            };
        }
    };
    let mut search = Search {
        root,
        owned,
        scope,
        accounts: Accounts::of(root),
        spelling: Spelling::of(root),
        neighbours: Neighbours::default(),
        known: Known::of(root),
        everyone: OnceLock::new(),
        overridden: HashSet::new(),
        found: Found::default(),
    };
    search.strict();
    search.overrides(&overrides);
    let claims = search.claims(seen);
    search.judge(&claims);
    let found = &mut search.found;
    found.paths.sort_by(|a, b| a.path.cmp(&b.path));
    found.paths.dedup_by(|a, b| a.path == b.path);
    found.more = found.paths.len().saturating_sub(TOLD_MAX);
    found.paths.truncate(TOLD_MAX);
    search.found
}

struct Search<'s> {
    root: &'s RootDir,
    owned: &'s Owned,
    scope: &'s Scope<'s>,
    accounts: Accounts,
    spelling: Spelling,
    neighbours: Neighbours,
    known: Known,
    everyone: OnceLock<Everyone>,
    /// Paths that dpkg has an override for, with their links resolved.
    overridden: HashSet<Vec<u8>>,
    found: Found,
}

/// A path of a package to be judged.
struct Judged {
    claim: usize,
    /// Links at the top resolved, as `usr/bin/x`.
    real: String,
    rights: Rights,
    kind: Kind,
    /// Several packages own it.
    is_shared: bool,
}

impl Search<'_> {
    fn is_left_out(&self, real: &str) -> bool {
        let is_in = |top: &str| {
            let rest = real.strip_prefix(top);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let told = |top: &String| {
            let top = top.trim_start_matches('/');
            top.is_empty() || is_in(top)
        };
        PASSING.iter().any(|top| is_in(top))
            || self.scope.tops.iter().any(told)
            || (self.scope.hidden)(&Path::new("/").join(real))
    }

    fn tell(&mut self, path: &str, package: Option<String>, have: Rights, want: Want) {
        let (seen, expected) = (have.shown(&self.accounts), want.shown(&self.accounts));
        let lost = want.mode.unwrap_or(0) & 0o6000 & !have.mode != 0;
        let disowned = want.uid.is_some_and(|uid| uid != have.uid);
        let was_powerful = want.mode.unwrap_or(0) & 0o4000 != 0;
        let path = format!("/{}", path.trim_start_matches('/'));
        let place = Place::read(self.root, &path);
        self.found.paths.push(Lone {
            right: place.map(|place| Place {
                mode: want.mode.unwrap_or(have.mode),
                uid: want.uid.unwrap_or(have.uid),
                gid: want.gid.unwrap_or(have.gid),
                ..place
            }),
            path,
            package,
            is_powerless: want.is_file && (lost || (was_powerful && disowned)),
            restored: want.mode.filter(|mode| mode & 0o6000 != 0),
            expected: expected.without(&seen),
            seen: seen.without(&expected),
            says: want.says,
        });
    }

    /// Paths that are refused by what uses them, whoever owns them.
    fn strict(&mut self) {
        for rule in strict::RULES {
            for path in rule.paths(self.root) {
                let real = path.trim_start_matches('/');
                let Ok(meta) = self.root.symlink_metadata(&path) else {
                    continue;
                };
                if !rule.is_broken(&meta) || (!real.is_empty() && self.is_left_out(real)) {
                    continue;
                }
                let want = Want {
                    mode: rule.mode(&meta),
                    uid: rule.root_only.then_some(0),
                    ..Want::of(Says::Reader {
                        effect: rule.effect.to_owned(),
                    })
                };
                self.tell(&path, None, Rights::of(&meta), want);
            }
        }
    }

    /// What dpkg was told of has exactly that.
    fn overrides(&mut self, overrides: &[Statoverride]) {
        for line in overrides {
            let real = self.spelling.real(&line.path);
            let path = String::from_utf8_lossy(&real).into_owned();
            self.overridden.insert(real);
            let Ok(meta) = self.root.symlink_metadata(format!("/{path}")) else {
                continue;
            };
            if !matches!(meta.kind, Kind::File | Kind::Directory) || self.is_left_out(&path) {
                continue;
            }
            // dpkg itself stops at a name that nobody has.
            let want = Want {
                mode: Some(line.mode),
                uid: self.accounts.user(&line.user),
                gid: self.accounts.group(&line.group),
                is_file: meta.kind == Kind::File,
                says: Says::Override,
            };
            if !want.fits(&Rights::of(&meta)) {
                self.tell(&path, None, Rights::of(&meta), want);
            }
        }
    }

    /// Every path that is to be judged, by its package; each file is learned
    /// from.
    fn claims(&mut self, seen: &[Seen]) -> BTreeMap<u32, Vec<Judged>> {
        let mut owners: HashMap<(u64, u64), usize> = HashMap::new();
        for meta in seen.iter().flatten() {
            *owners.entry((meta.dev, meta.ino)).or_default() += 1;
        }
        let mut all: BTreeMap<u32, Vec<Judged>> = BTreeMap::new();
        let mut known = HashSet::new();
        for (claim, seen) in seen.iter().enumerate() {
            let Ok(meta) = seen else { continue };
            let id = (meta.dev, meta.ino);
            if !matches!(meta.kind, Kind::File | Kind::Directory) || !known.insert(id) {
                continue;
            }
            let real = self.spelling.real(self.owned.path(claim));
            let rights = Rights::of(meta);
            if meta.kind == Kind::File {
                let directory = split(&real).0.as_os_str();
                self.neighbours.learn(directory.as_encoded_bytes(), rights);
            }
            if let Some(judged) = self.judged(claim, &real, meta, &owners) {
                let package = self.owned.claims[claim].package;
                all.entry(package).or_default().push(judged);
            }
        }
        all
    }

    fn judged(
        &self,
        claim: usize,
        real: &[u8],
        meta: &Meta,
        owners: &HashMap<(u64, u64), usize>,
    ) -> Option<Judged> {
        let package = &self.owned.owner(claim).package;
        let settled = matches!(package.state, State::Installed | State::TriggersPending);
        if !settled || self.owned.is_diverted(claim) || self.overridden.contains(real) {
            return None;
        }
        let real = std::str::from_utf8(real).ok()?.to_owned();
        (!self.is_left_out(&real)).then(|| Judged {
            claim,
            real,
            rights: Rights::of(meta),
            kind: meta.kind,
            is_shared: owners.get(&(meta.dev, meta.ino)).is_some_and(|n| *n > 1),
        })
    }
}
