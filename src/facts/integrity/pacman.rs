//! What the packages of pacman own.

use rayon::prelude::*;

use super::attributes::{Attributes, verify};
use super::digest::Digest;
use super::owned::{Content, Entry, Owned, is_called};
use super::rpm::mark_duplicates;
use super::{Fault, Manager};
use crate::facts::packages::mtree::{self, Type};
use crate::facts::packages::pacman::{self, Installed};
use crate::facts::packages::pacman_files::{Files, NoExtract, Room, read_mtree};
use crate::facts::packages::rpm::package::flag;
use crate::facts::packages::{Package, dpkg_files};
use crate::sys::root_dir::RootDir;

/// Bytes and paths that all `mtree`s together may have: more than the largest
/// system has.
const BYTES_MAX: u64 = 1 << 30;
const PATHS_MAX: usize = 4_000_000;

/// Packages that are read at once.
const AT_ONCE: usize = 64;

/// Reads what the packages of pacman's that `wanted` names own; none when
/// there is no database of pacman's.
pub(super) fn owned(root: &RootDir, wanted: &[String]) -> Option<(Owned, Vec<Fault>)> {
    let database = pacman::database(root)?;
    let no_extract = NoExtract::of(root);
    let room = Room::new(BYTES_MAX, PATHS_MAX);
    let mut packages: Vec<Package> = database.packages.iter().map(as_package).collect();
    packages.retain(|package| wanted.is_empty() || wanted.iter().any(|n| is_called(package, n)));
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    let mut owned = Owned::of(Manager::Pacman);
    for some in packages.chunks(AT_ONCE) {
        let read = some.par_iter().map(|package| {
            let files = read(root, package, &no_extract, &room);
            (package.clone(), files)
        });
        for (package, files) in read.collect::<Vec<_>>() {
            owned.add(package, files.entries);
            owned.faults.extend(files.faults);
            if let Some(owner) = owned.packages.last_mut() {
                owner.has_sums = files.has_sums;
            }
        }
    }
    mark_duplicates(&mut owned);
    let faults = database.faults.into_iter().map(|fault| Fault {
        path: fault.path,
        what: fault.what,
    });
    Some((owned, faults.collect()))
}

fn as_package(package: &Installed) -> Package {
    Package {
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        ..Package::installed(&package.name)
    }
}

/// What was read of one package.
#[derive(Default)]
struct Read {
    entries: Vec<Entry>,
    has_sums: bool,
    faults: Vec<Fault>,
}

impl Read {
    fn fault(&mut self, path: String, what: String) {
        self.faults.push(Fault { path, what });
    }
}

fn read(root: &RootDir, package: &Package, no_extract: &NoExtract, room: &Room) -> Read {
    let folder = format!("{}/{}-{}", pacman::LOCAL, package.name, package.version);
    let mut read = Read::default();
    let files = Files::read(root, &folder).unwrap_or_else(|why| {
        read.fault(format!("{folder}/files"), format!("cannot be read: {why}"));
        Files::default()
    });
    let path = format!("{folder}/mtree");
    match read_mtree(root, &folder, room) {
        Ok(Some(mtree)) => {
            if mtree.malformed > 0 {
                let what = "lines make no sense, or are too many";
                read.fault(path, format!("{} {what}", mtree.malformed));
            }
            let entries = mtree.entries.into_iter();
            let entries = entries.filter_map(|entry| as_entry(entry, &folder, &files, no_extract));
            read.entries = entries.collect();
            read.has_sums = true;
            return read;
        }
        Ok(None) => {}
        Err(why) => read.fault(path, format!("cannot be read: {why}")),
    }
    // Whether the paths are there is all that can be asked.
    let paths = files.paths.iter();
    read.entries = paths.map(|path| listed(path, &files, no_extract)).collect();
    read
}

/// A path of which nothing but its name is known.
fn listed(path: &[u8], files: &Files, no_extract: &NoExtract) -> Entry {
    let relative = dpkg_files::relative(path);
    Entry {
        path: path.to_vec(),
        content: Content::Unsaid,
        is_conffile: files.backup.contains(relative),
        attributes: Attributes {
            flags: flags(relative, files, no_extract),
            ..Attributes::default()
        },
    }
}

fn flags(relative: &[u8], files: &Files, no_extract: &NoExtract) -> u32 {
    let mut flags = 0;
    if files.backup.contains(relative) {
        flags |= flag::CONFIG;
    }
    if !no_extract.is_empty() && no_extract.has(&String::from_utf8_lossy(relative)) {
        flags |= flag::MISSING_OK;
    }
    flags
}

/// A path of a package; none for the package's own records that pacman keeps
/// nowhere.
fn as_entry(
    entry: mtree::Entry,
    folder: &str,
    files: &Files,
    no_extract: &NoExtract,
) -> Option<Entry> {
    let relative = dpkg_files::relative(&entry.path);
    // `check_pkg_full` in pacman's src/pacman/check.c.
    let path = match relative {
        b".INSTALL" => format!("{folder}/install").into_bytes(),
        b".CHANGELOG" => format!("{folder}/changelog").into_bytes(),
        _ if relative.first() == Some(&b'.') => return None,
        _ => relative.to_vec(),
    };
    let kind = match entry.kind {
        Type::File => 0o100_000,
        Type::Directory => 0o040_000,
        Type::Link => 0o120_000,
        Type::Other => 0o010_000,
    };
    let asked = [
        (verify::MODE, entry.mode.is_some()),
        (verify::USER, entry.uid.is_some()),
        (verify::GROUP, entry.gid.is_some()),
        (verify::MTIME, entry.time.is_some()),
        (verify::SIZE, entry.size.is_some()),
        (verify::LINK, entry.kind == Type::Link),
    ];
    let asked = asked.iter().filter(|(_, is_known)| *is_known);
    let mut bits = asked.fold(0, |bits, (bit, _)| bits | bit);
    let sum = match (entry.sha256, entry.md5) {
        _ if entry.kind != Type::File => None,
        (Some(sum), _) => Some(Digest::Sha256(sum)),
        (None, Some(sum)) => Some(Digest::Md5(sum)),
        (None, None) => None,
    };
    if sum.is_some() {
        bits |= verify::DIGEST;
    }
    Some(Entry {
        is_conffile: files.backup.contains(relative),
        content: sum.map_or(Content::Unsaid, Content::Sum),
        attributes: Attributes {
            mode: kind | entry.mode.unwrap_or(0),
            size: entry.size.unwrap_or(0),
            mtime: entry.time.unwrap_or(0),
            link: entry.link.into_boxed_slice(),
            uid: entry.uid,
            gid: entry.gid,
            flags: flags(relative, files, no_extract),
            verify: bits,
            has_md5: entry.md5.is_some(),
            ..Attributes::default()
        },
        path,
    })
}
