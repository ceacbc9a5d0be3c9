//! The files of packages against what their packages say of them: missing,
//! changed, cut off, replaced. `docs/packages.md` tells the rules.
//!
//! `owned` reads dpkg's lists, `rpm`, `pacman` and `apk` the databases of these,
//! `look` looks at every path once, `hash` reads what has a checksum, `compare`
//! puts both together, and `told` leaves out what is absent on purpose or told
//! elsewhere.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::packages::{self, State};
use crate::sys::root_dir::RootDir;

pub mod accounts;
mod apk;
mod application;
mod attributes;
mod boot;
mod compare;
mod cut_off;
pub mod damage;
mod digest;
mod hash;
mod lone;
mod look;
mod meant;
mod modes;
mod owned;
mod pacman;
mod pacman_lines;
mod rights;
mod rpm;
mod scripts;
mod shipped;
mod strict;
mod told;
mod usual;

pub(super) use boot::{BootFiles, hidden};
use compare::Depth;
pub use damage::{Damage, Damaged};
pub use hash::Told;
pub use lone::{Lone, Says};
pub use modes::{Change, Extent, Permissions};
use owned::Owned;
pub use rights::Shown;

/// Whose packages are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// dpkg's.
    #[default]
    Dpkg,
    /// rpm's.
    Rpm,
    /// pacman's.
    Pacman,
    /// apk's.
    Apk,
}

impl Manager {
    /// The command that puts packages in once more.
    pub fn reinstall(self) -> &'static str {
        match self {
            Self::Dpkg => "apt-get install --reinstall",
            Self::Rpm => "dnf reinstall",
            Self::Pacman => "pacman -S",
            Self::Apk => "apk fix --reinstall",
        }
    }
}

/// A file whose mode, owner or link is not as its package shipped it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unshipped {
    /// The package.
    pub package: String,
    /// The file.
    pub path: String,
    /// What is different.
    pub what: String,
}

/// What is wrong with the files of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PackageDamage {
    /// Its name; with its architecture, if it is there twice.
    pub package: String,
    /// Its version.
    pub version: String,
    /// How far it is.
    pub state: State,
    /// Files that are wrong, the worst first: what the boot needs, then what
    /// is lost for certain. Configuration files are not among them.
    pub files: Vec<Damaged>,
    /// Further ones that are not listed.
    pub more: usize,
}

/// Configuration files of one package that are not as it shipped them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Configuration {
    /// The package.
    pub package: String,
    /// Its files.
    pub files: Vec<Damaged>,
}

/// Something in dpkg's database that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// Files that are absent or different, and of which that is no fault or told
/// elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotTold {
    /// Left out by `path-exclude` of dpkg's configuration.
    pub left_out: usize,
    /// Documentation and translations, which images are stripped of.
    pub documentation: usize,
    /// Directories that are emptied in passing: caches, logs, run-time state.
    pub volatile: usize,
    /// Behind a directory that was replaced, or a filesystem not mounted.
    pub hidden: usize,
    /// Of packages that were cut off while they were unpacked.
    pub between_versions: usize,
}

/// The files of all packages, as far as they were compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Integrity {
    /// Whose packages they are.
    #[serde(default)]
    pub manager: Manager,
    /// Packages whose lists were read.
    pub packages: usize,
    /// Paths that they own; each was looked at.
    pub paths: usize,
    /// Files that were read and compared.
    pub read: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files with a checksum that were not read.
    pub unread: usize,
    /// Packages with files and without checksums.
    pub without_sums: Vec<String>,
    /// What could not be used.
    pub faults: Vec<Fault>,
    /// What is wrong with the list of packages itself: what it lost was not
    /// compared.
    #[serde(default)]
    pub database: Vec<Fault>,
    /// Damage, by package; the boot's first.
    pub damaged: Vec<PackageDamage>,
    /// Configuration files apart: changing them is what they are for.
    pub configuration: Vec<Configuration>,
    /// What is not told.
    pub not_told: NotTold,
    /// Modes and owners.
    #[serde(default)]
    pub permissions: Permissions,
    /// Single files whose mode, owner or link is not as shipped, where the
    /// database knows that.
    #[serde(default)]
    pub unshipped: Vec<Unshipped>,
}

/// What is to be compared.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Read every file with a checksum, not only the boot's.
    pub(super) whole: bool,
    /// Paths behind which nothing is to be expected.
    pub(super) hidden: Vec<PathBuf>,
    /// What the boot needs.
    pub(super) boot: BootFiles,
}

