//! Files of the root, each opened and read once.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::errno::Errno;

use super::damage::Damage;
use super::image::{Bytes, FileBytes};
use super::names::Names;
use super::object::{Machine, Object, machine_of};
use super::script::{self, HEAD_BYTES, Shebang};
use super::shared::{Shared, remembered};
use crate::sys::root_dir::{DeadEnd, Directory, Kind, Meta, Resolved, RootDir};

/// Device and inode: what makes two names the same file.
pub(super) type Id = (u64, u64);

/// What a path leads to.
#[derive(Debug)]
pub(super) struct Opened {
    /// Without any symbolic link.
    pub(super) real_path: String,
    /// What `stat(2)` says.
    pub(super) meta: Meta,
    /// What it runs on, if it begins like an ELF file.
    pub(super) machine: Option<Machine>,
    /// The file itself, shared by all its names.
    pub(super) object: Arc<Result<Object, Damage>>,
    /// About what the object takes of memory.
    pub(super) bytes: usize,
    /// Its first line, if it is a script.
    pub(super) script: Option<Arc<Shebang>>,
    /// Some program loads it.
    is_loaded: AtomicBool,
    /// The number of this file among those that were opened, from 1 on.
    number: usize,
    /// For each library that it needs versions of, the number of the file that
    /// was found to offer them all; 0 while there is none.
    agreed: Box<[AtomicUsize]>,
}

impl Opened {
    /// What makes two names the same object to the loader.
    pub(super) fn id(&self) -> Id {
        (self.meta.dev, self.meta.ino)
    }

    /// True when `library` is the one that was last found to offer everything
    /// of the nth list of versions.
    pub(super) fn agrees(&self, list: usize, library: &Self) -> bool {
        let known = self.agreed.get(list).map(|of| of.load(Ordering::Relaxed));
        known == Some(library.number)
    }

    /// Remembers that `library` offers everything of the nth list.
    pub(super) fn note_agrees(&self, list: usize, library: &Self) {
        if let Some(of) = self.agreed.get(list) {
            of.store(library.number, Ordering::Relaxed);
        }
    }
}

/// A longer path is refused by the kernel, too (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// Most bytes of paths and objects that are remembered, and of directories'
/// names. A server needs 8 MiB of the first and 1 MiB of the second; what does
/// not fit is read again when it is needed.
const MEMORY_BYTES_MAX: usize = 24 * 1024 * 1024;
const NAMES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What remembering one path costs besides its text.
const PATH_BYTES: usize = 256;

/// What reading a file gave.
#[derive(Debug, Clone)]
struct Content {
    machine: Option<Machine>,
    object: Arc<Result<Object, Damage>>,
    script: Option<Arc<Shebang>>,
    /// About what it takes of memory.
    bytes: usize,
}

/// What opening a path gave: the file, or the kernel's answer.
pub(super) type Opening = Result<Arc<Opened>, Errno>;

/// A directory, or the kernel's answer to opening it.
type Listing = Result<Arc<Names>, Errno>;

/// The root with everything of it that was looked at.
#[derive(Debug)]
pub(super) struct Files<'r> {
    pub(super) root: &'r RootDir,
    paths: Shared<String, Opening>,
    objects: Shared<Id, Content>,
    bytes: AtomicUsize,
    directories: Shared<String, Listing>,
    names_bytes: AtomicUsize,
    lists: Shared<String, Arc<Vec<String>>>,
    loaded: Shared<Id, ()>,
    count: AtomicUsize,
}

