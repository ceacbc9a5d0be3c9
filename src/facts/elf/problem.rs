//! What the loader's answer is made of: plain data for checks and reports.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::symbols::{Missed, Undefined};

/// A symbolic link that was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Link {
    /// Where it lies.
    pub at: String,
    /// What it says.
    pub target: String,
}

/// Everything that starting one program loads, and what goes wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Closure {
    /// The path that was asked about.
    pub program: String,
    /// Where it leads, without any link; `None` when it leads nowhere.
    pub path: Option<String>,
    /// What the kernel starts for it: `PT_INTERP`, or what follows `#!`.
    pub interpreter: Option<String>,
    /// What is loaded, in the loader's order. For a script also its
    /// interpreter's program and libraries.
    pub objects: Vec<Loaded>,
    /// What goes wrong, in the order in which it is met.
    pub problems: Vec<Problem>,
    /// Symbols that nothing loaded defines, where that was asked and could be
    /// examined.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub undefined: Option<Vec<Undefined>>,
}

impl Closure {
    /// True when the program starts: no problem, or only warnings.
    pub fn starts(&self) -> bool {
        let mut undefined = self.undefined.iter().flatten();
        !self.problems.iter().any(Problem::is_fatal)
            && !undefined.any(|symbol| symbol.missed_at == Missed::Start)
    }
}

/// One loaded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Loaded {
    /// The name it was first asked for by.
    pub name: String,
    /// The path the loader opens.
    pub path: String,
    /// That path without any link.
    pub real_path: String,
    /// The real path of the first file that asked for it.
    pub needed_by: String,
}

/// One thing that goes wrong when a program is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs)] // the fields are what their names say
pub enum Problem {
    /// The path of the program breaks off at `at`.
    ProgramMissing {
        program: String,
        at: String,
        links: Vec<Link>,
        why: String,
    },
    /// The program is there and is no program.
    ProgramDamaged { path: String, why: String },
    /// No execute bit.
    NotExecutable { path: String },
    /// The path of the interpreter (loader, or what a script names) breaks off.
    InterpreterMissing {
        interpreter: String,
        needed_by: String,
        at: String,
        links: Vec<Link>,
        why: String,
    },
    /// The interpreter is there and the kernel refuses it.
    InterpreterDamaged {
        interpreter: String,
        needed_by: String,
        why: String,
    },
    /// No file of that name where the loader looks.
    LibraryMissing {
        name: String,
        needed_by: String,
        /// The directories it looked in, best first (at most 32).
        searched: Vec<String>,
        /// The same library, or another version of it, elsewhere (at most 8).
        found_elsewhere: Vec<String>,
        /// Where it lies in a directory of `/etc/ld.so.conf`: it is only
        /// absent from `/etc/ld.so.cache`.
        not_in_cache: Option<String>,
    },
    /// The loader stops at this file, even if a good one would follow.
    LibraryDamaged {
        name: String,
        path: String,
        needed_by: String,
        why: String,
    },
    /// Only files for another machine were found.
    WrongMachine {
        name: String,
        path: String,
        needed_by: String,
        found: String,
        expected: String,
    },
    /// The library is there, but another version of it.
    VersionMissing {
        library: String,
        path: String,
        version: String,
        needed_by: String,
    },
    /// The path leads into itself.
    LinkLoop {
        path: String,
        needed_by: Option<String>,
        links: Vec<Link>,
    },
    /// An object of `/etc/ld.so.preload` is passed over, with a message at
    /// every start of every program.
    PreloadIgnored { name: String, why: String },
    /// It could not be read, so nothing is known about it and what it needs.
    Unexamined { path: String, why: String },
}

impl Problem {
    /// True when both are the fault of a file of one name: a library under two
    /// of its paths is one library.
    pub fn has_culprit_of(&self, other: &Self) -> bool {
        let name = |problem: &Self| {
            let last = problem.culprit().rsplit('/').next();
            last.unwrap_or_default().to_owned()
        };
        name(self) == name(other)
    }

    /// The file at fault: what is missing, damaged or too old.
    pub fn culprit(&self) -> &str {
        match self {
            Self::ProgramMissing { program, .. } => program,
            Self::InterpreterMissing { interpreter, .. }
            | Self::InterpreterDamaged { interpreter, .. } => interpreter,
            Self::LibraryMissing { name, .. } | Self::PreloadIgnored { name, .. } => name,
            Self::ProgramDamaged { path, .. }
            | Self::NotExecutable { path }
            | Self::LibraryDamaged { path, .. }
            | Self::WrongMachine { path, .. }
            | Self::VersionMissing { path, .. }
            | Self::LinkLoop { path, .. }
            | Self::Unexamined { path, .. } => path,
        }
    }

    /// True when the program does not start; false for warnings and for what
    /// could not be examined.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::PreloadIgnored { .. } | Self::Unexamined { .. })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProgramMissing {
                program, at, why, ..
            } if program == at => write!(f, "{program}: {why}"),
            Self::ProgramMissing {
                program, at, why, ..
            } => write!(f, "{program}: {why} at {at}"),
            Self::ProgramDamaged { path, why } => write!(f, "{path}: {why}"),
            Self::NotExecutable { path } => write!(f, "{path}: not executable"),
            Self::InterpreterMissing {
                interpreter,
                needed_by,
                at,
                why,
                ..
            } => write!(f, "{needed_by}: interpreter {interpreter}: {why} at {at}"),
            Self::InterpreterDamaged {
                interpreter,
                needed_by,
                why,
            } => write!(f, "{needed_by}: interpreter {interpreter}: {why}"),
            Self::LibraryMissing {
                name, needed_by, ..
            } => write!(f, "{needed_by}: {name} not found"),
            Self::LibraryDamaged {
                path,
                needed_by,
                why,
                ..
            } => write!(f, "{needed_by}: {path}: {why}"),
            Self::WrongMachine {
                path,
                needed_by,
                found,
                expected,
                ..
            } => write!(f, "{needed_by}: {path} is {found}, not {expected}"),
            Self::VersionMissing {
                path,
                version,
                needed_by,
                ..
            } => write!(f, "{needed_by}: {path} lacks version {version}"),
            Self::LinkLoop { path, .. } => write!(f, "{path}: symbolic links lead in a circle"),
            Self::PreloadIgnored { name, why } => {
                write!(f, "/etc/ld.so.preload: {name} is ignored: {why}")
            }
            Self::Unexamined { path, why } => write!(f, "{path}: not examined: {why}"),
        }
    }
}

/// Links as the root tells them, as text.
pub(super) fn links(followed: &[(PathBuf, PathBuf)]) -> Vec<Link> {
    followed
        .iter()
        .map(|(at, target)| Link {
            at: at.to_string_lossy().into_owned(),
            target: target.to_string_lossy().into_owned(),
        })
        .collect()
}
