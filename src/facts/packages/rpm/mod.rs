//! rpm's database: which packages there are, and what dnf or yum was doing.
//! SQLite's (`facts::database`), `ndb` and `bdb` are the three kinds of databases
//! that rpm had, `header` and `package` what they hold.

use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use super::DatabaseFault;
use crate::facts::database::bytes::Bytes;
use crate::facts::database::sqlite::{self, Trouble};
use crate::sys::root_dir::RootDir;

pub mod bdb;
pub mod header;
mod multiple;
pub mod ndb;
pub mod package;
mod planned;
pub mod unfinished;

use header::{Header, tag};
pub use package::Package;
pub use unfinished::{OfflineUpdate, Unfinished};

/// Where the database lies (`_dbpath` in rpm's macros): the second one is
/// usually a link to the first, or the first is not there.
const HOMES: [&str; 2] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];

/// Packages that are read.
const PACKAGES_MAX: usize = 100_000;

/// The kind of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `rpmdb.sqlite`.
    Sqlite,
    /// `Packages.db`.
    Ndb,
    /// `Packages`, of Berkeley DB.
    Bdb,
}

impl Format {
    /// Its name in rpm's `_db_backend`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Ndb => "ndb",
            Self::Bdb => "bdb",
        }
    }
}

const FILES: [(&str, Format); 3] = [
    ("rpmdb.sqlite", Format::Sqlite),
    ("Packages.db", Format::Ndb),
    ("Packages", Format::Bdb),
];

/// A database that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    /// Its file.
    pub path: String,
    /// Its kind.
    pub format: Format,
}

/// rpm's database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rpm {
    /// Where it lies; none where only its directory is left.
    pub place: Option<Place>,
    /// Its directory.
    pub home: String,
    /// Further databases, which are older.
    pub older: Vec<String>,
    /// The packages that it knows, by name.
    pub packages: Vec<Package>,
    /// What is wrong with it.
    pub faults: Vec<DatabaseFault>,
    /// Shared memory of Berkeley DB that somebody left behind.
    pub stale: Vec<String>,
    /// The last transaction, where it did not end.
    pub unfinished: Option<Unfinished>,
    /// An update that is to be done by the next boot.
    pub offline_update: Option<OfflineUpdate>,
}

/// A package that is there in several versions and should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate<'r> {
    /// The one that was installed last.
    pub newest: &'r Package,
    /// The others.
    pub older: Vec<&'r Package>,
}

impl Rpm {
    /// Packages of one name and architecture that are there twice, those apart
    /// of which that is meant.
    pub fn duplicates(&self) -> Vec<Duplicate<'_>> {
        let mut same: BTreeMap<(&str, Option<&str>), Vec<&Package>> = BTreeMap::new();
        for package in self.packages.iter().filter(|package| !package.is_multiple) {
            let key = (package.name.as_str(), package.architecture.as_deref());
            same.entry(key).or_default().push(package);
        }
        let several = same.into_values().filter(|packages| packages.len() > 1);
        let duplicates = several.filter_map(|mut packages| {
            packages.sort_by_key(|package| (package.installed, package.number));
            let newest = packages.pop()?;
            let older = packages;
            Some(Duplicate { newest, older })
        });
        duplicates.collect()
    }
}

/// The database of the patient, and further ones that are older.
fn places(root: &RootDir) -> Vec<Place> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for home in HOMES {
        for (name, format) in FILES {
            let path = format!("{home}/{name}");
            if let Ok(meta) = root.metadata(&path)
                && seen.insert((meta.dev, meta.ino))
            {
                found.push((meta.mtime, Place { path, format }));
            }
        }
    }
    // Converting leaves the old one behind for a while.
    found.sort_by_key(|(mtime, _)| std::cmp::Reverse(*mtime));
    found.into_iter().map(|(_, place)| place).collect()
}

/// The directory of a database, where there is one or should be.
pub(super) fn home(root: &RootDir) -> Option<&'static str> {
    HOMES.into_iter().find(|home| root.read_dir(home).is_ok())
}

/// True when there is a database, in whatever state.
pub(super) fn has_database(root: &RootDir) -> bool {
    !places(root).is_empty()
}

