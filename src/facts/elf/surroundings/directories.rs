//! The directories that the loader searches: links that lead nowhere, files
//! without a byte, and what only root can read.

use std::collections::HashSet;
use std::path::Path;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::{Around, KEPT_MAX, Surroundings, is_run_time_name, name_and_major};
use crate::facts::elf::problem::Problem;
use crate::sys::root_dir::{Kind, Meta};

/// Most names that are looked at; a large desktop has 4000.
const NAMES_MAX: usize = 50_000;

/// Others may read.
const READ: u32 = 0o004;

/// Others may pass through, or start.
const PASS: u32 = 0o001;

/// A link that does not lead to the library it is named for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BadLink {
    /// The link.
    pub path: String,
    /// What it says.
    pub target: String,
    /// The package that ships the link's name.
    pub owner: Option<String>,
    /// False when there is no package database to ask.
    pub owners_known: bool,
    /// What is wrong with it.
    pub fault: LinkFault,
}

/// What is wrong with a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum LinkFault {
    /// It leads to nothing.
    Dangling {
        /// The first place that is not there.
        at: String,
    },
    /// It leads into itself.
    Loop,
    /// It leads to another library.
    OtherName {
        /// The file, without links.
        leads_to: String,
        /// The name that the file has for itself.
        soname: String,
    },
}

/// Something that only root can read or pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Closed {
    /// The file or directory.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// True for a directory.
    pub is_directory: bool,
    /// True for the loader itself.
    pub is_loader: bool,
}

pub(super) fn collect(around: &Around<'_, '_>, found: &mut Surroundings) {
    let root = around.search.files.root;
    let mut walk = Walk {
        around,
        found,
        files: HashSet::new(),
        directories: HashSet::new(),
    };
    for system in &around.search.constants.system_dirs {
        let Ok(resolved) = root.resolve(system) else {
            continue;
        };
        walk.pass(&resolved.path);
        walk.directory(&resolved.path);
    }
    for object in &around.pid1.objects {
        walk.file(&object.real_path);
    }
    walk.loader();
}

struct Walk<'w, 'a, 'r> {
    around: &'w Around<'a, 'r>,
    found: &'w mut Surroundings,
    files: HashSet<(u64, u64)>,
    directories: HashSet<String>,
}

