//! What the patient's package manager believes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;

pub mod apk;
pub mod history;
mod ownership;
pub mod pacman;
pub mod status;

pub use apk::Apk;
pub use history::Upgrade;
pub use ownership::Ownership;
pub use pacman::{Installed, Pacman};
pub use status::{Package, State};

/// Files of dpkg are text of at most this size (a status file of a machine
/// with 10,000 packages has 20 MB).
const LIMIT: u64 = 256 << 20;

/// A fault of the database itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFault {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// The package database, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Packages {
    /// dpkg's.
    Dpkg(Dpkg),
    /// pacman's.
    Pacman(Pacman),
    /// apk's.
    Apk(Apk),
    /// Another manager's, which is not read by this version.
    Other {
        /// `rpm`.
        manager: String,
    },
    /// No database was found.
    None,
}

/// dpkg's database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Dpkg {
    /// The packages that are neither installed nor removed, worst first.
    pub fn unfinished(&self) -> Vec<&Package> {
        let mut unfinished: Vec<_> = self.packages.iter().filter(|p| p.unfinished()).collect();
        unfinished.sort_by(|a, b| a.state.cmp(&b.state).then_with(|| a.name.cmp(&b.name)));
        unfinished
    }

    /// The package called `name`, of any architecture.
    pub fn named(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|p| p.name == name)
    }

    /// True when a package of this name is on the disk in whatever state.
    pub fn has(&self, test: impl Fn(&str) -> bool) -> bool {
        self.packages.iter().any(|p| p.on_disk() && test(&p.name))
    }
}

/// Reads the database of whichever manager the root has.
pub(super) fn collect(root: &RootDir) -> (Packages, Ownership) {
    if let Some(base) = dpkg_home(root) {
        let (dpkg, owners) = dpkg(root, &base);
        return (Packages::Dpkg(dpkg), owners);
    }
    let others = [
        ("rpm", "/usr/lib/sysimage/rpm"),
        ("rpm", "/var/lib/rpm"),
        ("pacman", pacman::LOCAL),
        ("apk", apk::PLACE),
    ];
    let found = others
        .iter()
        .find(|(_, path)| root.symlink_metadata(path).is_ok());
    let packages = match found {
        Some(("pacman", _)) => Packages::Pacman(pacman::collect(root)),
        Some(("apk", _)) => Packages::Apk(apk::collect(root)),
        Some((manager, _)) => Packages::Other {
            manager: (*manager).to_owned(),
        },
        None => Packages::None,
    };
    (packages, Ownership::default())
}

/// `/var/lib/dpkg`, or where a renamed `/var` has taken it.
fn dpkg_home(root: &RootDir) -> Option<PathBuf> {
    let usual = PathBuf::from("/var/lib/dpkg");
    if root.symlink_metadata(&usual).is_ok() {
        return Some(usual);
    }
    let entries = root.read_dir("/").ok()?;
    entries
        .iter()
        .map(|entry| Path::new("/").join(&entry.name).join("lib/dpkg"))
        .find(|path| root.metadata(path.join("info")).is_ok())
}

fn dpkg(root: &RootDir, base: &Path) -> (Dpkg, Ownership) {
    let path = base.join("status");
    let fault = |what: String| DatabaseFault {
        path: path.display().to_string(),
        what,
    };
    let mut dpkg = Dpkg::default();
    match root.read(&path, LIMIT) {
        Ok(bytes) => {
            let (packages, faults) = status::parse(&bytes);
            dpkg.packages = packages;
            dpkg.faults.extend(faults.into_iter().map(fault));
        }
        Err(error) => dpkg.faults.push(fault(format!("cannot be read: {error}"))),
    }
    merge_updates(root, base, &mut dpkg);
    let owners = Ownership::read(root, base, &mut dpkg);
    dpkg.last_log_line = history::last_line(root, "/var/log/dpkg.log");
    dpkg.upgrade = history::unfinished_run(root, &dpkg.packages);
    (dpkg, owners)
}

/// dpkg notes each change of a state in a numbered file first and merges them
/// into `status` from time to time; after a kill they still lie there, and they
/// are newer than it.
fn merge_updates(root: &RootDir, base: &Path, dpkg: &mut Dpkg) {
    let updates = base.join("updates");
    let entries = root.read_dir(&updates).unwrap_or_default();
    let numbered = entries.iter().filter(|entry| {
        let name = entry.name.to_string_lossy();
        !name.is_empty() && name.chars().all(|c| c.is_ascii_digit())
    });
    for entry in numbered {
        let path = updates.join(&entry.name);
        let Ok(bytes) = root.read(&path, LIMIT) else {
            continue;
        };
        dpkg.pending_updates += 1;
        // The last one may be cut off; then the change did not happen.
        for newer in status::parse(&bytes).0 {
            let same = |p: &Package| p.name == newer.name && p.architecture == newer.architecture;
            match dpkg.packages.iter_mut().find(|p| same(p)) {
                Some(older) => *older = newer,
                None => dpkg.packages.push(newer),
            }
        }
    }
}

/// Counts by state, for a sentence.
pub fn count_states(packages: &[&Package]) -> String {
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for package in packages {
        *counts.entry(package.state).or_default() += 1;
    }
    let words: Vec<_> = counts
        .iter()
        .map(|(state, count)| format!("{count} {}", state.word()))
        .collect();
    words.join(", ")
}
