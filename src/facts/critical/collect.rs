//! Gathers the closure: who asks for what, then what each of it loads.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;

use super::{Critical, Fault, Needed, Program, Role, Step};
use super::{helpers, login, names, scripts, systemd, sysv, udev};
use crate::facts::elf::{Closure, Loader, Problem};
use crate::facts::init::Init;
use crate::facts::kernels::Kernels;
use crate::facts::layout::Layout;
use crate::facts::library_path::LibraryPath;
use crate::facts::mounts::Mounts;
use crate::facts::packages::Ownership;
use crate::sys::root_dir::{Kind, RootDir};

/// What the closure is computed from.
#[derive(Debug, Clone, Copy)]
pub(in crate::facts) struct Sources<'a, 'r> {
    pub(in crate::facts) root: &'r RootDir,
    pub(in crate::facts) loader: &'a Loader<'r>,
    pub(in crate::facts) owners: &'a Ownership,
    pub(in crate::facts) layout: &'a Layout,
    pub(in crate::facts) init: &'a Init,
    pub(in crate::facts) kernels: &'a Kernels,
    pub(in crate::facts) mounts: &'a Mounts,
}

/// What it means when something asked for is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// Whoever asks for it fails.
    Counts,
    /// It is asked for in case it is there.
    Allowed,
}

/// How it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Started as a program.
    Started,
    /// Loaded into another program.
    Loaded,
}

/// Something asked for, not yet looked at.
#[derive(Debug)]
struct Asked {
    path: String,
    role: Role,
    step: usize,
    usage: Use,
    absence: Absence,
    library_path: Option<LibraryPath>,
}

/// A path, and where what lies there is told to look for libraries.
pub(super) type Told = (String, Option<LibraryPath>);

/// The closure while it is gathered.
#[derive(Debug)]
pub(super) struct Gathering<'a, 'r> {
    pub(super) sources: Sources<'a, 'r>,
    steps: Vec<Step>,
    asked: Vec<Asked>,
    known: HashMap<Told, usize>,
    /// Programs of which it is known whether they are scripts to follow.
    pub(super) looked_at: HashSet<Told>,
    /// How many scripts were followed.
    pub(super) followed: usize,
    /// How many are being followed, one in the other.
    pub(super) depth: usize,
}

/// Computes the closure behind PID 1.
pub(in crate::facts) fn collect(sources: Sources<'_, '_>) -> Critical {
    let mut gathering = Gathering {
        sources,
        steps: Vec::new(),
        asked: Vec::new(),
        known: HashMap::new(),
        looked_at: HashSet::new(),
        followed: 0,
        depth: 0,
    };
    let command_line = gathering.command_line().map(str::to_owned);
    let text = command_line.as_deref().unwrap_or("not known");
    let kernel = gathering.step(&format!("kernel command line: {text}"), "", None, None);
    let asked = &sources.init.asked;
    let how = if asked == crate::facts::init::USUAL {
        "what the kernel starts as PID 1 by itself"
    } else {
        "init= names PID 1"
    };
    let init = gathering.step(asked, how, Some(kernel), None);
    let program = sources.init.closure.path.as_deref().unwrap_or_default();
    if program.ends_with("/systemd") {
        systemd::gather(&mut gathering, init, program);
    } else {
        sysv::gather(&mut gathering, init, program);
    }
    helpers::gather(&mut gathering, kernel, init);
    udev::gather(&mut gathering);
    login::gather(&mut gathering, init);
    names::gather(&mut gathering, init);
    gathering.judge()
}

