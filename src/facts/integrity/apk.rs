//! What the packages of apk own.

use super::attributes::{Attributes, verify};
use super::digest::Digest;
use super::owned::{Content, Entry, Owned, is_called};
use super::{Fault, Manager};
use crate::facts::packages::apk_files::{self, File, Sum};
use crate::facts::packages::{LIMIT, Package, apk};
use crate::sys::root_dir::RootDir;

/// Paths that are read: more than the largest system has.
const PATHS_MAX: usize = 10_000_000;

/// Reads what the packages of apk's that `wanted` names own; none when there
/// is no database of apk's.
pub(super) fn owned(root: &RootDir, wanted: &[String]) -> Option<(Owned, Vec<Fault>)> {
    let database = apk::database(root)?;
    let mut owned = Owned::of(Manager::Apk);
    let path = apk::installed();
    let mut unknown = 0;
    let text = root.read(&path, LIMIT).unwrap_or_default();
    let malformed = apk_files::parse(&text, &mut |package, files| {
        let package = Package {
            version: package.version,
            architecture: package.architecture,
            ..Package::installed(&package.name)
        };
        let is_wanted = |name: &String| is_called(&package, name);
        if owned.claims.len() > PATHS_MAX || !(wanted.is_empty() || wanted.iter().any(is_wanted)) {
            return;
        }
        unknown += files.iter().filter(|f| f.sum == Sum::Unknown).count();
        let entries = files.into_iter().map(as_entry).collect();
        owned.add(package, entries);
    });
    let mut cannot = |count: usize, what: &str| {
        if count > 0 {
            let what = format!("{count} {what}");
            let path = path.clone();
            owned.faults.push(Fault { path, what });
        }
    };
    cannot(malformed, "lines make no sense");
    cannot(unknown, "digests are of an unknown kind");
    let faults = database.faults.into_iter().map(|fault| Fault {
        path: fault.path,
        what: fault.what,
    });
    Some((owned, faults.collect()))
}

fn as_entry(file: File) -> Entry {
    // What is a link and what a file, apk does not record.
    let kind = if file.is_directory {
        0o040_000
    } else {
        0o100_000
    };
    Entry {
        content: match file.sum {
            Sum::Sha1(sum) => Content::Sum(Digest::Sha1(sum)),
            Sum::Sha256(sum) => Content::Sum(Digest::Sha256(sum)),
            Sum::None | Sum::Unknown => Content::Unsaid,
        },
        path: file.path,
        is_conffile: false,
        attributes: Attributes {
            mode: kind | file.mode,
            uid: Some(file.uid),
            gid: Some(file.gid),
            verify: verify::MODE | verify::USER | verify::GROUP | verify::DIGEST,
            ..Attributes::default()
        },
    }
}
