//! dpkg's database, `/var/lib/dpkg`, read as far as it goes (dpkg(1),
//! dpkg's lib/dpkg/dbdir.c and dbmodify.c).

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::apt::{self, Apt};
use super::standing::{self, Standing};
use super::{Depth, LIMIT, Ownership, Upgrade, history};
use crate::sys::root_dir::RootDir;

pub mod alternatives;
pub mod backups;
pub mod info;
pub mod leftovers;
mod log;
pub mod stanzas;
pub mod status;

pub use alternatives::{BrokenAlternative, BrokenSlave};
pub use backups::Backup;
pub use info::Info;
pub use leftovers::Leftovers;
pub use status::{Package, State};

use log::LastSaid;

/// Where invoke-rc.d asks whether it may.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The most bytes of it.
const POLICY_MAX: u64 = 1 << 20;

/// A fault of the database itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DatabaseFault {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// dpkg's database, and what apt knows beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Dpkg {
    /// Every stanza that could be read.
    pub packages: Vec<Package>,
    /// What is wrong with the database.
    pub faults: Vec<DatabaseFault>,
    /// Names in `/var/lib/dpkg/updates`: a dpkg that was cut off.
    pub pending_updates: usize,
    /// The last run of apt, when it did not end.
    pub upgrade: Option<Upgrade>,
    /// The last line of `/var/log/dpkg.log`.
    pub last_log_line: Option<String>,
    /// The files that the database is made of.
    #[serde(default)]
    pub database: Database,
    /// What `/usr/sbin/policy-rc.d` says, where no package owns it: it keeps
    /// services from being started (invoke-rc.d(8)).
    #[serde(default)]
    pub policy: Option<String>,
    /// Alternatives that lead nowhere.
    #[serde(default)]
    pub broken_alternatives: Vec<BrokenAlternative>,
    /// Links that go with an alternative, and lead nowhere or are missing.
    #[serde(default)]
    pub broken_slaves: Vec<BrokenSlave>,
    /// Files that a cut off dpkg left behind.
    #[serde(default)]
    pub leftovers: Leftovers,
    /// apt's sources, indexes and cached packages.
    #[serde(default)]
    pub apt: Apt,
    /// Where an upgrade stands.
    #[serde(default)]
    pub standing: Standing,
}

/// The files that the database is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Database {
    /// Where it lies: `/var/lib/dpkg`.
    pub home: String,
    /// `status` by the measure of its copies, records in `updates` not merged.
    pub status: Backup,
    /// Older copies of it, the newest first.
    pub backups: Vec<Backup>,
    /// Copies that were too many to be read.
    pub unread_backups: Vec<String>,
    /// `info`.
    pub info: Info,
    /// True when `tmp.ci` holds the control files of a package that was just
    /// being unpacked.
    pub unpacking: bool,
    /// Triggers that wait in `triggers/Unincorp`.
    pub waiting_triggers: usize,
}

impl Database {
    /// The copy of `status` to go back to, when one can be trusted.
    pub fn best_backup(&self) -> Option<&Backup> {
        backups::best(&self.backups)
    }
}

impl Dpkg {
    /// The packages that are neither installed nor removed, worst first.
    pub fn unfinished(&self) -> Vec<&Package> {
        let mut unfinished: Vec<_> = self.packages.iter().filter(|p| p.unfinished()).collect();
        // What dpkg wants to have installed again is worse than its state.
        unfinished.sort_by_key(|p| (!p.broken, p.state, p.name.as_str()));
        unfinished
    }

