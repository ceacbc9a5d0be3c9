//! Symbols that a program looks up and nothing that it loads defines.
//!
//! Source: glibc elf/dl-lookup.c, `_dl_lookup_symbol_x`, and musl
//! ldso/dynlink.c, `do_relocs`: every object of the program is asked, in load
//! order; a weak symbol may stay undefined. Only programs are asked about: a
//! plugin gets the rest of its symbols from whatever loads it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::constants::Libc;
use super::damage::Damage;
use super::files::Opened;
use super::image::FileBytes;
use super::loader::Loader;
use super::problem::{Closure, Problem};
use super::shared::{Shared, remembered};
use table::Table;

mod relocations;
mod table;

/// Most lookups for one program, some seconds' worth.
const LOOKUPS_MAX: usize = 100_000_000;

/// Most bytes that are read for the tables of one program; the largest desktop
/// programs need some tens of MiB.
const READ_BYTES_MAX: usize = 384 * 1024 * 1024;

/// Most bytes of tables that are remembered for the next program.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most symbols told of one program.
const TOLD_MAX: usize = 1000;

/// Scripts that run scripts: the kernel allows five.
const SCRIPTS_MAX: usize = 5;

/// When a symbol that is not there is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// The loader refuses to start the program.
    Start,
    /// The program dies when it first calls it.
    Call,
}

/// A symbol that is looked up and not defined by anything that is loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Undefined {
    /// When it is missed.
    pub missed_at: Missed,
    /// Its name, as it stands in the file.
    pub symbol: String,
    /// The version that is asked for.
    pub version: Option<String>,
    /// The library that had it, where the version tells.
    pub library: Option<String>,
    /// The real path of the object that looks it up.
    pub needed_by: String,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: undefined symbol {}", self.needed_by, self.symbol)?;
        if let Some(version) = &self.version {
            write!(f, ", version {version}")?;
        }
        if let Some(library) = &self.library {
            write!(f, " (of {library})")?;
        }
        f.write_str(match self.missed_at {
            Missed::Start => ": refused at the start",
            Missed::Call => ": fails when it is called",
        })
    }
}

/// Programs, and what is wrong with their symbols.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SymbolScan {
    /// Programs that were asked about.
    pub programs: usize,
    /// Those that are refused, lack a symbol or could not be examined.
    pub broken: Vec<Closure>,
}

type Known = Arc<Result<Table, Damage>>;

/// The symbols of one root's programs. May be shared between threads.
#[derive(Debug)]
pub struct Symbols<'a, 'r> {
    loader: &'a Loader<'r>,
    tables: Shared<(u64, u64), Known>,
    bytes: AtomicUsize,
    /// What was found of a program, by its real path.
    programs: Shared<String, Answer>,
}

/// What is undefined, or what could not be examined and why.
type Answer = Result<Arc<Vec<Undefined>>, (String, String)>;

impl<'a, 'r> Symbols<'a, 'r> {
    /// Reads nothing yet.
    pub fn new(loader: &'a Loader<'r>) -> Self {
        Self {
            loader,
            tables: Shared::default(),
            bytes: AtomicUsize::new(0),
            programs: Shared::default(),
        }
    }

    /// Asks about all programs, each with its `LD_LIBRARY_PATH`; those that are
    /// none are passed over.
    pub fn scan(&self, programs: &[(&str, &str)]) -> SymbolScan {
        let closures = programs.par_iter().map(|(path, library_path)| {
            if self.loader.is_library(path) {
                return None;
            }
            let mut closure = self.loader.closure_with(path, library_path);
            self.examine(&mut closure);
            Some(closure)
        });
        let closures: Vec<Closure> = closures.flatten().collect();
        let is_whole = |closure: &Closure| {
            closure.undefined.as_ref().is_some_and(Vec::is_empty) && closure.problems.is_empty()
        };
        SymbolScan {
            programs: closures.len(),
            broken: closures.into_iter().filter(|c| !is_whole(c)).collect(),
        }
    }

    /// Fills in what is undefined of a program. Of a program that is refused
    /// for another reason nothing is told: what it lacks has the symbols.
    pub fn examine(&self, closure: &mut Closure) {
        self.examine_at(closure, 0);
    }

    fn examine_at(&self, closure: &mut Closure, depth: usize) {
        let known = |problem: &Problem| matches!(problem, Problem::PreloadIgnored { .. });
        let Some(path) = closure.path.clone() else {
            return;
        };
        if !closure.problems.iter().all(known) {
            return;
        }
        let answer = remembered(&self.programs, path.clone(), || {
            self.answer(closure, &path, depth)
        });
        match answer {
            Ok(undefined) => closure.undefined = Some(undefined.to_vec()),
            Err((path, why)) => closure.problems.push(Problem::Unexamined { path, why }),
        }
    }