impl<'r> Gathering<'_, 'r> {
    pub(super) fn root(&self) -> &'r RootDir {
        self.sources.root
    }

    /// The command line of the entry that is booted.
    pub(super) fn command_line(&self) -> Option<&str> {
        let entry = self.sources.kernels.default_entry()?;
        Some(entry.command_line.as_str())
    }

    /// Adds a step.
    pub(super) fn step(
        &mut self,
        what: &str,
        how: &str,
        from: Option<usize>,
        file: Option<&str>,
    ) -> usize {
        self.steps.push(Step {
            what: what.to_owned(),
            how: how.to_owned(),
            from,
            file: file.map(str::to_owned),
        });
        self.steps.len() - 1
    }

    /// Something starts `path`.
    pub(super) fn start(&mut self, path: &str, role: Role, step: usize, absence: Absence) {
        self.start_told(path, role, step, absence, None);
    }

    /// Something starts `path` and tells it where to look for libraries.
    pub(super) fn start_told(
        &mut self,
        path: &str,
        role: Role,
        step: usize,
        absence: Absence,
        library_path: Option<LibraryPath>,
    ) {
        self.ask(Asked {
            path: path.to_owned(),
            role,
            step,
            usage: Use::Started,
            absence,
            library_path: library_path.clone(),
        });
        scripts::follow(self, path, role, step, library_path);
    }

    /// Something loads the module `path`.
    pub(super) fn load(&mut self, path: &str, role: Role, step: usize, absence: Absence) {
        self.ask(Asked {
            path: path.to_owned(),
            role,
            step,
            usage: Use::Loaded,
            absence,
            library_path: None,
        });
    }

    fn ask(&mut self, asked: Asked) {
        let key = (asked.path.clone(), asked.library_path.clone());
        match self.known.get(&key).and_then(|at| self.asked.get_mut(*at)) {
            // What is worst without it is told.
            Some(known) if known.role < asked.role => *known = asked,
            Some(known) if known.role == asked.role && asked.absence == Absence::Counts => {
                known.absence = asked.absence;
            }
            Some(_) => {}
            None => {
                self.known.insert(key, self.asked.len());
                self.asked.push(asked);
            }
        }
    }

    /// The step that starts a program with this file name, if one does.
    pub(super) fn starts(&self, names: &[&str]) -> Option<(String, usize)> {
        let found = self.asked.iter().find(|asked| {
            let last = asked.path.rsplit('/').next().unwrap_or_default();
            asked.usage == Use::Started && names.contains(&last)
        })?;
        Some((found.path.clone(), found.step))
    }

    /// The directory of the C library that PID 1 loads, where modules lie too.
    pub(super) fn libc_directory(&self) -> Option<&str> {
        let objects = &self.sources.init.closure.objects;
        let libc = objects.iter().find(|object| object.name == "libc.so.6")?;
        Some(libc.path.rsplit_once('/')?.0)
    }

    /// True when there is a file at `path` that can be executed.
    pub(super) fn can_be_started(&self, path: &str) -> bool {
        let meta = self.root().metadata(path);
        meta.is_ok_and(|meta| meta.kind == Kind::File && meta.is_executable())
    }

    fn judge(self) -> Critical {
        let sources = self.sources;
        let programs = self.asked.into_par_iter().filter_map(|asked| {
            let loader = sources.loader;
            let closure = match (asked.usage, &asked.library_path) {
                (Use::Started, Some(told)) => told.closure(loader, &asked.path),
                (Use::Started, None) => loader.closure(&asked.path),
                (Use::Loaded, _) => loader.library(&asked.path),
            };
            if is_absent(&closure) && asked.absence == Absence::Allowed {
                return None;
            }
            Some(program(sources, asked, closure))
        });
        Critical {
            programs: programs.collect(),
            steps: self.steps,
        }
    }
}

fn is_absent(closure: &Closure) -> bool {
    let mut problems = closure.problems.iter();
    problems.any(|problem| matches!(problem, Problem::ProgramMissing { .. }))
}

fn program(sources: Sources<'_, '_>, asked: Asked, closure: Closure) -> Program {
    let files = closure.objects.iter().map(Needed::from);
    let problems = closure.problems.into_iter();
    let faults = problems
        // A module finds in its program what it does not find by itself.
        .filter(|problem| asked.usage == Use::Started || !is_host_matter(problem))
        .filter(|problem| !sources.layout.misleads(problem))
        .map(|problem| Fault {
            package: package(sources.owners, &problem),
            problem,
        });
    Program {
        path: asked.path,
        real_path: closure.path,
        role: asked.role,
        step: asked.step,
        is_loaded: asked.usage == Use::Loaded,
        library_path: asked.library_path.map(|told| told.value),
        files: files.collect(),
        faults: faults.collect(),
    }
}

fn is_host_matter(problem: &Problem) -> bool {
    matches!(problem, Problem::PreloadIgnored { .. })
}

/// The package of the file at fault: of where it lies, or would lie.
pub(in crate::facts) fn package(owners: &Ownership, problem: &Problem) -> Option<String> {
    let owner = |path: &str| owners.owner_merged(Path::new(path)).map(str::to_owned);
    match problem {
        Problem::LibraryMissing { name, searched, .. } => searched
            .iter()
            .find_map(|dir| owner(&format!("{dir}/{name}"))),
        other => owner(other.culprit()),
    }
}
