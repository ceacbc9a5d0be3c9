//! Modes and owners as a package's own archive has them, where apt's cache has
//! the archive of exactly the installed version.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::accounts::Accounts;
use super::rights::Rights;
use crate::facts::packages::Package;
use crate::facts::packages::apt::{self, Archive};
use crate::facts::packages::deb::{Deb, Entry, Fault, What};
use crate::facts::packages::dpkg_files::relative;
use crate::sys::root_dir::RootDir;

/// The most bytes of archives that a diagnosis looks into; with `--verify`
/// there is no limit.
const USUAL_MAX: u64 = 64 << 20;

/// Paths of one package that are remembered.
const PATHS_MAX: usize = 1_000_000;

/// The archives that are at hand.
#[derive(Debug)]
pub(super) struct Archives<'r> {
    root: &'r RootDir,
    by_name: HashMap<(String, String, String), Archive>,
    room: AtomicU64,
}

/// What one archive says.
#[derive(Debug, Default)]
pub(super) struct Shipped {
    /// The archive.
    pub(super) file: String,
    /// By the path without its leading slash.
    rights: HashMap<Vec<u8>, Rights>,
}

impl Shipped {
    /// What it gives a path, spelled as in the package's list.
    pub(super) fn get(&self, path: &[u8]) -> Option<&Rights> {
        self.rights.get(path)
    }
}

impl<'r> Archives<'r> {
    pub(super) fn of(root: &'r RootDir, whole: bool) -> Self {
        let cache = apt::archives::collect(root, apt::Conf::of(root).archives());
        let archives = cache.archives.into_iter();
        Self {
            root,
            by_name: archives.map(|archive| (key(&archive), archive)).collect(),
            room: AtomicU64::new(if whole { u64::MAX } else { USUAL_MAX }),
        }
    }

    /// True when no package has its archive here.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Its whole listing; none when it is not there, not whole, or inside not
    /// what its name says.
    pub(super) fn of_package(&self, package: &Package, accounts: &Accounts) -> Option<Shipped> {
        let of = |architecture: &str| {
            let (name, version) = (package.name.clone(), package.version.clone());
            self.by_name.get(&(name, version, architecture.to_owned()))
        };
        let archive = of(&package.architecture).or_else(|| of("all"))?;
        let room = self
            .room
            .fetch_update(Relaxed, Relaxed, |room| room.checked_sub(archive.size));
        room.ok()?;
        self.read(archive, package, accounts).ok()
    }

    fn read(
        &self,
        archive: &Archive,
        package: &Package,
        accounts: &Accounts,
    ) -> Result<Shipped, Fault> {
        let file = self.root.open_file(&archive.file)?;
        let mut deb = Deb::open(file, archive.size)?;
        let control = deb.control()?;
        let said = (&control.package, &control.version);
        if said != (&package.name, &package.version) {
            return Err(Fault::Damaged("it is another package".into()));
        }
        let mut shipped = Shipped {
            file: archive.file.clone(),
            ..Shipped::default()
        };
        deb.each_file(|entry, _| {
            let kept = matches!(entry.what, What::File | What::Directory);
            let path = relative(&entry.path);
            if kept && !path.is_empty() {
                let rights = of_entry(entry, accounts);
                shipped.rights.insert(path.to_owned(), rights);
            }
            Ok(shipped.rights.len() < PATHS_MAX)
        })?;
        Ok(shipped)
    }
}

fn key(archive: &Archive) -> (String, String, String) {
    let Archive {
        package,
        version,
        architecture,
        ..
    } = archive;
    (package.clone(), version.clone(), architecture.clone())
}

/// A name counts before its number (`tar_entry_update_from_system` in
/// lib/dpkg/tarfn.c).
fn of_entry(entry: &Entry, accounts: &Accounts) -> Rights {
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Rights {
        mode: entry.mode,
        uid: accounts.user(&entry.user).unwrap_or(number(entry.uid)),
        gid: accounts.group(&entry.group).unwrap_or(number(entry.gid)),
    }
}
