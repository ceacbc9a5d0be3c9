//! Inserting modules into the running kernel.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::error::{Cause, Error};
use super::feature::{self, State};
use super::index::{Index, canonical};
use super::unpack::{self, Packing};
use crate::sys::kernel_module;

/// Where the modules of a kernel may lie.
const PARENTS: [&str; 2] = ["/lib/modules", "/usr/lib/modules"];

/// How a module came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// Inserted by this call.
    Now,
    /// It was loaded before.
    Already,
    /// It is part of the kernel image.
    BuiltIn,
}

/// The modules of the running kernel.
#[derive(Debug)]
pub struct Modules {
    directory: PathBuf,
    index: Index,
    inserted: Vec<String>,
}

impl Modules {
    /// The modules of the running kernel; no other may be loaded (vermagic).
    pub fn of_running_kernel() -> io::Result<Self> {
        let name = nix::sys::utsname::uname()?;
        Self::open(&name.release().to_string_lossy())
    }

    /// The modules of the kernel `release` (`uname -r`).
    pub fn open(release: &str) -> io::Result<Self> {
        let mut first_error = None;
        for parent in PARENTS {
            match Self::at(&Path::new(parent).join(release)) {
                Ok(modules) => return Ok(modules),
                Err(error) => first_error.get_or_insert(error),
            };
        }
        Err(first_error.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    /// The modules in one directory with the indexes of `depmod(8)`.
    pub fn at(directory: &Path) -> io::Result<Self> {
        let index = Index::read(directory).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{}/modules.dep: {error}", directory.display()),
            )
        })?;
        Ok(Self {
            directory: directory.to_owned(),
            index,
            inserted: Vec::new(),
        })
    }

    /// What these modules are and need.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// All modules that were inserted so far, what others needed included.
    pub fn inserted(&self) -> &[String] {
        &self.inserted
    }

    /// Loads `name` (a module's name in either spelling, or an exact alias such
    /// as `fs-ext4`) and what it needs. With several modules for one alias, one
    /// that can be loaded is enough.
    pub fn load(&mut self, name: &str) -> Result<Loaded, Error> {
        let modules = self.resolve(name);
        let mut best: Option<Result<Loaded, Error>> = None;
        for module in &modules {
            let result = self.load_module(module);
            if !matches!(best, Some(Ok(_))) {
                best = Some(result);
            }
        }
        best.unwrap_or_else(|| {
            let canonical = canonical(name);
            if self.index.is_built_in(&canonical) || feature::is_present(&canonical) {
                return Ok(Loaded::BuiltIn);
            }
            Err(Error {
                module: name.to_owned(),
                file: None,
                cause: Cause::Unknown,
            })
        })
    }

    /// Loads every module that claims the device with this `modalias`. Gives
    /// the failures; a device that no module claims is not one.
    pub fn load_alias(&mut self, modalias: &str) -> Vec<Error> {
        self.resolve(modalias)
            .iter()
            .filter_map(|module| self.load_module(module).err())
            .collect()
    }

    fn resolve(&self, word: &str) -> Vec<String> {
        let modules = self.index.resolve(word);
        modules.into_iter().map(str::to_owned).collect()
    }

    fn load_module(&mut self, name: &str) -> Result<Loaded, Error> {
        match feature::state(name) {
            State::Live => return Ok(Loaded::Already),
            State::BuiltIn => return Ok(Loaded::BuiltIn),
            State::Busy | State::Absent => {}
        }
        let mut outcome = Loaded::Already;
        for step in self.index.plan(name) {
            match self.insert(&step.name) {
                Ok(loaded) if step.name == name => outcome = loaded,
                Ok(_) => {}
                Err(error) if step.required => return Err(error),
                // A soft need: if it matters, the module itself will say so.
                Err(_) => {}
            }
        }
        Ok(outcome)
    }

    fn insert(&mut self, name: &str) -> Result<Loaded, Error> {
        match feature::state(name) {
            State::Live => return Ok(Loaded::Already),
            State::BuiltIn => return Ok(Loaded::BuiltIn),
            State::Busy | State::Absent => {}
        }
        let file = self
            .index
            .file(name)
            .map(|relative| self.directory.join(relative));
        let fail = |cause| Error {
            module: name.to_owned(),
            file: file.clone(),
            cause,
        };
        let path = file.as_deref().ok_or_else(|| fail(Cause::Unknown))?;
        match insert_file(path) {
            Ok(()) => {
                self.inserted.push(name.to_owned());
                Ok(Loaded::Now)
            }
            Err(Cause::Refused(Errno::EEXIST)) => Ok(Loaded::Already),
            Err(cause) => Err(fail(cause)),
        }
    }
}

fn insert_file(path: &Path) -> Result<(), Cause> {
    if unpack::packing_of(path).map_err(Cause::File)? == Packing::None {
        let file = File::open(path).map_err(Cause::File)?;
        match kernel_module::insert_file(&file) {
            // Older than Linux 3.8, or a seccomp filter: the other call may do.
            Err(Errno::ENOSYS) => {}
            other => return other.map_err(Cause::Refused),
        }
    }
    let image = unpack::read_module(path).map_err(Cause::File)?;
    kernel_module::insert_image(&image).map_err(Cause::Refused)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
