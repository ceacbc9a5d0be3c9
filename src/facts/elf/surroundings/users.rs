//! The programs that people and services start, each as the loader loads it.
//! Asked only when something was found to be wrong.

use std::cell::OnceCell;
use std::collections::HashSet;

use rayon::prelude::*;

use crate::facts::elf::loader::Loader;
use crate::facts::elf::problem::{Closure, Problem};
use crate::sys::root_dir::Kind;

/// Where programs lie.
const PLACES: [&str; 9] = [
    "/usr/lib/systemd",
    "/lib/systemd",
    "/usr/sbin",
    "/sbin",
    "/usr/bin",
    "/bin",
    "/usr/libexec",
    "/usr/local/sbin",
    "/usr/local/bin",
];

/// Most programs that are asked.
const PROGRAMS_MAX: usize = 5000;

/// The programs of a root.
pub(super) struct Users<'a, 'r> {
    loader: &'a Loader<'r>,
    closures: OnceCell<Vec<Closure>>,
}

impl<'a, 'r> Users<'a, 'r> {
    pub(super) fn new(loader: &'a Loader<'r>) -> Self {
        Self {
            loader,
            closures: OnceCell::new(),
        }
    }

    /// Every program with what it loads.
    pub(super) fn all(&self) -> &[Closure] {
        self.closures.get_or_init(|| self.read())
    }

    /// The programs that do not find the library `name`.
    pub(super) fn lacking(&self, name: &str) -> Vec<String> {
        let lacks = |closure: &&Closure| {
            let mut problems = closure.problems.iter();
            problems.any(|p| matches!(p, Problem::LibraryMissing { name: n, .. } if n == name))
        };
        let lacking = self.all().iter().filter(lacks);
        lacking.filter_map(|closure| closure.path.clone()).collect()
    }

    fn read(&self) -> Vec<Closure> {
        let files = &self.loader.files;
        let mut seen = HashSet::new();
        let mut paths = Vec::new();
        for place in PLACES {
            let Ok(resolved) = files.root.resolve(place) else {
                continue;
            };
            let real = resolved.path.to_string_lossy().into_owned();
            if !seen.insert(real.clone()) {
                continue;
            }
            let entries = files.root.read_dir(&real).unwrap_or_default();
            let programs = entries.iter().filter(|entry| entry.kind == Kind::File);
            paths.extend(programs.map(|e| format!("{real}/{}", e.name.to_string_lossy())));
        }
        paths.truncate(PROGRAMS_MAX);
        let is_program = |path: &str| {
            let opened = files.open(path).ok();
            opened.is_some_and(|opened| {
                let object = opened.object.as_ref().as_ref();
                object.is_ok_and(|object| object.interpreter.is_some())
            })
        };
        paths
            .par_iter()
            .filter(|path| is_program(path))
            .map(|path| self.loader.closure(path))
            .collect()
    }
}
