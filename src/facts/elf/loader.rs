//! The door: one root, asked about many programs.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use super::closure::Load;
use super::constants::{Constants, Libc, usual_interpreter};
use super::cpu::CpuLevel;
use super::files::{Files, Opened};
use super::known::Rules;
use super::ldcache::LdCache;
use super::musl;
use super::object::{Machine, Object};
use super::preload;
use super::problem::{Closure, Loaded, Problem};
use super::program::Start;
use super::search::Search;
use super::shared::{Shared, remembered};
use crate::sys::root_dir::RootDir;

/// Most bytes of a loader that are looked through; real ones have 1 MiB.
const INTERPRETER_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Most bytes of a cache; a large one has 1 MiB.
const CACHE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The dynamic loader of a root, and everything it has already looked at. May
/// be shared between threads.
#[derive(Debug)]
pub struct Loader<'r> {
    pub(super) files: Files<'r>,
    cpu: CpuLevel,
    rules: Shared<(String, Machine), Arc<Rules>>,
    caches: Shared<String, Arc<CacheState>>,
    preloads: OnceLock<Vec<String>>,
}

/// A cache, or why the loader does without.
#[derive(Debug)]
struct CacheState {
    cache: Option<LdCache>,
    trouble: Option<String>,
}

impl<'r> Loader<'r> {
    /// The loader of `root` on the processor this runs on. Reads nothing yet.
    pub fn open(root: &'r RootDir) -> Self {
        Self::with_cpu(root, CpuLevel::running())
    }

    /// The loader of `root` on a given processor.
    pub fn with_cpu(root: &'r RootDir, cpu: CpuLevel) -> Self {
        Self {
            files: Files::new(root),
            cpu,
            rules: Shared::default(),
            caches: Shared::default(),
            preloads: OnceLock::new(),
        }
    }

    /// What starting the program at `path` loads: an ELF program, or a script
    /// with the programs that run it.
    pub fn closure(&self, path: &str) -> Closure {
        Start::new(self, path).program()
    }

    /// The same when `LD_LIBRARY_PATH` holds `library_path`.
    pub fn closure_with(&self, path: &str, library_path: &str) -> Closure {
        Start::new(self, path).with(library_path).program()
    }

    /// What loading the library at `path` on its own would load, as
    /// `ld.so --list` tells it. Libraries that rely on the program that loads
    /// them (plugins) have problems here and none in use.
    pub fn library(&self, path: &str) -> Closure {
        Start::new(self, path).library()
    }

    /// Only what goes wrong with a program, of which it notes what it loads.
    pub(super) fn problems(&self, path: &str) -> Vec<Problem> {
        Start::briefly(self, path).program().problems
    }

    /// Only what goes wrong with a library.
    pub(super) fn library_problems(&self, path: &str) -> Vec<Problem> {
        Start::briefly(self, path).library().problems
    }

    /// True for a file that is loaded into programs and never started.
    pub fn is_library(&self, path: &str) -> bool {
        let opened = self.files.open(path).ok();
        let object = opened
            .as_ref()
            .and_then(|o| o.object.as_ref().as_ref().ok());
        object.is_some_and(|object| object.is_dynamic && object.interpreter.is_none())
    }

    /// The ELF file at `path`, links followed; `None` when there is none that
    /// is sound.
    pub fn object(&self, path: &str) -> Option<Object> {
        let opened = self.files.open(path).ok()?;
        opened.object.as_ref().as_ref().ok().cloned()
    }

    /// Why the loader of this root ignores its cache; `None` when it uses it.
    pub fn cache_trouble(&self) -> Option<String> {
        self.trouble_of("/etc/ld.so.cache")
    }

    /// The same for a loader whose cache lies at `path`.
    pub(super) fn trouble_of(&self, path: &str) -> Option<String> {
        self.cache(path).trouble.clone()
    }

    /// Loads one dynamic program whose loader is `interpreter`.
    pub(super) fn load(
        &self,
        program: &Arc<Opened>,
        object: &Object,
        interpreter: Option<&str>,
        (library_path, is_brief): (&str, bool),
    ) -> (Vec<Loaded>, Vec<Problem>) {
        let machine = object.machine;
        let interpreter = interpreter.or_else(|| usual_interpreter(machine));
        let rules = self.rules(interpreter.unwrap_or(""), machine);
        let constants = &rules.constants;
        let state = self.cache(&constants.cache);
        let mut search = self.search(&rules, &state, machine);
        // A program with rights of its own is not told where to look.
        if !program.meta.gives_rights() {
            search.library_path = library_path;
        }
        let mut load = Load::new(&search, Arc::clone(program));
        if let Some((path, opened)) = interpreter.and_then(|i| Some((i, self.files.open(i).ok()?)))
        {
            load.add_interpreter(path, opened);
        }
        if constants.libc == Libc::Glibc {
            let preload = &constants.preload;
            let names = self
                .preloads
                .get_or_init(|| preload::read(self.files.root, preload));
            names.iter().for_each(|name| load.preload(name));
        }
        load.run(is_brief)
    }

    /// Answers a question about single names, as the loader `interpreter`
    /// searches them.
    pub(super) fn ask<T>(
        &self,
        interpreter: &str,
        machine: Machine,
        question: impl FnOnce(&Search<'_>) -> T,
    ) -> T {
        let rules = self.rules(interpreter, machine);
        let state = self.cache(&rules.constants.cache);
        question(&self.search(&rules, &state, machine))
    }

    /// A search by these rules and with this cache.
    fn search<'s>(
        &'s self,
        rules: &'s Rules,
        state: &'s CacheState,
        machine: Machine,
    ) -> Search<'s> {
        Search {
            files: &self.files,
            rules,
            constants: &rules.constants,
            cache: state.cache.as_ref(),
            cpu: self.cpu,
            machine,
            library_path: "",
            attempts: Cell::new(0),
        }
    }

    fn rules(&self, interpreter: &str, machine: Machine) -> Arc<Rules> {
        remembered(&self.rules, (interpreter.to_owned(), machine), || {
            let root = self.files.root;
            let has_directory = |path: &str| self.files.is_directory(path);
            let constants = match root.read(interpreter, INTERPRETER_BYTES_MAX) {
                Ok(bytes) => Constants::read(&bytes, machine, has_directory),
                Err(_) => Constants::guess(machine, has_directory),
            };
            let mut constants = constants;
            if constants.libc == Libc::Musl
                && let Some(directories) = musl::path_file(root, interpreter)
            {
                constants.system_dirs = directories;
            }
            Arc::new(Rules::new(constants))
        })
    }

    fn cache(&self, path: &str) -> Arc<CacheState> {
        remembered(&self.caches, path.to_owned(), || {
            let read = self.files.root.read(path, CACHE_BYTES_MAX);
            let parsed = match read {
                Ok(bytes) => LdCache::parse(&bytes),
                Err(error) => Err(error.into()),
            };
            Arc::new(match parsed {
                Ok(cache) => CacheState {
                    trouble: (cache.bad_entries > 0)
                        .then(|| format!("{} entries point outside of it", cache.bad_entries)),
                    cache: Some(cache),
                },
                Err(error) => CacheState {
                    cache: None,
                    trouble: Some(format!("{error:#}")),
                },
            })
        })
    }
}