/// What is wrong with the list of packages.
fn faults_of(dpkg: &packages::Dpkg) -> Vec<Fault> {
    let faults = dpkg.faults.iter().map(|fault| Fault {
        path: fault.path.clone(),
        what: fault.what.clone(),
    });
    faults.collect()
}

/// What the packages with these names own, or all packages, and what is wrong
/// with their list; none when the root has no database that is understood.
fn owned(root: &RootDir, names: &[String]) -> Option<(Owned, Vec<Fault>)> {
    if let Some((base, dpkg)) = packages::dpkg::database(root) {
        let database = faults_of(&dpkg);
        return Some((Owned::read(root, &base, dpkg, names), database));
    }
    // In the order in which the root is asked what it has.
    rpm::owned(root, names)
        .or_else(|| pacman::owned(root, names))
        .or_else(|| apk::owned(root, names))
}

/// Compares for a diagnosis.
pub(super) fn collect(root: &RootDir, scope: &Scope, told: &mut Told<'_>) -> Integrity {
    let Some((owned, database)) = owned(root, &[]) else {
        return Integrity::default();
    };
    let depth = match scope.whole {
        true => Depth::All,
        false => Depth::Only(scope.boot.ids()),
    };
    let compared = compare::compare(root, owned, depth, told);
    Integrity {
        database,
        ..told::summary(root, compared, scope)
    }
}

/// What is wrong with the files at these paths, of the packages with these
/// names: they are read.
pub(super) fn at_fault(root: &RootDir, names: &[String], paths: &[String]) -> Vec<PackageDamage> {
    let Some((owned, _)) = owned(root, names) else {
        return Vec::new();
    };
    let scope = Scope {
        boot: BootFiles::at(root, paths),
        ..Scope::default()
    };
    let compared = compare::compare(root, owned, Depth::Only(scope.boot.ids()), &mut |_, _| {});
    let mut damaged = told::summary(root, compared, &scope).damaged;
    for package in &mut damaged {
        package.files.retain(|file| file.is_critical);
    }
    damaged
}

/// The answer to the question for packages.
#[derive(Debug)]
pub struct Answer {
    /// The summary.
    pub integrity: Integrity,
    /// The lines of `dpkg --verify`.
    pub dpkg_lines: Vec<String>,
    /// The lines of `rpm --verify`, for packages of rpm's.
    pub rpm_lines: Vec<String>,
    /// The lines of `pacman -Qkk`, for packages of pacman's.
    pub pacman_lines: Vec<String>,
    /// Names that no installed package has.
    pub unknown: Vec<String>,
}

/// Compares every file of the packages with these names, or of all packages;
/// none when the root has no database that is understood. When something is
/// wrong, `diagnose` is asked what the boot needs, and where nothing is to be
/// expected.
pub fn verify(
    root: &RootDir,
    names: &[String],
    diagnose: impl FnOnce() -> Option<super::Tree>,
    told: &mut Told<'_>,
) -> Option<Answer> {
    let (owned, database) = owned(root, names)?;
    let unknown = names
        .iter()
        .filter(|name| !owned.has(name))
        .cloned()
        .collect();
    let compared = compare::compare(root, owned, Depth::All, told);
    let wrong = compared.wrong.iter();
    let dpkg_lines = wrong
        .filter_map(|wrong| wrong.damaged.dpkg_line())
        .collect();
    let (rpm_lines, pacman_lines) = match compared.owned.manager {
        Manager::Rpm => (compared.rpm_lines(), Vec::new()),
        Manager::Pacman => (Vec::new(), compared.pacman_lines()),
        Manager::Dpkg | Manager::Apk => Default::default(),
    };
    let tree = if compared.wrong.is_empty() {
        None
    } else {
        diagnose()
    };
    let all = || Scope {
        whole: true,
        ..Scope::default()
    };
    let scope = tree.map_or_else(all, |tree| Scope::of(root, &tree));
    Some(Answer {
        integrity: Integrity {
            database,
            ..told::summary(root, compared, &scope)
        },
        dpkg_lines,
        rpm_lines,
        pacman_lines,
        unknown,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_list_of_packages_that_was_lost_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("var/lib/dpkg");
        std::fs::create_dir_all(home.join("info")).unwrap();
        std::fs::write(home.join("status"), "").unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        let answer = verify(&root, &[], || None, &mut |_, _| {}).unwrap();
        let database = &answer.integrity.database;
        assert_eq!(database[0].path, "/var/lib/dpkg/status");
    }
}
