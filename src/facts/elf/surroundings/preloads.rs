//! `/etc/ld.so.preload`: what goes into every program.

use serde::{Deserialize, Serialize};

use super::Around;
use crate::facts::elf::preload;
use crate::facts::elf::problem::{Closure, Problem};

/// Programs that tell what is done with a preload when PID 1 does not.
const PROGRAMS: [&str; 3] = ["/bin/sh", "/usr/bin/bash", "/usr/bin/env"];

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Preload {
    /// The list.
    pub list: String,
    /// As it stands there.
    pub name: String,
    /// The file it leads to, without links, if it is loaded.
    pub path: Option<String>,
    /// Why the loader passes over it, if it does.
    pub ignored: Option<String>,
    /// The package that owns the file.
    pub owner: Option<String>,
    /// False when there is no package database to ask.
    pub owners_known: bool,
    /// True when the file lies where the loader looks anyway.
    pub usual_place: bool,
    /// Its permissions, when others than root may write to it.
    pub writable: Option<u32>,
}

pub(super) fn collect(around: &Around<'_, '_>) -> Vec<Preload> {
    let list = &around.search.constants.preload;
    let names = preload::read(around.search.files.root, list);
    if names.is_empty() {
        return Vec::new();
    }
    // PID 1 is given them like every other program.
    let is_told = |closure: &Closure| !closure.objects.is_empty();
    let other = || PROGRAMS.iter().map(|path| around.loader.closure(path));
    let witness = if is_told(around.pid1) {
        Some(around.pid1.clone())
    } else {
        other().find(is_told)
    };
    let Some(witness) = witness else {
        return Vec::new();
    };
    names
        .into_iter()
        .map(|name| entry(around, &witness, name))
        .collect()
}

fn entry(around: &Around<'_, '_>, witness: &Closure, name: String) -> Preload {
    let expanded = around
        .asking
        .first()
        .and_then(|asking| around.search.expand(asking, &name));
    // What a token stands for is not known on every processor.
    let is_known = !name.contains('$') || expanded.is_some();
    let ignored = witness.problems.iter().find_map(|problem| match problem {
        Problem::PreloadIgnored { name: other, why } if *other == name => Some(why.clone()),
        _ => None,
    });
    let wanted = expanded.as_ref().unwrap_or(&name);
    let mut objects = witness.objects.iter();
    let loaded = objects.find(|object| object.name == *wanted || object.path == *wanted);
    let path = loaded.map(|object| object.real_path.clone());
    let meta = |path: &String| around.search.files.root.metadata(path).ok();
    Preload {
        list: around.search.constants.preload.clone(),
        ignored: ignored.filter(|_| is_known),
        owner: path.as_deref().and_then(|path| around.owner(path)),
        owners_known: !around.owners.is_empty(),
        usual_place: path
            .as_deref()
            .is_some_and(|path| around.is_in_system_directory(path)),
        writable: path
            .as_ref()
            .and_then(meta)
            .filter(|meta| meta.mode & 0o022 != 0 || meta.uid != 0)
            .map(|meta| meta.mode),
        path,
        name,
    }
}
