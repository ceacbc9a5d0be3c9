//! Every file of a root that may be a program or a library, found once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::Scope;

use super::files::Files;
use super::object::Machine;
use super::script::SEARCH_PATH;
use crate::sys::root_dir::{Directory, Entry, Kind};

/// Directories at the top that hold nothing of the system's own: the kernel's
/// filesystems, and what a repair put aside.
const LEFT_OUT: [&str; 5] = ["proc", "sys", "dev", "run", ".lifeboot"];

/// What is documentation, translation or data by the Filesystem Hierarchy
/// Standard (4.11, 5), package managers' own files, and separate debug files:
/// nothing in them is loaded.
const DATA: [&str; 15] = [
    "/usr/lib/debug",
    "/usr/share/doc",
    "/usr/share/i18n",
    "/usr/share/icons",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/zoneinfo",
    "/var/cache/apt",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/pacman",
    "/var/lib/rpm",
    "/var/log",
    "/var/mail",
];

/// How the names of files end that hold anything but a program: what is called
/// so is not asked about its mode.
const DATA_ENDINGS: [&str; 50] = [
    "a",
    "bc",
    "bz2",
    "c",
    "cache",
    "conf",
    "conffiles",
    "css",
    "deb",
    "el",
    "gif",
    "gz",
    "h",
    "hpp",
    "html",
    "ini",
    "jpg",
    "js",
    "json",
    "la",
    "list",
    "md",
    "md5sums",
    "mo",
    "o",
    "pl",
    "pm",
    "png",
    "po",
    "pod",
    "ps",
    "py",
    "pyc",
    "pyi",
    "rb",
    "rs",
    "service",
    "sh",
    "sql",
    "svg",
    "tcl",
    "tex",
    "tmpl",
    "toml",
    "ttf",
    "txt",
    "xml",
    "xz",
    "yaml",
    "zst",
];

/// Where other systems and their layers are kept, with libraries of their own.
const OTHERS: [&str; 15] = [
    "/.snapshots",
    "/snap",
    "/timeshift",
    "/var/cache/pbuilder",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/flatpak",
    "/var/lib/lxc",
    "/var/lib/lxd",
    "/var/lib/machines",
    "/var/lib/mock",
    "/var/lib/schroot",
    "/var/lib/snapd",
    "/var/lib/waydroid",
];

/// Files and directories that are looked at; a large desktop has a tenth of
/// that.
const ENTRIES_MAX: usize = 10_000_000;

/// One ELF file that the loader could load.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) id: (u64, u64),
    pub(super) soname: Option<String>,
    pub(super) machine: Machine,
    pub(super) interpreter: Option<String>,
    pub(super) is_program: bool,
}

/// What a walk through a root found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Sorted by path; a file with several names only by its first.
    pub(super) found: Vec<Found>,
    /// Programs in the search path that are no ELF files: scripts.
    pub(super) scripts: Vec<String>,
    /// Directories that hold another system.
    pub(super) nested_roots: usize,
    /// There was more than is looked at.
    pub(super) is_cut_short: bool,
}

/// Walks through the whole root, with all processors.
pub(super) fn walk(files: &Files<'_>) -> Walked {
    let walk = Walk {
        files,
        found: Mutex::default(),
        scripts: Mutex::default(),
        nested: AtomicUsize::new(0),
        seen: AtomicUsize::new(0),
    };
    rayon::scope(|scope| walk.directory(scope, Path::new("/")));
    let mut found = walk
        .found
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let mut first = HashMap::new();
    for (index, found) in found.iter().enumerate() {
        first.entry(found.id).or_insert(index);
    }
    let mut index = 0;
    found.retain(|found| {
        let is_first = first.get(&found.id) == Some(&index);
        index += 1;
        is_first
    });
    let mut scripts = walk
        .scripts
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    scripts.sort_unstable();
    Walked {
        found,
        scripts,
        nested_roots: walk.nested.into_inner(),
        is_cut_short: walk.seen.into_inner() > ENTRIES_MAX,
    }
}

struct Walk<'w, 'r> {
    files: &'w Files<'r>,
    found: Mutex<Vec<Found>>,
    scripts: Mutex<Vec<String>>,
    nested: AtomicUsize,
    seen: AtomicUsize,
}