/// Reads it.
pub(super) fn collect(root: &RootDir) -> Rpm {
    let mut places = places(root).into_iter();
    let place = places.next();
    let mut rpm = Rpm {
        home: home(root).unwrap_or(HOMES[1]).to_owned(),
        older: places.map(|place| place.path).collect(),
        ..Rpm::default()
    };
    match &place {
        Some(place) => {
            let multiple = multiple::Names::of(root);
            rpm.faults = read(root, place, &mut |mut package, header| {
                package.is_multiple = multiple.has(&package, header);
                rpm.packages.push(package);
            });
            if let Some((home, _)) = place.path.rsplit_once('/') {
                home.clone_into(&mut rpm.home);
            }
        }
        None => rpm.faults.push(DatabaseFault {
            path: rpm.home.clone(),
            what: "there is no database in it".into(),
        }),
    }
    let key = |p: &Package| (p.name.clone(), p.installed, p.number);
    rpm.packages.sort_by_cached_key(key);
    let entries = root.read_dir(&rpm.home).unwrap_or_default();
    let names = entries.iter().map(|entry| entry.name.to_string_lossy());
    let stale = names.filter(|name| name.starts_with("__db."));
    rpm.stale = stale.map(|name| format!("{}/{name}", rpm.home)).collect();
    rpm.stale.sort_unstable();
    rpm.place = place;
    let all = rpm.faults.is_empty().then_some(rpm.packages.as_slice());
    rpm.unfinished = unfinished::collect(root, all);
    rpm.offline_update = unfinished::offline_update(root);
    rpm
}

/// Hands out each package of the database with its header, and tells what is
/// wrong with the database. What is damaged is not handed out, as rpm leaves
/// it out, too.
pub(crate) fn read(
    root: &RootDir,
    place: &Place,
    take: &mut dyn FnMut(Package, &Header<'_>),
) -> Vec<DatabaseFault> {
    let mut trouble = Trouble::default();
    let mut damaged = Trouble::default();
    let mut count = 0;
    let mut each = |number: u32, bytes: Vec<u8>| {
        count += 1;
        if count > PACKAGES_MAX {
            damaged.add(format!(
                "more than {PACKAGES_MAX} packages: the rest was not read"
            ));
            return;
        }
        match package_of(number, &bytes) {
            Ok((package, header)) => take(package, &header),
            Err(why) => damaged.add(why),
        }
    };
    match Bytes::open(root, &place.path) {
        Ok(bytes) => match place.format {
            Format::Sqlite => read_sqlite(root, place, bytes, &mut trouble, &mut each),
            Format::Ndb => ndb::read(&bytes, &mut trouble, &mut each),
            Format::Bdb => bdb::read(&bytes, &mut trouble, &mut each),
        },
        Err(error) => trouble.add(format!("cannot be read: {error}")),
    }
    if count == 0 && trouble.0.is_empty() {
        trouble.add("it knows no package".into());
    }
    let whats = trouble.0.into_iter().chain(damaged.0);
    let faults = whats.map(|what| DatabaseFault {
        path: place.path.clone(),
        what,
    });
    faults.collect()
}

fn read_sqlite(
    root: &RootDir,
    place: &Place,
    bytes: Bytes,
    trouble: &mut Trouble,
    each: &mut dyn FnMut(u32, Vec<u8>),
) {
    let log = match Bytes::open(root, format!("{}-wal", place.path)) {
        Ok(log) => Some(log),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            trouble.add(format!("its write-ahead log cannot be read: {error}"));
            None
        }
    };
    let database = match sqlite::Database::open(bytes, log) {
        Ok(database) => database,
        Err(why) => return trouble.add(why),
    };
    database
        .trouble()
        .into_iter()
        .for_each(|what| trouble.add(what));
    let found = database.rows("Packages", trouble, &mut |number, row| {
        if let Some(sqlite::Value::Bytes(blob)) = row.into_iter().nth(1) {
            each(u32::try_from(number).unwrap_or(0), blob);
        }
    });
    if !found {
        trouble.add("it has no table of packages".into());
    }
}

fn package_of(number: u32, bytes: &[u8]) -> Result<(Package, Header<'_>), String> {
    let broken = |why: String| format!("package #{number}: {why}");
    let header = Header::parse(bytes).map_err(broken)?;
    let package = Package::of(number, &header);
    let package = package.ok_or_else(|| broken("its record names no package".into()))?;
    match header.is_as_signed() {
        Some(false) => Err(format!(
            "package #{number} ({}): its record was changed: its digest is wrong",
            header.text(tag::NAME).unwrap_or_default()
        )),
        _ => Ok((package, header)),
    }
}

/// The place of the database, for whoever reads all of it.
pub(crate) fn place(root: &RootDir) -> Option<Place> {
    places(root).into_iter().next()
}
