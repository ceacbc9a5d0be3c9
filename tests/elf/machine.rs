//! Every program of the machine the tests run on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lifeboot::facts::elf::Loader;
use lifeboot::sys::root_dir::{Resolver, RootDir};

use crate::fixture::{REAL_LOADER, agreement, listed_in};

/// The names of the regular ELF files in a directory of a root that its loader
/// can list.
fn elf_files(root: &Path, directory: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let real = root.join(&directory[1..]);
    let Ok(entries) = fs::read_dir(&real) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_native = |name: &String| {
        let path = real.join(name);
        let is_file = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
        // 64-bit x86-64, as the loader that is asked.
        let bytes = if is_file {
            fs::read(path).unwrap_or_default()
        } else {
            Vec::new()
        };
        bytes.starts_with(b"\x7fELF\x02\x01") && bytes.get(18) == Some(&62)
    };
    let names = names.filter(|name| wanted(name)).filter(is_native);
    names.map(|name| format!("{directory}/{name}")).collect()
}

fn programs(root: &Path) -> Vec<String> {
    ["/usr/bin", "/usr/sbin", "/usr/lib/systemd"]
        .iter()
        .flat_map(|directory| elf_files(root, directory, |_| true))
        .collect()
}

fn libraries(root: &Path) -> Vec<String> {
    [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu/systemd",
    ]
    .iter()
    .flat_map(|directory| elf_files(root, directory, |name| name.contains(".so")))
    .filter(|path| !path.contains("/ld-"))
    .collect()
}

/// Compares every path with the root's own loader; panics with what differs.
fn compare(root: &Path, paths: &[String], is_library: bool) {
    if !Path::new(REAL_LOADER).exists() {
        return; // not a glibc system for x86-64
    }
    let dir = RootDir::open(root).unwrap();
    let loader = Loader::open(&dir);
    let difference = |path: &String| {
        let object = loader.object(path);
        if object.is_some_and(|object| !object.is_dynamic || object.wants.is_empty()) {
            return None; // static
        }
        let ours = match is_library {
            true => loader.library(path),
            false => loader.closure(path),
        };
        let difference = agreement(&ours, &listed_in(root, Path::new(path))).err()?;
        Some(format!("{path}: {difference}"))
    };
    let (one, other) = paths.split_at(paths.len() / 2);
    let differences = std::thread::scope(|scope| {
        let beside = scope.spawn(|| one.iter().filter_map(difference).collect::<Vec<_>>());
        let mut found: Vec<_> = other.iter().filter_map(difference).collect();
        found.extend(beside.join().unwrap());
        found
    });
    let count = differences.len();
    assert!(count == 0, "{count} of {}: {differences:#?}", paths.len());
}

#[test]
fn every_program_here_is_loaded_as_by_the_real_loader() {
    let root = Path::new("/");
    let paths = programs(root);
    assert!(!paths.is_empty());
    compare(root, &paths, false);
}

#[test]
fn every_library_here_is_loaded_as_by_the_real_loader() {
    let root = Path::new("/");
    compare(root, &libraries(root), true);
}

/// `LIFEBOOT_TEST_ROOT=DIR`, as root: compares with the loader of another root,
/// and tells how long the answer for all its programs took.
#[test]
#[ignore = "needs a root tree and chroot(1)"]
fn every_program_and_library_of_another_root_is_loaded_as_by_its_loader() {
    let root = PathBuf::from(std::env::var_os("LIFEBOOT_TEST_ROOT").unwrap());
    let (programs, libraries) = (programs(&root), libraries(&root));
    let start = Instant::now();
    let dir = RootDir::open(&root).unwrap();
    let loader = Loader::open(&dir);
    let objects = programs
        .iter()
        .map(|path| loader.closure(path).objects.len());
    let objects: usize = objects.sum();
    let time = start.elapsed();
    let (programs_, libraries_) = (programs.len(), libraries.len());
    println!("{programs_} programs, {objects} loads: {time:?}; {libraries_} libraries");
    compare(&root, &programs, false);
    compare(&root, &libraries, true);
}

#[test]
fn the_shell_and_init_here_start() {
    for resolver in [Resolver::Kernel, Resolver::Walk] {
        let root = RootDir::open_with("/", resolver).unwrap();
        let loader = Loader::open(&root);
        for program in ["/bin/sh", "/sbin/init"] {
            if fs::metadata(program).is_err() {
                continue;
            }
            let closure = loader.closure(program);
            assert_eq!(closure.problems, []);
            assert!(closure.path.is_some());
        }
    }
}
