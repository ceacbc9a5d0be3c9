//! What the patient's package manager believes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;

pub mod apk;
pub mod apk_files;
pub mod apt;
pub mod control;
pub mod deb;
pub mod dpkg;
pub mod dpkg_files;
pub mod history;
pub mod mtree;
mod ownership;
pub mod pacman;
pub mod pacman_files;
pub mod relations;
pub mod rpm;
pub mod standing;
pub mod unpack;
pub mod version;

pub use apk::Apk;
pub use dpkg::{DatabaseFault, Dpkg, Package, State, status};
pub use history::Upgrade;
pub use ownership::Ownership;
pub use pacman::{Installed, Pacman};
pub use rpm::Rpm;

/// Files of dpkg are text of at most this size (a status file of a machine
/// with 10,000 packages has 20 MB).
pub(super) const LIMIT: u64 = 256 << 20;

/// The package database, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Packages {
    /// dpkg's.
    Dpkg(Box<Dpkg>),
    /// pacman's.
    Pacman(Pacman),
    /// apk's.
    Apk(Apk),
    /// rpm's.
    Rpm(Box<Rpm>),
    /// No database was found.
    None,
}

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What the diagnosis needs.
    Usual,
    /// Every byte of the cached packages as well, where an upgrade is
    /// unfinished.
    Digests,
}

/// Reads the database of whichever manager the root has.
pub fn collect(root: &RootDir, depth: Depth) -> (Packages, Ownership) {
    if let Some(home) = dpkg::home(root) {
        let (dpkg, owners) = dpkg::collect(root, &home, depth);
        return (Packages::Dpkg(Box::new(dpkg)), owners);
    }
    let has = |path| root.symlink_metadata(path).is_ok();
    let rpm = || Packages::Rpm(Box::new(rpm::collect(root)));
    // Others may have an empty directory of rpm's.
    let packages = match () {
        () if rpm::has_database(root) => rpm(),
        () if has(pacman::LOCAL) => Packages::Pacman(pacman::collect(root)),
        () if has(apk::PLACE) => Packages::Apk(apk::collect(root)),
        () if rpm::home(root).is_some() => rpm(),
        () => Packages::None,
    };
    (packages, Ownership::default())
}

/// The configuration files of dpkg's packages; none where there is no dpkg.
pub fn conffiles(root: &RootDir) -> Option<dpkg_files::conffiles::Conffiles> {
    let home = dpkg::home(root)?;
    Some(dpkg_files::conffiles::of(root, &home))
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
