//! What the packages of rpm own.

use std::collections::HashMap;

use super::attributes::{Attributes, verify};
use super::digest::Digest;
use super::owned::{Content, Entry, Owned, is_called};
use super::{Fault, Manager};
use crate::facts::packages::rpm::{self, package};
use crate::facts::packages::{Package, State};
use crate::sys::root_dir::RootDir;

/// Users and groups of the patient.
const LIMIT: u64 = 16 << 20;

/// Paths that are read: more than the largest system has.
const PATHS_MAX: usize = 10_000_000;

/// prelink rewrites programs, and rpm takes that back before it compares.
const PRELINK: &str = "/etc/prelink.cache";

/// Reads what the packages of rpm's that `wanted` names own; none when there
/// is no database of rpm's.
pub(super) fn owned(root: &RootDir, wanted: &[String]) -> Option<(Owned, Vec<Fault>)> {
    let place = rpm::place(root)?;
    let mut patient = Patient::of(root);
    let mut owned = Owned::of(Manager::Rpm);
    let faults = rpm::read(root, &place, &mut |package, header| {
        let package = as_package(&package);
        let is_called = |name: &String| is_called(&package, name);
        if owned.claims.len() > PATHS_MAX || !(wanted.is_empty() || wanted.iter().any(is_called)) {
            return;
        }
        let (algorithm, files) = package::files(header);
        let entries = files.into_iter();
        let entries = entries.map(|file| patient.entry(algorithm, file)).collect();
        owned.add(package, entries);
    });
    mark_duplicates(&mut owned);
    let mut cannot = |path: &str, what: String| {
        let path = path.to_owned();
        owned.faults.push(Fault { path, what });
    };
    if patient.is_prelinked {
        let what = "prelink rewrote programs here: no content is compared";
        cannot(PRELINK, what.into());
    }
    if patient.unknown > 0 {
        let what = format!("{} digests are of an unknown kind", patient.unknown);
        cannot(&place.path, what);
    }
    let faults = faults.into_iter().map(|fault| Fault {
        path: fault.path,
        what: fault.what,
    });
    Some((owned, faults.collect()))
}

/// What the patient says of all its files.
struct Patient {
    users: HashMap<Vec<u8>, u32>,
    groups: HashMap<Vec<u8>, u32>,
    is_prelinked: bool,
    /// Digests of a kind that is not known.
    unknown: usize,
}

impl Patient {
    fn of(root: &RootDir) -> Self {
        Self {
            users: ids(root, "/etc/passwd"),
            groups: ids(root, "/etc/group"),
            is_prelinked: root.metadata(PRELINK).is_ok(),
            unknown: 0,
        }
    }

    fn entry(&mut self, algorithm: u64, file: package::File) -> Entry {
        let mut attributes = Attributes {
            mode: file.mode,
            size: file.size,
            mtime: file.mtime,
            uid: self.users.get(&file.owner[0]).copied(),
            gid: self.groups.get(&file.owner[1]).copied(),
            flags: file.flags,
            verify: file.verify,
            state: file.state,
            link: file.link.into_boxed_slice(),
            has_md5: false,
        };
        if self.is_prelinked {
            attributes.verify &= !(verify::DIGEST | verify::SIZE | verify::MTIME);
        }
        let digest = Digest::numbered(algorithm, &file.digest);
        self.unknown += usize::from(digest.is_none() && !file.digest.is_empty());
        Entry {
            path: file.path,
            content: match digest.filter(|_| attributes.has_content()) {
                Some(digest) => Content::Sum(digest),
                None => Content::Unsaid,
            },
            is_conffile: file.flags & package::flag::CONFIG != 0,
            attributes,
        }
    }
}

/// Of a package in two versions neither is whole: an upgrade was cut off.
pub(super) fn mark_duplicates(owned: &mut Owned) {
    let mut count: HashMap<(String, String), usize> = HashMap::new();
    let key = |package: &Package| (package.name.clone(), package.architecture.clone());
    for owner in &owned.packages {
        *count.entry(key(&owner.package)).or_default() += 1;
    }
    for owner in &mut owned.packages {
        let package = &mut owner.package;
        let is_kernel = package.name.starts_with("kernel");
        if !is_kernel && count.get(&key(package)).is_some_and(|count| *count > 1) {
            package.state = State::HalfInstalled;
        }
    }
}

fn as_package(package: &rpm::Package) -> Package {
    Package {
        version: package.full_version(),
        architecture: package.architecture.clone().unwrap_or_default(),
        ..Package::installed(&package.name)
    }
}

/// Numbers by name, of `/etc/passwd` or `/etc/group`; of two the first.
fn ids(root: &RootDir, path: &str) -> HashMap<Vec<u8>, u32> {
    let mut ids = HashMap::new();
    let text = root.read(path, LIMIT).unwrap_or_default();
    for line in text.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        if let (Some(name), _, Some(id)) = (fields.next(), fields.next(), fields.next())
            && let Some(id) = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok())
        {
            ids.entry(name.to_vec()).or_insert(id);
        }
    }
    ids
}