impl<'w> Walk<'w, '_> {
    fn directory<'s>(&'s self, scope: &Scope<'s>, path: &Path)
    where
        'w: 's,
    {
        let Ok(mut directory) = self.files.root.directory(path) else {
            return;
        };
        let entries = directory.entries().unwrap_or_default();
        let before = self.seen.fetch_add(entries.len(), Ordering::Relaxed);
        if before.saturating_add(entries.len()) > ENTRIES_MAX {
            return;
        }
        let top = path.as_os_str() == "/";
        if !top && self.is_another_root(path, &entries) {
            self.nested.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut found = Vec::new();
        for entry in entries {
            match entry.kind {
                Kind::Directory => {
                    let below: PathBuf = path.join(&entry.name);
                    let left_out = top && LEFT_OUT.iter().any(|name| entry.name == *name);
                    if !left_out && !DATA.iter().any(|data| below.as_os_str() == *data) {
                        scope.spawn(move |scope| self.directory(scope, &below));
                    }
                }
                Kind::File => found.extend(self.file(&directory, path, &entry)),
                Kind::Symlink | Kind::Special => {}
            }
        }
        if !found.is_empty() {
            let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            all.append(&mut found);
        }
    }

    /// What `entry` is to the loader: it can be executed, or is called like a
    /// library, and is sound.
    fn file(&self, directory: &Directory, path: &Path, entry: &Entry) -> Option<Found> {
        let name = entry.name.to_string_lossy();
        if is_being_replaced(&name) {
            return None;
        }
        let in_path = SEARCH_PATH.iter().any(|dir| path.as_os_str() == *dir);
        let is_library = is_called_like_a_library(&name);
        if !is_library {
            if !in_path && is_called_like_data(&name) {
                return None;
            }
            let meta = directory.metadata(&entry.name).ok()?;
            if !meta.is_executable() || meta.kind != Kind::File {
                return None;
            }
        }
        let path = path.join(&entry.name).into_os_string().into_string().ok()?;
        let name_only = Path::new(&entry.name);
        let may_be_script = in_path && !is_library;
        let opened = self
            .files
            .open_in(directory, name_only, &path, may_be_script);
        let sound = opened.as_ref().filter(|opened| opened.object.is_ok());
        let Some(opened) = sound else {
            if may_be_script {
                let mut all = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(path);
            }
            return None;
        };
        let object = opened.object.as_ref().as_ref().ok()?;
        object.is_dynamic.then(|| Found {
            path,
            id: opened.id(),
            soname: object.soname.clone(),
            machine: object.machine,
            interpreter: object.interpreter.clone(),
            // Some libraries can be started and are not meant to be.
            is_program: opened.meta.is_executable()
                && object.interpreter.is_some()
                && !(is_library && name.starts_with("lib")),
        })
    }

    /// A directory with a system of its own in it: its programs use its
    /// libraries, not ours.
    fn is_another_root(&self, path: &Path, entries: &[Entry]) -> bool {
        let is_listed = OTHERS.iter().any(|other| path.as_os_str() == *other);
        if is_listed {
            return !entries.is_empty();
        }
        if !entries.iter().any(|e| e.name == "etc" || e.name == "usr") {
            return false;
        }
        let root = self.files.root;
        let is_there = |name: &str| root.symlink_metadata(path.join(name)).is_ok();
        let has_loader = |name: &str| {
            let names = root.read_dir(path.join(name)).unwrap_or_default();
            names.iter().any(|entry| {
                let name = entry.name.to_string_lossy();
                name.starts_with("ld-") && name.contains(".so")
            })
        };
        (is_there("etc/os-release") || is_there("usr/lib/os-release"))
            && ["lib64", "lib", "usr/lib64", "usr/lib", "lib32", "usr/lib32"]
                .into_iter()
                .any(has_loader)
    }
}

/// `README.md`, `copyright.gz`, `16384`.
fn is_called_like_data(name: &str) -> bool {
    // Databases and spools number their files.
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| DATA_ENDINGS.binary_search(&ending).is_ok())
}

/// `libc.so.6`, `_ssl.cpython-311-x86_64-linux-gnu.so`.
fn is_called_like_a_library(name: &str) -> bool {
    name.ends_with(".so") || name.contains(".so.")
}

/// What dpkg and rpm write beside a file before they put it in its place, and
/// what was split off for debuggers.
fn is_being_replaced(name: &str) -> bool {
    let rpm = name
        .rsplit_once(';')
        .is_some_and(|(_, end)| end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit()));
    rpm || [".dpkg-new", ".dpkg-tmp", ".debug"]
        .iter()
        .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endings_can_be_searched_and_name_no_program() {
        assert!(DATA_ENDINGS.is_sorted());
        for name in [
            "copyright.gz",
            "README.md",
            "_perl.pm",
            "notes.txt",
            "16384",
        ] {
            assert!(is_called_like_data(name), "{name}");
        }
        for name in [
            "sshd",
            "python3.11",
            "mount.nfs",
            "vm.bin",
            "7z",
            ".hidden",
            "x.so",
        ] {
            assert!(!is_called_like_data(name), "{name}");
        }
    }
}
