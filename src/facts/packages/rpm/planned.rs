//! Which packages a transaction of dnf was to install, and how many of them
//! rpm's own database has.

use std::collections::{BTreeMap, HashSet};

use super::package::Package;
use crate::facts::database::sqlite::{Database, Trouble, Value};

/// Packages of one transaction that are looked for.
const ITEMS_MAX: usize = 100_000;

/// Tables in which dnf5 keeps names and architectures; dnf has both in the row
/// of the package.
const NAMES: [&str; 2] = ["pkg_name", "pkg_names"];
const ARCHITECTURES: [&str; 2] = ["arch", "archs"];

/// How many of the items with these numbers are packages, and how many of these
/// are not installed; none where that cannot be known.
pub(super) fn count(
    database: &Database,
    items: &HashSet<i64>,
    installed: &[Package],
) -> Option<(usize, usize)> {
    let mut trouble = Trouble::default();
    let mut planned: BTreeMap<i64, Planned> = BTreeMap::new();
    let is_found = items.len() <= ITEMS_MAX
        && database.rows("rpm", &mut trouble, &mut |_, row| {
            if let Some((item, package)) = Planned::of(row)
                && items.contains(&item)
            {
                planned.insert(item, package);
            }
        });
    if !is_found || !trouble.0.is_empty() {
        return None;
    }
    let names = planned.values().filter_map(|p| p.name.number());
    let names = words(database, &NAMES, names.collect())?;
    let numbers = planned.values().filter_map(|p| p.architecture.number());
    let architectures = words(database, &ARCHITECTURES, numbers.collect())?;
    let installed: HashSet<Key<'_>> = installed.iter().map(key).collect();
    let mut left = 0;
    for package in planned.values() {
        let key = (
            package.name.text(&names)?,
            package.epoch,
            package.version.as_slice(),
            package.release.as_slice(),
            package.architecture.text(&architectures)?,
        );
        left += usize::from(!installed.contains(&key));
    }
    // The others are groups of packages.
    Some((planned.len(), left))
}

/// What tells two packages apart: name, epoch, version, release, architecture.
type Key<'p> = (&'p [u8], i64, &'p [u8], &'p [u8], &'p [u8]);

fn key(package: &Package) -> Key<'_> {
    let architecture = package.architecture.as_deref().unwrap_or_default();
    (
        package.name.as_bytes(),
        // dnf writes none as 0.
        package
            .epoch
            .and_then(|e| i64::try_from(e).ok())
            .unwrap_or(0),
        package.version.as_bytes(),
        package.release.as_bytes(),
        architecture.as_bytes(),
    )
}

/// A row of the table `rpm`: item_id, name, epoch, version, release, arch.
struct Planned {
    name: Word,
    epoch: i64,
    version: Vec<u8>,
    release: Vec<u8>,
    architecture: Word,
}

impl Planned {
    fn of(row: Vec<Value>) -> Option<(i64, Self)> {
        let mut row = row.into_iter();
        let mut next = || row.next();
        let (Some(Value::Integer(item)), Some(name), Some(Value::Integer(epoch))) =
            (next(), next(), next())
        else {
            return None;
        };
        let (Some(Value::Bytes(version)), Some(Value::Bytes(release)), Some(architecture)) =
            (next(), next(), next())
        else {
            return None;
        };
        let package = Self {
            name: Word::of(name)?,
            epoch,
            version,
            release,
            architecture: Word::of(architecture)?,
        };
        Some((item, package))
    }
}

/// A text, or the number of one in a table of its own.
enum Word {
    Text(Vec<u8>),
    Number(i64),
}

impl Word {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Bytes(text) => Some(Self::Text(text)),
            Value::Integer(number) => Some(Self::Number(number)),
            Value::Other => None,
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Text(_) => None,
            Self::Number(number) => Some(*number),
        }
    }

    fn text<'w>(&'w self, words: &'w BTreeMap<i64, Vec<u8>>) -> Option<&'w [u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => words.get(number).map(Vec::as_slice),
        }
    }
}

/// The texts with these numbers, from the first of the tables that there is.
fn words(
    database: &Database,
    tables: &[&str],
    wanted: HashSet<i64>,
) -> Option<BTreeMap<i64, Vec<u8>>> {
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Some(found);
    }
    let mut trouble = Trouble::default();
    tables.iter().find(|table| {
        database.rows(table, &mut trouble, &mut |id, row| {
            if let Some(Value::Bytes(text)) = row.into_iter().nth(1)
                && wanted.contains(&id)
            {
                found.insert(id, text);
            }
        })
    })?;
    trouble.0.is_empty().then_some(found)
}