    fn answer(&self, closure: &Closure, path: &str, depth: usize) -> Answer {
        let opened = self.open(path)?;
        match opened.object.as_ref() {
            Ok(object) => match &object.interpreter {
                Some(interpreter) if object.is_dynamic => {
                    let question = |search: &super::search::Search<'_>| search.constants.libc;
                    let libc = self.loader.ask(interpreter, object.machine, question);
                    self.program(closure, path, libc)
                }
                _ => Ok(Arc::default()), // static
            },
            Err(_) => self.script(closure, path, depth),
        }
    }

    /// A script has the symbols of the programs that run it.
    fn script(&self, closure: &Closure, path: &str, depth: usize) -> Answer {
        let mut all = Vec::new();
        let programs = closure.objects.iter().filter(|o| o.needed_by == path);
        for program in programs.filter(|_| depth < SCRIPTS_MAX) {
            let mut closure = self.loader.closure(&program.path);
            self.examine_at(&mut closure, depth + 1);
            for problem in closure.problems {
                if let Problem::Unexamined { path, why } = problem {
                    return Err((path, why));
                }
            }
            all.extend(closure.undefined.unwrap_or_default());
        }
        all.dedup();
        Ok(Arc::new(all))
    }

    fn program(&self, closure: &Closure, path: &str, libc: Libc) -> Answer {
        let loaded = closure.objects.iter().map(|o| o.real_path.as_str());
        let mut scope = Vec::new();
        let mut seen = HashSet::new();
        let mut bytes = 0_usize;
        for path in [path].into_iter().chain(loaded) {
            let opened = self.open(path)?;
            if !seen.insert(opened.id()) {
                continue;
            }
            let table = self.table(&opened);
            match table.as_ref() {
                Ok(table) => bytes = bytes.saturating_add(table.read_bytes),
                Err(damage) => return Err((path.to_owned(), damage.to_string())),
            }
            if bytes > READ_BYTES_MAX {
                return Err(too_many(path));
            }
            scope.push((path, table));
        }
        let tables: Vec<(&str, &Table)> = scope
            .iter()
            .filter_map(|(path, table)| Some((*path, table.as_ref().as_ref().ok()?)))
            .collect();
        undefined(&tables, libc)
            .map(Arc::new)
            .ok_or_else(|| too_many(path))
    }

    fn open(&self, path: &str) -> Result<Arc<Opened>, (String, String)> {
        let opening = self.loader.files.open(path);
        opening.map_err(|errno| (path.to_owned(), errno.desc().to_lowercase()))
    }

    fn table(&self, opened: &Opened) -> Known {
        let read = || {
            let file = self.loader.files.root.open_file(&opened.real_path);
            let bytes = file.and_then(FileBytes::new).map_err(Damage::from);
            Arc::new(bytes.and_then(|bytes| Table::read(&bytes)))
        };
        if self.bytes.load(Ordering::Relaxed) > MEMORY_BYTES_MAX {
            let known = self.tables.get(&opened.id());
            return known.map_or_else(read, |known| known.clone());
        }
        remembered(&self.tables, opened.id(), || {
            let table = read();
            let bytes = table.as_ref().as_ref().map_or(0, Table::memory_bytes);
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            table
        })
    }
}

fn too_many(path: &str) -> (String, String) {
    let why = "it has more symbols than any real program";
    (path.to_owned(), why.to_owned())
}

/// What no table of `scope` defines; `None` when that takes too long.
fn undefined(scope: &[(&str, &Table)], libc: Libc) -> Option<Vec<Undefined>> {
    let with_versions = libc == Libc::Glibc;
    let mut lookups = 0_usize;
    let mut found = Vec::new();
    for (own, (path, table)) in scope.iter().enumerate() {
        for reference in &table.references {
            let mut others = scope.iter().enumerate();
            let is_defined = others.any(|(at, (_, other))| {
                lookups += 1;
                !(reference.is_copied && at == own) && other.offers(reference, with_versions)
            });
            if lookups > LOOKUPS_MAX {
                return None;
            }
            if is_defined || found.len() >= TOLD_MAX {
                continue;
            }
            let version = reference.version.as_ref();
            // musl binds everything before it starts the program.
            let at_start = reference.at_start || libc == Libc::Musl;
            found.push(Undefined {
                missed_at: if at_start {
                    Missed::Start
                } else {
                    Missed::Call
                },
                symbol: reference.name.clone(),
                version: version.map(|version| version.name.clone()),
                library: version.and_then(|version| version.library.clone()),
                needed_by: (*path).to_owned(),
            });
        }
    }
    found.sort();
    Some(found)
}
