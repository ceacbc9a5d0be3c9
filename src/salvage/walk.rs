//! The tree of the patient, name by name, never through a link and never into
//! what the kernel or another machine provides.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::vec;

use super::rules::{self, Area};
use crate::sys::root_dir::{Details, Directory, Entry, RootDir};

/// Directories within each other; deeper ones are told and not entered. One
/// descriptor is open for each.
const DEPTH_MAX: usize = 400;

/// An open directory on the way down.
#[derive(Debug)]
struct Level {
    directory: Directory,
    path: PathBuf,
    device: u64,
    left: vec::IntoIter<Entry>,
}

/// The walk. Parents come before what lies in them, names in order.
#[derive(Debug)]
pub struct Walk {
    levels: Vec<Level>,
    /// Left out by the operator.
    without: Vec<PathBuf>,
    /// Where a directory could not be entered.
    faults: Vec<(PathBuf, io::Error)>,
}

/// One name.
#[derive(Debug)]
pub struct Step {
    /// Absolute.
    pub path: PathBuf,
    /// The last part of it.
    pub name: OsString,
    /// What it is.
    pub details: Details,
    /// Directories above it, the root not counted.
    pub depth: usize,
}

impl Walk {
    /// Begins at the top.
    ///
    /// # Errors
    /// The root itself cannot be read.
    pub fn new(root: &RootDir, without: &[PathBuf]) -> io::Result<Self> {
        let directory = root.directory("/")?;
        let mut walk = Self {
            levels: Vec::new(),
            without: without.to_owned(),
            faults: Vec::new(),
        };
        walk.push(
            directory,
            PathBuf::from("/"),
            root.symlink_metadata("/")?.dev,
        )?;
        Ok(walk)
    }

    fn push(&mut self, mut directory: Directory, path: PathBuf, device: u64) -> io::Result<()> {
        let mut entries = directory.entries()?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        self.levels.push(Level {
            directory,
            path,
            device,
            left: entries.into_iter(),
        });
        Ok(())
    }

    /// The next name. A directory is entered only by [`Walk::enter`].
    pub fn step(&mut self) -> Option<Step> {
        loop {
            let depth = self.levels.len().checked_sub(1)?;
            let level = self.levels.last_mut()?;
            let Some(entry) = level.left.next() else {
                self.levels.pop();
                continue;
            };
            let path = level.path.join(&entry.name);
            if self.without.contains(&path) || rules::area(&path, false) == Area::Never {
                continue;
            }
            match level.directory.details(&entry.name) {
                Ok(details) => {
                    return Some(Step {
                        path,
                        name: entry.name,
                        details,
                        depth,
                    });
                }
                Err(error) => self.faults.push((path, error)),
            }
        }
    }

    /// Goes into the directory that the last step gave.
    pub fn enter(&mut self, step: &Step) {
        if let Err(error) = self.try_enter(step) {
            self.faults.push((step.path.clone(), error));
        }
    }

    fn try_enter(&mut self, step: &Step) -> io::Result<()> {
        let Some(level) = self.levels.last() else {
            return Ok(());
        };
        if self.levels.len() >= DEPTH_MAX {
            return Err(io::Error::other("it lies too deep"));
        }
        let directory = level.directory.below(&step.name)?;
        let device = step.details.meta.dev;
        if device != level.device && directory.is_elsewhere()? {
            return Err(io::Error::other(
                "it lies on no disk of this machine, and is not looked into",
            ));
        }
        self.push(directory, step.path.clone(), device)
    }

    /// The directory that the last step lies in, as long as none was entered.
    pub fn directory(&self) -> Option<&Directory> {
        self.levels.last().map(|level| &level.directory)
    }

    /// What could not be looked at since the last call.
    pub fn faults(&mut self) -> Vec<(PathBuf, io::Error)> {
        std::mem::take(&mut self.faults)
    }
}

/// True when `path` is one of `tops`, or below one, or above one.
pub fn is_asked(path: &Path, tops: &[PathBuf]) -> bool {
    tops.is_empty()
        || tops
            .iter()
            .any(|top| path.starts_with(top) || top.starts_with(path))
}
