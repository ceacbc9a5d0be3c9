//! Which package owns which path: `/var/lib/dpkg/info/*.list`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::{DatabaseFault, Dpkg, LIMIT};
use crate::sys::root_dir::RootDir;

/// Paths by directory, each with its owner.
#[derive(Debug, Default)]
pub struct Ownership {
    base: PathBuf,
    packages: Vec<String>,
    /// The file of checksums of each package that has one.
    sums: HashMap<String, OsString>,
    directories: BTreeMap<PathBuf, HashMap<OsString, usize>>,
}

impl Ownership {
    /// Reads every list; faults of the database are noted in `dpkg`.
    pub(super) fn read(root: &RootDir, base: &Path, dpkg: &mut Dpkg) -> Self {
        let mut owners = Self {
            base: base.to_owned(),
            ..Self::default()
        };
        let info = base.join("info");
        let removed: BTreeSet<String> = dpkg
            .packages
            .iter()
            .filter(|package| !package.on_disk())
            .map(|package| package.name.clone())
            .collect();
        let mut fault = |path: &Path, what: String| {
            let path = path.display().to_string();
            dpkg.faults.push(DatabaseFault { path, what });
        };
        let entries = match root.read_dir(&info) {
            Ok(entries) => entries,
            Err(error) => {
                fault(&info, format!("cannot be read: {error}"));
                return owners;
            }
        };
        let mut lists = 0;
        for entry in entries {
            let path = info.join(&entry.name);
            let name = entry.name.to_string_lossy();
            if let Some(package) = name.strip_suffix(".md5sums") {
                let package = package.split(':').next().unwrap_or(package);
                // Of several architectures the first, as the lists are sorted.
                let sums = owners.sums.entry(package.to_owned());
                sums.or_insert_with(|| entry.name.clone());
            }
            let Some(package) = name.strip_suffix(".list") else {
                continue;
            };
            match root.read(&path, LIMIT) {
                Ok(bytes) => {
                    lists += 1;
                    let name = package.split(':').next().unwrap_or(package);
                    // A removed package's list names what it left in /etc.
                    if !removed.contains(name) {
                        owners.add(name, &bytes);
                    }
                }
                Err(error) => fault(&path, error.to_string()),
            }
        }
        owners.compare(lists, dpkg);
        owners
    }

    /// Sets the number of lists against the number of stanzas.
    fn compare(&self, lists: usize, dpkg: &mut Dpkg) {
        let mut fault = |file: &str, what: String| {
            let path = self.base.join(file).display().to_string();
            dpkg.faults.push(DatabaseFault { path, what });
        };
        // Removed packages keep their list as well, so more lists than stanzas
        // of any kind means that stanzas were lost.
        let known = dpkg.packages.len();
        if lists > known {
            fault(
                "status",
                format!("it knows {known} packages, but there are file lists of {lists}"),
            );
        }
    }

    /// The MD5 sum of `path` as its package ships it, in hexadecimal.
    pub fn shipped_md5(&self, root: &RootDir, path: &Path) -> Option<String> {
        let file = self.sums.get(self.owner_merged(path)?)?;
        let text = root
            .read_text(self.base.join("info").join(file), LIMIT)
            .ok()?;
        let spelled = path.strip_prefix("/").ok()?;
        let other = match spelled.strip_prefix("usr") {
            Ok(rest) => rest.to_owned(),
            Err(_) => Path::new("usr").join(spelled),
        };
        text.lines().find_map(|line| {
            let (sum, name) = line.split_once("  ")?;
            let name = Path::new(name);
            (name == spelled || name == other).then(|| sum.to_owned())
        })
    }

    fn add(&mut self, package: &str, list: &[u8]) {
        let index = self.packages.len();
        self.packages.push(package.to_owned());
        for line in list.split(|byte| *byte == b'\n') {
            // A hostile list must not lead out of the root, nor to "/." itself.
            if line.len() < 2 || line[0] != b'/' || line == b"/." || line.contains(&0) {
                continue;
            }
            let cut = line.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            let (parent, name) = line.split_at(cut);
            let name = &name[1..];
            if name.is_empty() || name == b".." || name == b"." {
                continue;
            }
            let parent = if parent.is_empty() { b"/" } else { parent };
            let parent = Path::new(OsStr::from_bytes(parent));
            let names = match self.directories.get_mut(parent) {
                Some(names) => names,
                None => self.directories.entry(parent.to_owned()).or_default(),
            };
            names
                .entry(OsString::from_vec(name.to_vec()))
                .or_insert(index);
        }
    }

    /// True when no list was read.
    pub fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }

    /// The directories that packages own something in, in order.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories.keys().map(PathBuf::as_path)
    }

    /// What packages own directly in `directory`, as the lists spell it.
    pub fn names_in(&self, directory: &Path) -> impl Iterator<Item = &OsStr> {
        self.directories
            .get(directory)
            .into_iter()
            .flat_map(|names| names.keys().map(OsString::as_os_str))
    }

    /// The package that owns exactly this path, as the lists spell it.
    pub fn owner(&self, path: &Path) -> Option<&str> {
        let names = self.directories.get(path.parent()?)?;
        let index = names.get(path.file_name()?)?;
        self.packages.get(*index).map(String::as_str)
    }

    /// The owner of `path` under any of the spellings that a merged /usr gives
    /// it (`/lib/x` and `/usr/lib/x`).
    pub fn owner_merged(&self, path: &Path) -> Option<&str> {
        self.owner(path).or_else(|| {
            let other = match path.strip_prefix("/usr") {
                Ok(rest) => Path::new("/").join(rest),
                Err(_) => Path::new("/usr").join(path.strip_prefix("/").ok()?),
            };
            self.owner(&other)
        })
    }
}
