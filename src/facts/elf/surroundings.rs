//! What surrounds the dynamic loader: its version, its cache, its list of
//! preloads, and the directories that it searches.
//!
//! Everything here goes for every program of the root. What it means for the
//! programs that the boot needs is told by their own closures; who is hit is
//! looked up only where something was found to be wrong, so that a healthy
//! root costs a few milliseconds.

use serde::{Deserialize, Serialize};

use super::constants::{Libc, usual_interpreter};
use super::loader::Loader;
use super::object::Machine;
use super::problem::Closure;
use super::search::{Member, Search};
use crate::facts::packages::Ownership;

pub mod cache;
pub mod directories;
pub mod pairs;
pub mod preloads;
pub mod shadows;
mod users;

use cache::Cache;
use directories::{BadLink, Closed};
use pairs::Pair;
use preloads::Preload;
use shadows::Shadow;
use users::Users;

/// Most things of one kind that are kept.
const KEPT_MAX: usize = 200;

/// Programs that tell the usual loader where PID 1 does not.
const USUAL_PROGRAMS: [&str; 4] = ["/bin/sh", "/usr/bin/bash", "/bin/bash", "/usr/bin/env"];

/// What surrounds the loader.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Surroundings {
    /// Each loader with the C library that it loads.
    pub pairs: Vec<Pair>,
    /// The cache, against the directories.
    pub cache: Cache,
    /// What goes into every program.
    pub preloads: Vec<Preload>,
    /// Libraries that a copy in another directory takes the place of.
    pub shadows: Vec<Shadow>,
    /// Links that do not lead to the library they are named for.
    pub links: Vec<BadLink>,
    /// What only root can read.
    pub closed: Vec<Closed>,
    /// Libraries without a byte in them, PID 1's own apart.
    pub empty: Vec<String>,
}

/// What all parts of the collecting need.
struct Around<'a, 'r> {
    loader: &'a Loader<'r>,
    search: &'a Search<'a>,
    /// Somebody who asks for a library without any path of its own.
    asking: Vec<Member>,
    owners: &'a Ownership,
    pid1: &'a Closure,
    users: Users<'a, 'r>,
}

/// Collects it, for the loader that `pid1` uses.
pub fn collect(loader: &Loader<'_>, owners: &Ownership, pid1: &Closure) -> Surroundings {
    let mut found = Surroundings {
        pairs: pairs::collect(loader, pid1),
        ..Surroundings::default()
    };
    let Some((interpreter, machine)) = main_loader(loader, pid1) else {
        return found;
    };
    let Ok(opened) = loader.files.open(&interpreter) else {
        return found; // told through PID 1
    };
    loader.ask(&interpreter, machine, |search| {
        if search.constants.libc != Libc::Glibc {
            return;
        }
        let around = Around {
            loader,
            search,
            asking: vec![Member::alone(&interpreter, opened)],
            owners,
            pid1,
            users: Users::new(loader),
        };
        found.cache = cache::collect(&around);
        found.preloads = preloads::collect(&around);
        found.shadows = shadows::collect(&around);
        directories::collect(&around, &mut found);
    });
    found
}

/// The loader of PID 1, or of the usual programs.
fn main_loader(loader: &Loader<'_>, pid1: &Closure) -> Option<(String, Machine)> {
    let programs = pid1.path.as_deref().into_iter().chain(USUAL_PROGRAMS);
    let named = programs.filter_map(|path| {
        let opened = loader.files.open(path).ok()?;
        let object = opened.object.as_ref().as_ref().ok()?;
        Some((object.interpreter.clone()?, object.machine))
    });
    let mut named = named.filter(|(path, _)| loader.files.open(path).is_ok());
    named.next().or_else(|| {
        pairs::MACHINES.iter().find_map(|&machine| {
            let path = usual_interpreter(machine)?;
            let opened = loader.files.open(path).ok()?;
            (opened.machine == Some(machine)).then(|| (path.to_owned(), machine))
        })
    })
}

impl Around<'_, '_> {
    /// The package that owns `path`.
    fn owner(&self, path: &str) -> Option<String> {
        let owner = self.owners.owner_merged(path.as_ref());
        owner.map(str::to_owned)
    }

    /// True when `path` lies in a directory that is compiled into the loader.
    fn is_in_system_directory(&self, path: &str) -> bool {
        let system = self.search.constants.system_dirs.iter();
        system.clone().any(|dir| {
            path.strip_prefix(dir.as_str())
                .is_some_and(|rest| !rest.contains('/') || rest.starts_with("glibc-hwcaps/"))
        })
    }
}

/// `libssl.so.3`, `libz.so.1.2.13`: a name that programs ask for; one without
/// a number is for compilers.
fn is_run_time_name(name: &str) -> bool {
    let number = name.split_once(".so.").map(|(_, number)| number);
    name.starts_with("lib")
        && number.is_some_and(|number| {
            number.split('.').all(|part| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }) && number.starts_with(|c: char| c.is_ascii_digit())
        })
}

/// The name of a library without its version, and the first number of that.
fn name_and_major(name: &str) -> Option<(&str, &str)> {
    let (front, number) = name.split_once(".so.")?;
    Some((front, number.split('.').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_time_names_are_told_from_others() {
        for name in ["libz.so.1", "libz.so.1.2.13", "libcrypto.so.1.0.0b"] {
            assert!(is_run_time_name(name), "{name}");
        }
        for name in [
            "libz.so",
            "libz.so.",
            "libz.so.old",
            "libz.so.1.dpkg-new",
            "libz.so.1~",
            "libc-2.31.so",
            "ld.so.1",
            "libz.so.1;5f3a",
        ] {
            assert!(!is_run_time_name(name), "{name}");
        }
    }

    #[test]
    fn the_first_number_is_what_programs_rely_on() {
        assert_eq!(name_and_major("libssl.so.1.1"), Some(("libssl", "1")));
        assert_eq!(name_and_major("libssl.so.3"), Some(("libssl", "3")));
        assert_eq!(name_and_major("libssl.so"), None);
    }
}
