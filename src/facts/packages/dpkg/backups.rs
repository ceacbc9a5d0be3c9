//! Older copies of `status`, and which of them is the best one.
//!
//! dpkg keeps the state before its last run as `status-old`; a daily job keeps
//! seven more as `/var/backups/dpkg.status.*` (dpkg's `dpkg-db-backup`).

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::io::BufReader;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::info::has_list;
use super::log::LastSaid;
use super::status;
use crate::date::date;
use crate::facts::packages::{LIMIT, unpack};
use crate::sys::root_dir::RootDir;

/// The most copies that are read.
const COPIES_MAX: usize = 16;

/// Bytes of all copies together; beyond it copies are named and not read.
const BYTES_MAX: u64 = 512 << 20;

/// One copy, or the database itself by the same measure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Backup {
    /// Where it lies.
    pub path: String,
    /// Its modification time, seconds since 1970.
    pub modified: i64,
    /// Bytes, unpacked.
    #[serde(default)]
    pub bytes: u64,
    /// Stanzas that could be read.
    pub packages: usize,
    /// What is wrong with it; nothing: it is whole.
    pub faults: Vec<String>,
    /// Packages of which dpkg.log says something newer; none when there is no
    /// log to tell.
    pub behind_log: Option<usize>,
    /// Packages on disk by this copy that have no list of files in `info`.
    pub without_list: usize,
    /// Lists of files in `info` whose package it does not know.
    pub unknown_lists: usize,
}

impl Backup {
    /// True when nothing is wrong with it and it knows something.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.packages > 0
    }

    /// How many packages it is wrong about, as far as that can be told.
    pub fn wrong_about(&self) -> usize {
        let lists = self.without_list + self.unknown_lists;
        self.behind_log.unwrap_or(0).max(lists)
    }

    /// Reads one.
    pub(super) fn of(
        root: &RootDir,
        path: &Path,
        bytes: Result<&[u8], String>,
        lists: &BTreeSet<String>,
        said: &LastSaid,
    ) -> Self {
        let length = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let (packages, faults) = match bytes {
            Ok(bytes) => status::parse(bytes),
            Err(why) => (Vec::new(), vec![format!("cannot be read: {why}")]),
        };
        let stems = packages.iter().map(status::Package::info_stem);
        let names = packages.iter().map(|package| package.name.clone());
        let known: HashSet<String> = stems.chain(names).collect();
        let on_disk = packages.iter().filter(|p| p.on_disk());
        Self {
            path: path.display().to_string(),
            modified: root.metadata(path).map_or(0, |meta| meta.mtime),
            bytes: length,
            packages: packages.len(),
            behind_log: said.differing(&packages),
            without_list: on_disk.filter(|p| !has_list(lists, p)).count(),
            unknown_lists: lists.iter().filter(|list| !known.contains(*list)).count(),
            faults,
        }
    }
}

impl fmt::Display for Backup {
    /// What it is and how far it can be trusted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = date(u64::try_from(self.modified).unwrap_or(0));
        write!(f, "{} of {day}, {} packages", self.path, self.packages)?;
        if let Some(fault) = self.faults.first() {
            return write!(f, "; {fault}");
        }
        match self.behind_log {
            Some(0) => write!(f, "; dpkg.log says nothing newer")?,
            Some(count) => write!(f, "; dpkg.log says something else of {count} packages")?,
            None => write!(f, "; no dpkg.log to compare it with")?,
        }
        if self.without_list + self.unknown_lists > 0 {
            let (without, unknown) = (self.without_list, self.unknown_lists);
            write!(
                f,
                "; {without} without a file list, {unknown} lists it does not know"
            )?;
        }
        Ok(())
    }
}

/// Reads every copy, the newest first; the second list are those that were too
/// many.
pub(super) fn collect(
    root: &RootDir,
    home: &Path,
    lists: &BTreeSet<String>,
    said: &LastSaid,
) -> (Vec<Backup>, Vec<String>) {
    // A renamed /var takes its backups along.
    let var = home.parent().and_then(Path::parent);
    let folder = var.unwrap_or(Path::new("/var")).join("backups");
    let mut paths = vec![home.join("status-old")];
    let entries = root.read_dir(&folder).unwrap_or_default();
    let named = entries
        .iter()
        .filter(|e| e.name.to_string_lossy().starts_with("dpkg.status."));
    paths.extend(named.map(|entry| folder.join(&entry.name)));
    let (mut backups, mut unread) = (Vec::new(), Vec::new());
    let mut budget = BYTES_MAX;
    for path in paths {
        if root.symlink_metadata(&path).is_err() {
            continue;
        }
        if backups.len() == COPIES_MAX || budget == 0 {
            unread.push(path.display().to_string());
            continue;
        }
        let bytes = root
            .open_file(&path)
            .and_then(|file| unpack::whole(BufReader::new(file), LIMIT.min(budget)));
        budget = budget.saturating_sub(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
        let bytes = bytes.as_deref().map_err(ToString::to_string);
        backups.push(Backup::of(root, &path, bytes, lists, said));
    }
    backups.sort_by_key(|backup| Reverse(backup.modified));
    (backups, unread)
}

/// The whole copy that is wrong about the fewest packages; of equals the
/// newest. None when no copy is whole: a guess would be worse.
pub fn best(backups: &[Backup]) -> Option<&Backup> {
    let whole = backups.iter().filter(|backup| backup.is_whole());
    whole.min_by_key(|backup| (backup.wrong_about(), Reverse(backup.modified)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn copy(path: &str, modified: i64, behind: usize) -> Backup {
        Backup {
            path: path.into(),
            modified,
            packages: 10,
            behind_log: Some(behind),
            ..Backup::default()
        }
    }

    #[test]
    fn the_best_copy_is_whole_and_wrong_about_the_least() {
        let mut all = vec![copy("new", 30, 5), copy("old", 20, 5), copy("right", 10, 1)];
        assert_eq!(best(&all).unwrap().path, "right");
        all[2].faults.push("cut".into());
        assert_eq!(best(&all).unwrap().path, "new");
        all.iter_mut().for_each(|copy| copy.packages = 0);
        assert_eq!(best(&all), None);
    }
}
