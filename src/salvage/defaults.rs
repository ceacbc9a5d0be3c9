//! What the packages put into place: what of it differs has to be saved.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use md5::{Digest, Md5};

use super::record;
use crate::facts::packages::dpkg_files::{Md5Sum, relative};
use crate::facts::packages::{self, Depth, Ownership, Packages, apt};
use crate::sys::root_dir::RootDir;

/// What is known of the packages of a root.
#[derive(Debug, Default)]
pub struct Defaults {
    /// The packages.
    pub packages: Vec<record::Package>,
    /// Whose packages they are.
    pub manager: Option<&'static str>,
    owners: Ownership,
    /// Digests by relative path; several where several packages had it.
    conffiles: HashMap<Vec<u8>, Vec<Md5Sum>>,
}

impl Defaults {
    /// Reads the database of packages.
    pub fn of(root: &RootDir) -> Self {
        let (found, owners) = packages::collect(root, Depth::Usual);
        let (manager, packages) = list(root, &found);
        let mut conffiles: HashMap<Vec<u8>, Vec<Md5Sum>> = HashMap::new();
        let all = packages::conffiles(root).unwrap_or_default();
        for conffile in all.into_values().flatten() {
            let sums = conffiles.entry(conffile.path).or_default();
            sums.extend(conffile.sum);
        }
        Self {
            packages,
            manager,
            owners,
            conffiles,
        }
    }

    /// True when it is known which paths packages own, and what they shipped.
    pub fn are_known(&self) -> bool {
        !self.owners.is_empty() && !self.conffiles.is_empty()
    }

    /// The package that owns a path.
    pub fn owner(&self, path: &Path) -> Option<&str> {
        self.owners.owner_merged(path)
    }

    /// True when a configuration file is what its package shipped.
    pub fn is_as_shipped(&self, path: &Path, content: &[u8]) -> bool {
        let sums = self.conffiles.get(relative(path.as_os_str().as_bytes()));
        sums.is_some_and(|sums| {
            let own: Md5Sum = Md5::digest(content).into();
            sums.contains(&own)
        })
    }
}

fn list(root: &RootDir, found: &Packages) -> (Option<&'static str>, Vec<record::Package>) {
    match found {
        Packages::Dpkg(dpkg) => {
            let automatic = apt::automatic_names(root).unwrap_or_default();
            let automatic: std::collections::HashSet<_> = automatic.into_iter().collect();
            let packages = dpkg.packages.iter().map(|package| {
                let key = (package.name.clone(), package.architecture.clone());
                record::Package {
                    automatic: automatic.contains(&key),
                    name: key.0,
                    architecture: key.1,
                    version: package.version.clone(),
                    state: package.state.word().to_owned(),
                    held: package.held,
                }
            });
            (Some("dpkg"), packages.collect())
        }
        Packages::Rpm(rpm) => {
            let packages = rpm.packages.iter().map(|package| {
                let architecture = package.architecture.as_deref().unwrap_or_default();
                plain(&package.name, architecture, package.full_version())
            });
            (Some("rpm"), packages.collect())
        }
        Packages::Pacman(pacman) => (Some("pacman"), of_installed(&pacman.packages)),
        Packages::Apk(apk) => (Some("apk"), of_installed(&apk.packages)),
        Packages::None => (None, Vec::new()),
    }
}

fn of_installed(packages: &[packages::Installed]) -> Vec<record::Package> {
    let all = packages.iter();
    let all = all.map(|one| plain(&one.name, &one.architecture, one.version.clone()));
    all.collect()
}

fn plain(name: &str, architecture: &str, version: String) -> record::Package {
    record::Package {
        name: name.to_owned(),
        architecture: architecture.to_owned(),
        version,
        state: "installed".into(),
        automatic: false,
        held: false,
    }
}
