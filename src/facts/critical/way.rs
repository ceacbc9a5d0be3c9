//! Why a file is in the closure: the way from the kernel to it.

use std::path::Path;

use serde::Serialize;

use super::{Needed, Role};
use crate::facts::Tree;

/// One place on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    /// A unit, a program or a file.
    pub what: String,
    /// What leads to it.
    pub how: String,
}

/// The way to a file, and how many programs of the boot use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Way {
    /// The file, as the root has it.
    pub path: String,
    /// What the boot loses without it; `None` for a part of PID 1, without
    /// which there is no boot.
    pub role: Option<Role>,
    /// From the kernel's command line to the file.
    pub places: Vec<Place>,
    /// Programs of the boot, PID 1 apart, that it is loaded with.
    pub programs: usize,
}

/// The way to `path`; `None` when no part of the boot uses it.
pub fn to(tree: &Tree, path: &str) -> Option<Way> {
    let real = tree.layout.real_name(Path::new(path));
    let real = real.to_string_lossy();
    [path, &real]
        .into_iter()
        .find_map(|path| first(tree, path).or_else(|| later(tree, path)))
}

/// A part of PID 1.
fn first(tree: &Tree, path: &str) -> Option<Way> {
    let closure = tree.init.best_closure();
    let program = closure.path.as_deref();
    let files: Vec<Needed> = closure.objects.iter().map(Needed::from).collect();
    let is_program = program == Some(path) || closure.program == path;
    if !is_program && !files.iter().any(|file| file.is(path)) {
        return None;
    }
    let steps = tree.critical.steps.iter().take(2);
    let mut places: Vec<Place> = steps.map(|step| place(&step.what, &step.how)).collect();
    if let Some(program) = program.filter(|program| *program != closure.program) {
        places.push(place(program, "where that link leads"));
    }
    places.extend(chain(&files, path, program.unwrap_or_default()));
    Some(Way {
        path: path.to_owned(),
        role: None,
        places,
        programs: tree.critical.users(path).count(),
    })
}

/// A part of what comes behind it, the worst loss first.
fn later(tree: &Tree, path: &str) -> Option<Way> {
    let critical = &tree.critical;
    if let Some(program) = critical.users(path).max_by_key(|program| program.role) {
        let mut places = steps(tree, program.step);
        places.push(place(&program.path, "is started or loaded there"));
        let real = program.real_path.as_deref().unwrap_or(&program.path);
        if real != program.path {
            places.push(place(real, "where that link leads"));
        }
        places.extend(chain(&program.files, path, real));
        return Some(Way {
            path: path.to_owned(),
            role: Some(program.role),
            places,
            programs: critical.users(path).count(),
        });
    }
    // Not loaded, but read: a unit or a file of the configuration.
    let at = critical
        .steps
        .iter()
        .position(|step| step.file.as_deref() == Some(path))?;
    let mut places = steps(tree, at);
    if places.last().is_some_and(|last| last.what != path) {
        places.push(place(path, "the file that defines it"));
    }
    let below = critical.programs.iter().filter(|program| {
        let way = critical.way(program.step);
        way.iter().any(|step| step.file.as_deref() == Some(path))
    });
    let roles: Vec<Role> = below.map(|program| program.role).collect();
    Some(Way {
        path: path.to_owned(),
        role: roles.iter().copied().max().or(Some(Role::Helper)),
        places,
        programs: roles.len(),
    })
}

fn steps(tree: &Tree, at: usize) -> Vec<Place> {
    let way = tree.critical.way(at);
    way.into_iter()
        .map(|step| place(&step.what, &step.how))
        .collect()
}

/// From the program to the file that is loaded with it, library by library.
fn chain(files: &[Needed], path: &str, program: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut next = files.iter().find(|file| file.is(path));
    while let Some(file) = next.filter(|_| places.len() <= files.len()) {
        places.push(place(&file.path, &format!("needed by {}", file.needed_by)));
        next = files
            .iter()
            .find(|other| other.path == file.needed_by && other.path != program);
    }
    places.reverse();
    places
}

fn place(what: &str, how: &str) -> Place {
    Place {
        what: what.to_owned(),
        how: how.to_owned(),
    }
}
