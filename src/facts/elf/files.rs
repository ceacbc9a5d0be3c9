//! Files of the root, each opened and read once.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::damage::Damage;
use super::image::FileBytes;
use super::names::Names;
use super::object::{Machine, Object, machine_of};
use crate::sys::root_dir::{DeadEnd, Directory, Kind, Meta, Resolved, RootDir};

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
    /// Some program loads it.
    is_loaded: AtomicBool,
}

impl Opened {
    /// What makes two names the same object to the loader.
    pub(super) fn id(&self) -> (u64, u64) {
        (self.meta.dev, self.meta.ino)
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

type Parsed = (Option<Machine>, Arc<Result<Object, Damage>>);

/// What opening a path gave: the file, or the kernel's answer.
pub(super) type Opening = Result<Arc<Opened>, Errno>;

/// A directory, or the kernel's answer to opening it.
type Listing = Result<Arc<Names>, Errno>;

/// The root with everything of it that was looked at.
#[derive(Debug)]
pub(super) struct Files<'r> {
    pub(super) root: &'r RootDir,
    paths: Mutex<HashMap<String, Opening>>,
    objects: Mutex<HashMap<(u64, u64), Parsed>>,
    bytes: AtomicUsize,
    directories: Mutex<HashMap<String, Listing>>,
    names_bytes: AtomicUsize,
    lists: Mutex<HashMap<String, Arc<Vec<String>>>>,
    loaded: Mutex<HashSet<(u64, u64)>>,
}

impl<'r> Files<'r> {
    pub(super) fn new(root: &'r RootDir) -> Self {
        Self {
            root,
            paths: Mutex::default(),
            objects: Mutex::default(),
            bytes: AtomicUsize::new(0),
            directories: Mutex::default(),
            names_bytes: AtomicUsize::new(0),
            lists: Mutex::default(),
            loaded: Mutex::default(),
        }
    }

    /// What the loader gets for `path`.
    pub(super) fn open(&self, path: &str) -> Opening {
        if path.len() >= PATH_BYTES_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if let Some(known) = lock(&self.paths).get(path) {
            return known.clone();
        }
        let opening = match self.look_up(path) {
            // Not remembered: asking again is as cheap.
            Place::Nowhere(errno) => return Err(errno),
            Place::Known(opened) => Ok(opened),
            Place::Real(real) => self.open_new(&real),
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
            Some(Some(real)) => match lock(&self.paths).get(&real) {
                Some(Ok(known)) => Place::Known(Arc::clone(known)),
                _ => Place::Real(real),
            },
        }
    }

    fn directory(&self, path: &str) -> Listing {
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
            lock(&self.paths).insert(path.to_owned(), opening.clone());
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) < MEMORY_BYTES_MAX
    }

    fn open_new(&self, path: &str) -> Opening {
        let resolved = self.root.resolve(path).map_err(|end| end.errno)?;
        let real_path = resolved.path.to_string_lossy().into_owned();
        Ok(self.opened(real_path, resolved.meta, || {
            if resolved.meta.kind != Kind::File {
                return (None, Arc::new(Err(Damage::NotAFile)));
            }
            match self.root.open_file(path).and_then(FileBytes::new) {
                Ok(bytes) => parse(&bytes),
                Err(error) => (None, Arc::new(Err(error.into()))),
            }
        }))
    }

    fn opened(&self, real_path: String, meta: Meta, parse: impl FnOnce() -> Parsed) -> Arc<Opened> {
        let id = (meta.dev, meta.ino);
        let known = lock(&self.objects).get(&id).cloned();
        let (machine, object) = known.unwrap_or_else(|| {
            let (machine, object) = parse();
            let bytes = object.as_ref().as_ref().map_or(0, Object::memory_bytes);
            if self.has_room(bytes) {
                let mut objects = lock(&self.objects);
                objects
                    .entry(id)
                    .or_insert((machine, Arc::clone(&object)))
                    .clone()
            } else {
                (machine, object)
            }
        });
        Arc::new(Opened {
            real_path,
            meta,
            machine,
            object,
            is_loaded: AtomicBool::new(false),
        })
    }

    /// The sound object called `name` in the open directory at `real_path`'s
    /// parent; remembered under that path, which has no link in it.
    pub(super) fn open_in(
        &self,
        directory: &Directory,
        name: &Path,
        real_path: &str,
    ) -> Option<Arc<Opened>> {
        let (file, meta) = directory.open_file(name.as_os_str()).ok()?;
        let bytes = FileBytes::sized(file, meta.size);
        let object = Object::parse(&bytes).ok()?;
        let parsed = (Some(object.machine), Arc::new(Ok(object)));
        let opened = self.opened(real_path.to_owned(), meta, || parsed);
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
            lock(&self.loaded).insert(opened.id());
        }
    }

    /// Everything that programs were seen to load.
    pub(super) fn loaded(&self) -> HashSet<(u64, u64)> {
        lock(&self.loaded).clone()
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

fn parse(bytes: &FileBytes) -> Parsed {
    let object = Object::parse(bytes);
    let machine = match &object {
        Ok(object) => Some(object.machine),
        Err(_) => machine_of(bytes),
    };
    (machine, Arc::new(object))
}

/// Looks up `key`, or makes and keeps its value. Two threads may both make it;
/// the first one's is kept.
pub(super) fn remembered<K: Eq + Hash, V: Clone>(
    memory: &Mutex<HashMap<K, V>>,
    key: K,
    make: impl FnOnce() -> V,
) -> V {
    if let Some(known) = lock(memory).get(&key) {
        return known.clone();
    }
    let made = make();
    lock(memory).entry(key).or_insert(made).clone()
}

/// A thread that died while it held the lock left a whole map behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
