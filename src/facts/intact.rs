//! Programs without an execute bit whose content dpkg's checksums prove.
//!
//! Source: Debian Policy 10.9: files of packages belong to root, and programs
//! have mode 0755 unless dpkg-statoverride(1) says otherwise.

use std::io::{ErrorKind, Read};
use std::path::Path;

use super::critical::Critical;
use super::elf::Problem;
use super::init::Init;
use super::md5_sum;
use super::packages::Ownership;
use super::place::Place;
use crate::sys::root_dir::{Kind, RootDir};

const OVERRIDES: &str = "/var/lib/dpkg/statoverride";
const OVERRIDES_MAX: u64 = 1 << 20;

/// No program of a boot has more bytes.
const PROGRAM_MAX: u64 = 64 << 20;

/// Programs that are read.
const PROGRAMS_MAX: usize = 200;

/// The programs of the boot that lack an execute bit, are ELF, and are what
/// their package shipped.
pub(super) fn not_executable(
    root: &RootDir,
    owners: &Ownership,
    init: &Init,
    critical: &Critical,
) -> Vec<Place> {
    let first = init.best_closure().problems.iter();
    let programs = critical.programs.iter();
    let faults = programs.flat_map(|program| &program.faults);
    let problems = first.chain(faults.map(|fault| &fault.problem));
    let mut paths: Vec<&str> = problems
        .filter_map(|problem| match problem {
            Problem::NotExecutable { path } => Some(path.as_str()),
            _ => None,
        })
        .collect();
    paths.sort_unstable();
    paths.dedup();
    if paths.is_empty() {
        return Vec::new();
    }
    let Some(overrides) = overrides(root) else {
        return Vec::new();
    };
    let known = paths.into_iter().take(PROGRAMS_MAX).filter_map(|path| {
        let place = Place::read(root, path)?;
        let own = Path::new(&place.path);
        let is_set = overrides.lines().any(|line| names(line, own));
        let proven = !is_set && place.uid == 0 && is_of(root, owners, own, own);
        proven.then_some(place)
    });
    known.collect()
}

/// The administrator's own modes; none where they cannot be read.
fn overrides(root: &RootDir) -> Option<String> {
    match root.read_text(OVERRIDES, OVERRIDES_MAX) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(String::new()),
        Err(_) => None,
    }
}

/// True for a line about `path`, also as it is spelled on a merged /usr.
fn names(line: &str, path: &Path) -> bool {
    let Some(named) = line.split_whitespace().nth(3).map(Path::new) else {
        return false;
    };
    let merged = path.strip_prefix("/usr");
    named == path || merged.is_ok_and(|rest| named == Path::new("/").join(rest))
}

/// True when `file` is the ELF program that the package of `path` shipped there.
pub(super) fn is_of(root: &RootDir, owners: &Ownership, file: &Path, path: &Path) -> bool {
    let Some(wanted) = owners.shipped_md5(root, path) else {
        return false;
    };
    let is_small = root
        .symlink_metadata(file)
        .is_ok_and(|meta| meta.kind == Kind::File && meta.size <= PROGRAM_MAX);
    is_small && is_elf(root, file) && md5_sum::of(root, file, PROGRAM_MAX) == Some(wanted)
}

fn is_elf(root: &RootDir, file: &Path) -> bool {
    let mut start = [0; 4];
    let read = root
        .open_file(file)
        .and_then(|mut f| f.read_exact(&mut start));
    read.is_ok() && start == *b"\x7fELF"
}