    /// The packages that are to stay at their version.
    pub fn held(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|p| p.held && p.on_disk())
    }

    /// The package on disk with this label: `name`, or `name:architecture`.
    pub fn labelled(&self, label: &str) -> Option<&Package> {
        let (name, architecture) = match label.split_once(':') {
            Some((name, architecture)) => (name, Some(architecture)),
            None => (label, None),
        };
        let mut all = self.packages.iter().filter(|package| package.on_disk());
        all.find(|package| {
            package.name == name && architecture.is_none_or(|own| own == package.architecture)
        })
    }

    /// The package called `name`, of any architecture.
    pub fn named(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|p| p.name == name)
    }

    /// The intact package in apt's cache of the version with which an upgrade
    /// of `package` goes on.
    pub fn archive_of(&self, package: &Package) -> Option<&str> {
        let mut steps = self.standing.steps.iter();
        let step = steps.find(|step| step.name == package.name);
        let version = step.and_then(|step| step.new.as_deref())?;
        let mut archives = self.apt.cache.archives.iter();
        let found = archives.find(|a| a.package == package.name && a.version == version);
        let found = found.filter(|archive| archive.is_intact());
        found.map(|archive| archive.file.as_str())
    }

    /// True when a package of this name is on the disk in whatever state.
    pub fn has(&self, test: impl Fn(&str) -> bool) -> bool {
        self.packages.iter().any(|p| p.on_disk() && test(&p.name))
    }

    /// True when dpkg or apt was stopped in the middle of something.
    pub fn is_interrupted(&self) -> bool {
        let run = self
            .upgrade
            .as_ref()
            .is_some_and(|run| run.done < run.planned);
        run || self.pending_updates > 0 || self.packages.iter().any(Package::unfinished)
    }
}

/// `/var/lib/dpkg`, or where a renamed `/var` has taken it.
pub(super) fn home(root: &RootDir) -> Option<PathBuf> {
    let usual = PathBuf::from("/var/lib/dpkg");
    if root.symlink_metadata(&usual).is_ok() {
        return (!is_rpms(root, &usual)).then_some(usual);
    }
    let entries = root.read_dir("/").ok()?;
    entries
        .iter()
        .map(|entry| Path::new("/").join(&entry.name).join("lib/dpkg"))
        .find(|path| root.metadata(path.join("info")).is_ok())
}

/// True on a system of rpm's packages, where dpkg may be one of them.
fn is_rpms(root: &RootDir, home: &Path) -> bool {
    const LISTS_MIN: usize = 10;
    let lists = || {
        root.read_dir(home.join("info"))
            .map_or(0, |lists| lists.len())
    };
    super::rpm::has_database(root) && lists() < LISTS_MIN
}

/// Where it lies, and only the packages in it.
pub(in crate::facts) fn database(root: &RootDir) -> Option<(PathBuf, Dpkg)> {
    let home = home(root)?;
    let (mut dpkg, _) = read_status(root, &home.join("status"));
    merge_updates(root, &home, &mut dpkg);
    Some((home, dpkg))
}

/// What `each` makes of the stanza of every package on disk, records that are
/// not merged yet included.
pub(in crate::facts) fn relations<T>(root: &RootDir, each: impl Fn(&[u8]) -> T) -> Vec<T> {
    let Some(home) = home(root) else {
        return Vec::new();
    };
    let merged = stanzas::Stanzas::read(root, &home).unwrap_or_default();
    let on_disk = merged.all().filter(|stanza| {
        let (packages, _) = status::parse(stanza);
        packages.first().is_some_and(Package::on_disk)
    });
    on_disk.map(each).collect()
}

/// The packages in `status` with its faults, and its bytes or why there are
/// none.
fn read_status(root: &RootDir, path: &Path) -> (Dpkg, Result<Vec<u8>, String>) {
    let fault = |what: String| DatabaseFault {
        path: path.display().to_string(),
        what,
    };
    let mut dpkg = Dpkg::default();
    let bytes = root.read(path, LIMIT).map_err(|error| error.to_string());
    match &bytes {
        Ok(bytes) => {
            let (packages, faults) = status::parse(bytes);
            dpkg.packages = packages;
            dpkg.faults.extend(faults.into_iter().map(fault));
        }
        Err(error) => dpkg.faults.push(fault(format!("cannot be read: {error}"))),
    }
    (dpkg, bytes)
}