impl Walk<'_, '_, '_> {
    /// Everybody must be able to pass `directory` and all above it.
    fn pass(&mut self, directory: &Path) {
        for above in directory.ancestors() {
            let path = above.to_string_lossy().into_owned();
            let Ok(meta) = self.around.search.files.root.metadata(above) else {
                continue;
            };
            if meta.kind == Kind::Directory
                && meta.mode & PASS == 0
                && self.files.insert((meta.dev, meta.ino))
            {
                self.found.closed.push(Closed {
                    path,
                    mode: meta.mode,
                    is_directory: true,
                    is_loader: false,
                });
            }
        }
    }

    fn directory(&mut self, directory: &Path) {
        let name = directory.to_string_lossy().into_owned();
        if !self.directories.insert(name) {
            return;
        }
        let root = self.around.search.files.root;
        for entry in root.read_dir(directory).unwrap_or_default() {
            let Some(name) = entry.name.to_str().filter(|name| is_run_time_name(name)) else {
                continue;
            };
            let Some(path) = directory.join(name).to_str().map(str::to_owned) else {
                continue;
            };
            if self.files.len() > NAMES_MAX {
                return;
            }
            match entry.kind {
                Kind::File => self.file(&path),
                Kind::Symlink => self.link(&path, name),
                Kind::Directory | Kind::Special => {}
            }
        }
    }

    fn file(&mut self, path: &str) {
        if let Ok(meta) = self.around.search.files.root.metadata(path) {
            self.check(path, &meta);
        }
    }

    fn check(&mut self, path: &str, meta: &Meta) {
        if meta.kind != Kind::File || !self.files.insert((meta.dev, meta.ino)) {
            return;
        }
        if meta.mode & READ == 0 && self.found.closed.len() < KEPT_MAX {
            self.found.closed.push(Closed {
                path: path.to_owned(),
                mode: meta.mode,
                is_directory: false,
                is_loader: false,
            });
        }
        if meta.size == 0 && self.found.empty.len() < KEPT_MAX && !self.is_told(path) {
            self.found.empty.push(path.to_owned());
        }
    }

    /// True when PID 1's own closure tells that `path` is damaged.
    fn is_told(&self, path: &str) -> bool {
        let root = self.around.search.files.root;
        let mut problems = self.around.pid1.problems.iter();
        problems.any(|problem| match problem {
            Problem::LibraryDamaged { path: other, .. } => {
                let resolved = root.resolve(other);
                resolved.is_ok_and(|resolved| resolved.path == Path::new(path))
            }
            _ => false,
        })
    }

    fn link(&mut self, path: &str, name: &str) {
        let root = self.around.search.files.root;
        let target = root.read_link(path);
        let target = target.map_or_else(
            |_| String::new(),
            |target| target.to_string_lossy().into_owned(),
        );
        let fault = match root.metadata(path) {
            Ok(meta) => {
                let last = target.rsplit('/').next().unwrap_or(&target);
                // The usual link says by its target's name where it leads.
                if last.starts_with(name) && !target.contains("..") && !target.starts_with('/') {
                    self.check(&format!("{}{last}", path.trim_end_matches(name)), &meta);
                    return;
                }
                self.file(path);
                self.other_name(path, name)
            }
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT | Errno::ENOTDIR) => self.dangling(path),
                Some(Errno::ELOOP) => Some(LinkFault::Loop),
                _ => None,
            },
        };
        let Some(fault) = fault else { return };
        if self.found.links.len() < KEPT_MAX {
            self.found.links.push(BadLink {
                path: path.to_owned(),
                target,
                owner: self.around.owner(path),
                owners_known: !self.around.owners.is_empty(),
                fault,
            });
        }
    }

    fn dangling(&self, path: &str) -> Option<LinkFault> {
        let end = self.around.search.files.root.resolve(path).err()?;
        Some(LinkFault::Dangling {
            at: end.at.to_string_lossy().into_owned(),
        })
    }

    /// Another library in the place of the one that the link is named for. A
    /// package that ships such a link itself knows why, and the alternatives
    /// system chooses among libraries that fit.
    fn other_name(&self, path: &str, name: &str) -> Option<LinkFault> {
        let opened = self.around.search.files.open(path).ok()?;
        let object = opened.object.as_ref().as_ref().ok()?;
        let soname = object.soname.as_deref()?;
        let (front, major) = name_and_major(name)?;
        let (other_front, other_major) = name_and_major(soname)?;
        if front != other_front || major == other_major {
            return None;
        }
        let resolved = self.around.search.files.root.resolve(path).ok()?;
        let mut links = resolved.links.iter();
        if links.any(|(at, _)| at.starts_with("/etc/alternatives")) {
            return None;
        }
        let owner = self.around.owner(path);
        if owner.is_some() && owner == self.around.owner(&opened.real_path) {
            return None;
        }
        Some(LinkFault::OtherName {
            leads_to: opened.real_path.clone(),
            soname: soname.to_owned(),
        })
    }

    /// The kernel starts the loader with the rights of whoever starts the
    /// program.
    fn loader(&mut self) {
        let Some(asking) = self.around.asking.first() else {
            return;
        };
        let meta = asking.opened.meta;
        // Without any execute bit it is told as damaged.
        if meta.mode & PASS != 0 || !meta.is_executable() {
            return;
        }
        let path = asking.opened.real_path.clone();
        self.found.closed.retain(|closed| closed.path != path);
        self.found.closed.push(Closed {
            path,
            mode: meta.mode,
            is_directory: false,
            is_loader: true,
        });
    }
}
