//! Several copies of one library, and which of them wins: a directory of
//! `/etc/ld.so.conf` stands before the system's own in the cache.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Around, KEPT_MAX};
use crate::facts::elf::files::Opened;
use crate::facts::elf::problem::{Closure, Problem};
use crate::facts::elf::search::{Outcome, Trail};

/// Below these stands what no distribution puts there.
const LOCAL: [&str; 6] = ["/usr/local/", "/opt/", "/home/", "/root/", "/srv/", "/tmp/"];

/// A library of the system that another copy takes the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shadow {
    /// The name that programs ask for.
    pub name: String,
    /// What they get.
    pub winner: OneCopy,
    /// What the system has for them.
    pub system: OneCopy,
    /// Programs of the system that get it.
    pub users: Vec<String>,
    /// Those of them that it makes fail, each with the reason.
    pub broken: Vec<(String, String)>,
    /// True when PID 1 is among these: told as what stops it.
    pub breaks_pid1: bool,
}

/// One copy of a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OneCopy {
    /// The path that the loader opens.
    pub path: String,
    /// The same without links, which often tells the version.
    pub real_path: String,
    /// The package that owns it.
    pub owner: Option<String>,
}

pub(super) fn collect(around: &Around<'_, '_>) -> Vec<Shadow> {
    let Some(cache) = around.search.cache else {
        return Vec::new();
    };
    let names: BTreeSet<&str> = cache
        .entries(around.search.machine)
        .filter(|(_, path)| !around.is_in_system_directory(path))
        .map(|(name, _)| name)
        .collect();
    let shadows = names.into_iter().filter_map(|name| shadow(around, name));
    shadows.take(KEPT_MAX).collect()
}

fn shadow(around: &Around<'_, '_>, name: &str) -> Option<Shadow> {
    let mut trail = Trail::default();
    let files = around.search.files;
    let found = around.search.find(&around.asking, 0, name, &mut trail);
    let (winner, damaged) = match found {
        Outcome::Found { path, opened } => (copy(around, path.to_string(), &opened), false),
        Outcome::Broken { path, .. } => {
            let opened = files.open(&path).ok()?;
            (copy(around, path, &opened), true)
        }
        Outcome::Missing => return None,
    };
    if around.is_in_system_directory(&winner.path) {
        return None;
    }
    let system = system_copy(around, name)?;
    if system.real_path == winner.real_path {
        return None;
    }
    let local = LOCAL.iter().any(|dir| winner.real_path.starts_with(dir));
    let mut shadow = Shadow {
        name: name.to_owned(),
        winner,
        system,
        users: Vec::new(),
        broken: Vec::new(),
        breaks_pid1: false,
    };
    let pid1 = std::iter::once(around.pid1);
    for closure in pid1.chain(around.users.all()) {
        shadow.ask(closure, damaged);
    }
    shadow.breaks_pid1 = why_broken(around.pid1, &shadow.winner).is_some();
    // A package's own directory before the system's is meant to win.
    let is_meant = shadow.winner.owner.is_some() || !local;
    let tells = !shadow.broken.is_empty() || (!is_meant && !shadow.users.is_empty());
    tells.then_some(shadow)
}

impl Shadow {
    fn ask(&mut self, closure: &Closure, damaged: bool) {
        let Some(program) = &closure.path else {
            return;
        };
        let is_local = LOCAL.iter().any(|dir| program.starts_with(dir));
        if is_local || self.users.contains(program) {
            return;
        }
        let mut objects = closure.objects.iter();
        let loads = objects.any(|object| object.real_path == self.winner.real_path);
        let why = why_broken(closure, &self.winner);
        if loads || (damaged && why.is_some()) {
            self.users.push(program.clone());
            self.broken.extend(why.map(|why| (program.clone(), why)));
        }
    }
}

/// What `winner` makes go wrong in a program.
fn why_broken(closure: &Closure, winner: &OneCopy) -> Option<String> {
    let is_it = |path: &String| *path == winner.real_path || *path == winner.path;
    let mut problems = closure.problems.iter();
    let problem = problems.find(|problem| match problem {
        Problem::VersionMissing {
            path, needed_by, ..
        } => is_it(path) || is_it(needed_by),
        Problem::LibraryDamaged { path, .. } => is_it(path),
        Problem::LibraryMissing { needed_by, .. } => is_it(needed_by),
        _ => false,
    })?;
    Some(problem.to_string())
}

/// The copy that the loader would take without the cache.
fn system_copy(around: &Around<'_, '_>, name: &str) -> Option<OneCopy> {
    let files = around.search.files;
    let system = around.search.constants.system_dirs.iter();
    system
        .map(|directory| format!("{directory}{name}"))
        .find_map(|path| {
            let opened = files.open(&path).ok()?;
            let is_sound = opened.object.is_ok() && opened.machine == Some(around.search.machine);
            is_sound.then(|| copy(around, path, &opened))
        })
}

fn copy(around: &Around<'_, '_>, path: String, opened: &Arc<Opened>) -> OneCopy {
    let owner = around.owner(&opened.real_path);
    OneCopy {
        owner: owner.or_else(|| around.owner(&path)),
        real_path: opened.real_path.clone(),
        path,
    }
}
