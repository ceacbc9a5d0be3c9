//! The boot-critical closure: every file that the way from the kernel's command
//! line to a login passes, and why.
//!
//! It is computed, never listed: `systemd` follows the units from the default
//! target, `helpers` what mounts, udev and the kernel call, [`pam`] and `names`
//! what a login loads; the dynamic loader then says what each of them needs.

use serde::{Deserialize, Serialize};

use super::elf::{Loaded, Problem};

mod collect;
mod dbus;
mod helpers;
mod login;
mod names;
mod openrc;
mod pam;
mod scripts;
mod systemd;
mod sysv;
mod udev;
pub mod way;

pub(super) use collect::{Sources, collect, package};

/// What the boot loses without a program; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Something that udev, the kernel or a library calls.
    Helper,
    /// Writes units from the configuration.
    Generator,
    /// One service.
    Service,
    /// The shell of a user.
    Shell,
    /// A login at the machine itself.
    Console,
    /// A login over the network.
    Remote,
    /// Devices get their names and appear.
    Device,
    /// Filesystems of fstab are mounted.
    Mount,
    /// Every service is started through it.
    Manager,
}

/// One step on the way from the kernel to a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Step {
    /// A unit, a program or a file.
    pub what: String,
    /// What in the step before leads to it.
    pub how: String,
    /// The step before; `None` for the first.
    pub from: Option<usize>,
    /// The file that defines it, if it is one.
    pub file: Option<String>,
}

/// A file that is loaded with a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Needed {
    /// Where it lies, without any link.
    pub path: String,
    /// The path that is opened, where that is another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub through: Option<String>,
    /// The file that asks for it.
    pub needed_by: String,
}

/// Something wrong with a program, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// What is wrong.
    pub problem: Problem,
    /// The package that has the file at fault, or should have it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package: Option<String>,
}

/// A program, script or module of the closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Program {
    /// As it is asked for.
    pub path: String,
    /// Where that leads.
    pub real_path: Option<String>,
    /// What the boot loses without it.
    pub role: Role,
    /// The step that asks for it.
    pub step: usize,
    /// A module, which another program loads.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_loaded: bool,
    /// The `LD_LIBRARY_PATH` that it is started with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub library_path: Option<String>,
    /// What is loaded with it.
    pub files: Vec<Needed>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// The whole closure, PID 1 apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Critical {
    /// The steps; the first is the kernel's command line.
    pub steps: Vec<Step>,
    /// The programs.
    pub programs: Vec<Program>,
}

impl Critical {
    /// The way to step `at`, the first step first.
    pub fn way(&self, at: usize) -> Vec<&Step> {
        let mut way = Vec::new();
        let mut next = self.steps.get(at);
        // A saved file could lead in a circle.
        while let Some(step) = next.filter(|_| way.len() <= self.steps.len()) {
            way.push(step);
            next = step.from.and_then(|from| self.steps.get(from));
        }
        way.reverse();
        way
    }

    /// The programs that `path` is loaded with, or that it is.
    pub fn users<'c>(&'c self, path: &'c str) -> impl Iterator<Item = &'c Program> {
        self.programs.iter().filter(move |program| {
            let is_it = program.path == path || program.real_path.as_deref() == Some(path);
            is_it || program.files.iter().any(|file| file.is(path))
        })
    }
}

impl From<&Loaded> for Needed {
    fn from(object: &Loaded) -> Self {
        Self {
            path: object.real_path.clone(),
            through: (object.path != object.real_path).then(|| object.path.clone()),
            needed_by: object.needed_by.clone(),
        }
    }
}

impl Needed {
    /// True for the file at `path`, under either of its names.
    pub fn is(&self, path: &str) -> bool {
        self.path == path || self.through.as_deref() == Some(path)
    }
}
