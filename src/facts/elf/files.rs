//! Files of the root, each opened and read once.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::damage::Damage;
use super::image::FileBytes;
use super::object::{Machine, Object, machine_of};
use crate::sys::root_dir::{Kind, Meta, RootDir};

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
}

impl Opened {
    /// What makes two names the same object to the loader.
    pub(super) fn id(&self) -> (u64, u64) {
        (self.meta.dev, self.meta.ino)
    }
}

/// A longer path is refused by the kernel, too (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// Most bytes of paths that are remembered; a large root needs 20 MiB.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

type Parsed = (Option<Machine>, Arc<Result<Object, Damage>>);

/// What opening a path gave: the file, or the kernel's answer.
pub(super) type Opening = Result<Arc<Opened>, Errno>;

/// The root with everything of it that was looked at.
#[derive(Debug)]
pub(super) struct Files<'r> {
    pub(super) root: &'r RootDir,
    paths: Mutex<HashMap<String, Opening>>,
    path_bytes: AtomicUsize,
    objects: Mutex<HashMap<(u64, u64), Parsed>>,
    lists: Mutex<HashMap<String, Arc<Vec<String>>>>,
}

impl<'r> Files<'r> {
    pub(super) fn new(root: &'r RootDir) -> Self {
        Self {
            root,
            paths: Mutex::default(),
            path_bytes: AtomicUsize::new(0),
            objects: Mutex::default(),
            lists: Mutex::default(),
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
        let opening = self.open_new(path);
        let bytes = self.path_bytes.fetch_add(path.len(), Ordering::Relaxed);
        if bytes < MEMORY_BYTES_MAX {
            lock(&self.paths).insert(path.to_owned(), opening.clone());
        }
        opening
    }

    fn open_new(&self, path: &str) -> Opening {
        // Most paths that are tried do not exist: one call answers that.
        self.root.metadata(path).map_err(|error| errno_of(&error))?;
        let resolved = self.root.resolve(path).map_err(|end| end.errno)?;
        let id = (resolved.meta.dev, resolved.meta.ino);
        let (machine, object) = remembered(&self.objects, id, || {
            if resolved.meta.kind != Kind::File {
                return (None, Arc::new(Err(Damage::NotAFile)));
            }
            self.parse(path)
        });
        Ok(Arc::new(Opened {
            real_path: resolved.path.to_string_lossy().into_owned(),
            meta: resolved.meta,
            machine,
            object,
        }))
    }

    fn parse(&self, path: &str) -> Parsed {
        let bytes = match self.root.open_file(path).and_then(FileBytes::new) {
            Ok(bytes) => bytes,
            Err(error) => return (None, Arc::new(Err(error.into()))),
        };
        let object = Object::parse(&bytes);
        let machine = match &object {
            Ok(object) => Some(object.machine),
            Err(_) => machine_of(&bytes),
        };
        (machine, Arc::new(object))
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

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