/// Reads all of it.
pub(super) fn collect(root: &RootDir, home: &Path, depth: Depth) -> (Dpkg, Ownership) {
    let path = home.join("status");
    let lists = info::lists(root, &home.join("info"));
    let said = LastSaid::read(root);
    let (mut dpkg, bytes) = read_status(root, &path);
    let bytes = bytes.as_deref().map_err(Clone::clone);
    dpkg.database.status = Backup::of(root, &path, bytes, &lists, &said);
    merge_updates(root, home, &mut dpkg);
    let owners = Ownership::read(root, home, &mut dpkg);
    around(root, home, &lists, &said, &mut dpkg);
    dpkg.last_log_line = history::last_line(root, "/var/log/dpkg.log");
    let runs = history::runs(root);
    dpkg.upgrade = history::unfinished_run(&runs, &dpkg.packages);
    dpkg.policy = policy(root, &owners);
    let broken = alternatives::broken(root, home, &owners);
    dpkg.broken_alternatives = broken.groups;
    dpkg.broken_slaves = broken.slaves;
    if dpkg.is_interrupted() {
        dpkg.leftovers = leftovers::search(root, &owners);
    }
    let (apt, offers) = apt::collect(root, &dpkg, &runs, depth);
    dpkg.apt = apt;
    dpkg.standing = standing::judge(root, &dpkg, &runs, &offers);
    (dpkg, owners)
}

/// The beginning of a policy that somebody wrote.
fn policy(root: &RootDir, owners: &Ownership) -> Option<String> {
    let text = root.read_text(POLICY, POLICY_MAX).ok()?;
    let by_hand = owners.owner_merged(Path::new(POLICY)).is_none();
    by_hand.then(|| text.chars().take(200).collect())
}

/// What lies around `status`.
fn around(root: &RootDir, home: &Path, lists: &BTreeSet<String>, said: &LastSaid, dpkg: &mut Dpkg) {
    let (backups, unread) = backups::collect(root, home, lists, said);
    let info = info::collect(root, home, lists, &dpkg.packages);
    let control = root.read_dir(home.join("tmp.ci")).unwrap_or_default();
    let triggers = root.read(home.join("triggers/Unincorp"), LIMIT);
    let lacking = &info.without_list;
    if !lacking.is_empty() && !info.is_emptied() {
        let names: Vec<_> = lacking.iter().take(5).map(String::as_str).collect();
        let (count, names) = (lacking.len(), names.join(", "));
        dpkg.faults.push(DatabaseFault {
            path: info.path.clone(),
            what: format!("the list of files is missing of {count} packages: {names}"),
        });
    }
    dpkg.database = Database {
        home: home.display().to_string(),
        backups,
        unread_backups: unread,
        info,
        unpacking: !control.is_empty(),
        waiting_triggers: memchr::memchr_iter(b'\n', &triggers.unwrap_or_default()).count(),
        status: std::mem::take(&mut dpkg.database.status),
    };
}

/// dpkg notes each change of a state in a numbered file first and merges them
/// into `status` from time to time; after a kill they still lie there, and they
/// are newer than it.
fn merge_updates(root: &RootDir, home: &Path, dpkg: &mut Dpkg) {
    let updates = home.join("updates");
    let entries = root.read_dir(&updates).unwrap_or_default();
    let numbered = entries.iter().filter(|entry| {
        let name = entry.name.to_string_lossy();
        !name.is_empty() && name.chars().all(|c| c.is_ascii_digit())
    });
    let key = |p: &Package| (p.name.clone(), p.architecture.clone());
    let mut places: HashMap<_, usize> = HashMap::new();
    let mut budget = LIMIT;
    for entry in numbered {
        let path = updates.join(&entry.name);
        let Ok(bytes) = root.read(&path, budget) else {
            continue;
        };
        budget = budget.saturating_sub(bytes.len() as u64);
        if places.is_empty() {
            places = dpkg.packages.iter().map(key).zip(0..).collect();
        }
        dpkg.pending_updates += 1;
        // The last one may be cut off; then the change did not happen.
        for newer in status::parse(&bytes).0 {
            let last = dpkg.packages.len();
            let place = *places.entry(key(&newer)).or_insert(last);
            match dpkg.packages.get_mut(place) {
                Some(older) => *older = newer,
                None => dpkg.packages.push(newer),
            }
        }
    }
}
