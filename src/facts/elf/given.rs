//! Programs that a script or a unit tells where to look for libraries: what the
//! loader refuses by itself may start so.

use std::collections::{BTreeSet, HashMap};

use super::loader::Loader;
use super::problem::{Closure, Problem};
use super::scan::Refused;
use crate::facts::library_path::LibraryPath;
use crate::facts::shell::{self, Context, SCRIPT_BYTES_MAX};
use crate::facts::units::Units;
use crate::sys::root_dir::{Kind, RootDir};

/// Where a script for a program lies, seen from the program.
const BESIDE: [&str; 3] = ["", "/..", "/../bin"];

/// Directories beside refused programs that are looked through for scripts.
const DIRECTORIES_MAX: usize = 200;

/// Scripts that are read.
const SCRIPTS_MAX: usize = 10_000;

/// Takes those programs out that start as a script or a unit of the root
/// starts them; where that is not clear, they are suspects.
pub(super) fn excuse(
    loader: &Loader<'_>,
    scripts: &[String],
    refused: &mut Vec<(Refused, Closure)>,
) {
    let broken = refused.iter().filter(|(kind, _)| *kind == Refused::Broken);
    let paths: Vec<&str> = broken
        .filter_map(|(_, closure)| closure.path.as_deref())
        .collect();
    if paths.is_empty() {
        return;
    }
    let given = Given::read(loader.files.root, scripts, &paths);
    refused.retain_mut(|(kind, closure)| {
        if *kind != Refused::Broken {
            return true;
        }
        let told = closure
            .path
            .as_ref()
            .and_then(|path| given.by_program.get(path));
        let answers = told
            .into_iter()
            .flatten()
            .map(|told| told.closure(loader, &closure.program));
        let starting: Vec<Closure> = answers.filter(Closure::starts).collect();
        let is_known = |closure: &Closure| {
            let mut problems = closure.problems.iter();
            !problems.any(|problem| matches!(problem, Problem::Unexamined { .. }))
        };
        if !starting.is_empty() {
            *kind = Refused::Suspect;
        }
        !starting.iter().any(is_known)
    });
}

/// Who is told what.
struct Given {
    /// By the real path of the program.
    by_program: HashMap<String, BTreeSet<LibraryPath>>,
}

impl Given {
    fn read(root: &RootDir, scripts: &[String], programs: &[&str]) -> Self {
        let mut given = Self {
            by_program: HashMap::new(),
        };
        let beside = beside(root, programs);
        for path in scripts.iter().chain(&beside).take(SCRIPTS_MAX) {
            given.add_script(root, path);
        }
        given.add_units(root);
        given
    }

    fn add_script(&mut self, root: &RootDir, path: &str) {
        let text = root.read_text(path, SCRIPT_BYTES_MAX).unwrap_or_default();
        if !text.contains("LD_LIBRARY_PATH") || shell::shell_script(&text).is_none() {
            return;
        }
        let context = Context {
            path: Some(path),
            library_path: None,
            real_path: &|path| real_path(root, path),
            read: &|path| root.read_text(path, SCRIPT_BYTES_MAX).ok(),
        };
        for run in shell::runs(&text, &context) {
            if let Some(told) = run.library_path {
                self.add(root, &run.program, told);
            }
        }
    }

    /// Also of units that nothing starts now.
    fn add_units(&mut self, root: &RootDir) {
        let units = Units::open(root);
        let services = units.names().filter(|name| name.ends_with(".service"));
        for unit in services.filter_map(|name| units.load(name)) {
            let Some(told) = unit.library_path(root) else {
                continue;
            };
            for command in unit.commands() {
                self.add(root, &command.program, told.clone());
            }
        }
    }

    fn add(&mut self, root: &RootDir, program: &str, told: LibraryPath) {
        if let Some(path) = real_path(root, program) {
            self.by_program.entry(path).or_default().insert(told);
        }
    }
}

/// Files that may be executed in the places around the programs.
fn beside(root: &RootDir, programs: &[&str]) -> Vec<String> {
    let directories = programs
        .iter()
        .filter_map(|path| Some(path.rsplit_once('/')?.0));
    let directories: BTreeSet<&str> = directories.take(DIRECTORIES_MAX).collect();
    let mut found = BTreeSet::new();
    for directory in directories {
        for place in BESIDE.map(|place| format!("{directory}{place}")) {
            for entry in root.read_dir(&place).unwrap_or_default() {
                let is_file = matches!(entry.kind, Kind::File | Kind::Symlink);
                let name = entry.name.into_string();
                if let (true, Ok(name)) = (is_file && found.len() < SCRIPTS_MAX, name) {
                    found.insert(format!("{place}/{name}"));
                }
            }
        }
    }
    let can_be_started = |path: &String| {
        let meta = root.metadata(path);
        meta.is_ok_and(|meta| meta.kind == Kind::File && meta.is_executable())
    };
    found.into_iter().filter(can_be_started).collect()
}

fn real_path(root: &RootDir, path: &str) -> Option<String> {
    let found = root.resolve(path).ok()?;
    found.path.into_os_string().into_string().ok()
}