impl<'r> Files<'r> {
    pub(super) fn new(root: &'r RootDir) -> Self {
        Self {
            root,
            paths: Shared::default(),
            objects: Shared::default(),
            bytes: AtomicUsize::new(0),
            directories: Shared::default(),
            names_bytes: AtomicUsize::new(0),
            lists: Shared::default(),
            loaded: Shared::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// What the loader gets for `path`.
    pub(super) fn open(&self, path: &str) -> Opening {
        if path.len() >= PATH_BYTES_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if let Some(known) = self.paths.get(path) {
            return known.clone();
        }
        let opening = match self.look_up(path) {
            // Not remembered: asking again is as cheap.
            Place::Nowhere(errno) => return Err(errno),
            Place::Known(opened) => Ok(opened),
            Place::Real(real) if real == path => return self.open_real(path),
            Place::Real(real) => self.open_real(&real),
            Place::Unknown => self.open_new(path),
        };
        self.remember_path(path, &opening);
        opening
    }

    /// Most paths that are tried do not exist, and most that do lead to a file
    /// that is known: the names of its directory answer that.
    fn look_up(&self, path: &str) -> Place {
        let Some((directory, name)) = path.rsplit_once('/').filter(|(dir, _)| !dir.is_empty())
        else {
            return Place::Unknown;
        };
        let names = match self.directory(directory) {
            Ok(names) => names,
            Err(Errno::EACCES | Errno::ENFILE | Errno::EMFILE) => return Place::Unknown,
            Err(errno) => return Place::Nowhere(errno),
        };
        match names.find(name) {
            None => Place::Unknown,
            Some(None) => Place::Nowhere(Errno::ENOENT),
            Some(Some(real)) => match self.paths.get(&real).as_deref() {
                Some(Ok(known)) => Place::Known(Arc::clone(known)),
                _ => Place::Real(real),
            },
        }
    }

    fn directory(&self, path: &str) -> Listing {
        if let Some(known) = self.directories.get(path) {
            return known.clone();
        }
        remembered(&self.directories, path.to_owned(), || {
            let resolved = self.root.resolve(path).map_err(|end| end.errno)?;
            if resolved.meta.kind != Kind::Directory {
                return Err(Errno::ENOTDIR);
            }
            let room = NAMES_BYTES_MAX.saturating_sub(self.names_bytes.load(Ordering::Relaxed));
            let names = Names::read(self.root, &resolved.path, room);
            self.names_bytes.fetch_add(names.bytes, Ordering::Relaxed);
            Ok(Arc::new(names))
        })
    }

    fn remember_path(&self, path: &str, opening: &Opening) {
        if self.has_room(path.len() + PATH_BYTES) {
            self.paths.insert(path.to_owned(), opening.clone());
        }
    }

    /// Counts what is to be remembered against what all of it may take.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) < MEMORY_BYTES_MAX
    }

    /// Opens the regular file at `path`, which has no link in it, and remembers
    /// it under that.
    fn open_real(&self, path: &str) -> Opening {
        let opened = path.rsplit_once('/').and_then(|(directory, name)| {
            let directory = self.root.directory(directory).ok()?;
            self.open_in(&directory, Path::new(name), path, true)
        });
        match opened {
            Some(opened) => Ok(opened),
            // For the kernel's answer.
            None => self.open_new(path),
        }
    }

    fn open_new(&self, path: &str) -> Opening {
        let resolved = self.root.resolve(path).map_err(|end| end.errno)?;
        let real_path = resolved.path.to_string_lossy().into_owned();
        Ok(self.opened(real_path, resolved.meta, || {
            if resolved.meta.kind != Kind::File {
                return Content::damaged(Damage::NotAFile);
            }
            match self.root.open_file(path).and_then(FileBytes::new) {
                Ok(bytes) => Content::read(&bytes),
                Err(error) => Content::damaged(error.into()),
            }
        }))
    }

    fn opened(&self, real_path: String, meta: Meta, read: impl FnOnce() -> Content) -> Arc<Opened> {
        let id = (meta.dev, meta.ino);
        let known = self.objects.get(&id).map(|known| known.clone());
        let content = known.unwrap_or_else(|| {
            let content = read();
            if self.has_room(content.bytes) {
                self.objects.entry(id).or_insert(content).clone()
            } else {
                content
            }
        });
        let object = content.object.as_ref().as_ref();
        let lists = object.map_or(0, |object| object.need_lists().count());
        Arc::new(Opened {
            number: self.count.fetch_add(1, Ordering::Relaxed) + 1,
            agreed: (0..lists).map(|_| AtomicUsize::new(0)).collect(),
            real_path,
            meta,
            machine: content.machine,
            object: content.object,
            script: content.script,
            bytes: content.bytes,
            is_loaded: AtomicBool::new(false),
        })
    }

    /// The file called `name` in the open directory at `real_path`'s parent;
    /// remembered under that path, which has no link in it. What is no sound
    /// ELF file only where `keeps_scripts`.
    pub(super) fn open_in(
        &self,
        directory: &Directory,
        name: &Path,
        real_path: &str,
        keeps_scripts: bool,
    ) -> Option<Arc<Opened>> {
        let (file, meta) = directory.open_file(name.as_os_str()).ok()?;
        let content = Content::read(&FileBytes::sized(file, meta.size));
        if content.object.is_err() && !keeps_scripts {
            return None;
        }
        let opened = self.opened(real_path.to_owned(), meta, || content);
        self.remember_path(real_path, &Ok(Arc::clone(&opened)));
        Some(opened)
    }

    /// Like [`RootDir::resolve`], for files that are asked about often.
    pub(super) fn resolve(&self, path: &str) -> Result<(String, Meta), Box<DeadEnd>> {
        if let Ok(opened) = self.open(path) {
            return Ok((opened.real_path.clone(), opened.meta));
        }
        let Resolved { path, meta, .. } = self.root.resolve(path)?;
        Ok((path.to_string_lossy().into_owned(), meta))
    }

    /// Notes that a program loads `opened`.
    pub(super) fn note_loaded(&self, opened: &Opened) {
        if !opened.is_loaded.swap(true, Ordering::Relaxed) {
            self.loaded.insert(opened.id(), ());
        }
    }

    /// Everything that programs were seen to load.
    pub(super) fn loaded(&self) -> HashSet<Id> {
        self.loaded.iter().map(|loaded| *loaded.key()).collect()
    }

    /// The names in a directory that exists, sorted; none otherwise.
    pub(super) fn names_in(&self, directory: &str) -> Arc<Vec<String>> {
        remembered(&self.lists, directory.to_owned(), || {
            let entries = self.root.read_dir(directory).unwrap_or_default();
            let names = entries.into_iter();
            Arc::new(
                names
                    .map(|entry| entry.name.to_string_lossy().into_owned())
                    .collect(),
            )
        })
    }

    /// True when there is a directory at `path`.
    pub(super) fn is_directory(&self, path: &str) -> bool {
        let found = self.root.metadata(path);
        found.is_ok_and(|meta| meta.kind == Kind::Directory)
    }
}

/// Where a path leads, as far as the names of its directory tell.
enum Place {
    Nowhere(Errno),
    Known(Arc<Opened>),
    /// To this path without any link.
    Real(String),
    Unknown,
}

impl Content {
    fn read(bytes: &FileBytes) -> Self {
        let object = match Object::parse(bytes) {
            Ok(object) => object,
            Err(damage @ (Damage::NotElf | Damage::TooShort { .. })) => {
                return Self {
                    script: shebang(bytes).map(Arc::new),
                    ..Self::damaged(damage)
                };
            }
            Err(damage) => {
                return Self {
                    machine: machine_of(bytes),
                    ..Self::damaged(damage)
                };
            }
        };
        Self {
            machine: Some(object.machine),
            bytes: object.memory_bytes(),
            object: Arc::new(Ok(object)),
            script: None,
        }
    }

    fn damaged(damage: Damage) -> Self {
        Self {
            machine: None,
            object: Arc::new(Err(damage)),
            script: None,
            bytes: 0,
        }
    }
}

fn shebang(bytes: &FileBytes) -> Option<Shebang> {
    let mut head = [0; HEAD_BYTES];
    let count = bytes.read_at(&mut head, 0).ok()?;
    script::parse(head.get(..count)?)
}
