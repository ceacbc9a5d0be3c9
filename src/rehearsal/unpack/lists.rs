//! Which package on disk owns which path, while packages are unpacked.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{FILE_MAX, info, rewrite};
use crate::facts::packages::dpkg::stanzas::{self, Key, Stanzas};
use crate::facts::packages::dpkg_files::relative;
use crate::facts::packages::{control, relations, status};
use crate::sys::root_dir::RootDir;
use crate::sys::write_root::WriteRoot;

/// The most bytes of all lists.
const ALL_MAX: usize = 512 << 20;

/// A package on disk.
#[derive(Debug)]
struct Holder {
    key: Key,
    version: String,
    stem: String,
}

/// Every path with its owners.
#[derive(Debug, Default)]
pub(super) struct Lists {
    holders: Vec<Holder>,
    owners: HashMap<Vec<u8>, Vec<usize>>,
    /// What the package that is just unpacked replaces.
    replaces: String,
}

impl Lists {
    /// Reads the lists of all packages on disk.
    pub(super) fn read(root: &RootDir, home: &Path, stanzas: &Stanzas) -> Result<Self> {
        let mut all = Self::default();
        let mut bytes = 0;
        for stanza in stanzas.all() {
            let (packages, _) = status::parse(stanza);
            if !packages.first().is_some_and(status::Package::on_disk) {
                continue;
            }
            let stem = info::stem(root, home, stanza);
            let paths = paths(root, home, &stem)?;
            bytes += paths.iter().map(Vec::len).sum::<usize>();
            if bytes > ALL_MAX {
                bail!("the lists of files in {} are too long", home.display());
            }
            let at = all.holders.len();
            all.holders.push(Holder {
                key: stanzas::key(stanza),
                version: control::text(stanza, "Version").unwrap_or_default(),
                stem,
            });
            for path in paths {
                all.owners.entry(path).or_default().push(at);
            }
        }
        Ok(all)
    }

    /// A package is about to be unpacked.
    pub(super) fn begin(&mut self, key: &Key, new: &[u8]) {
        let at = self.holders.iter().position(|holder| holder.key == *key);
        let version = control::text(new, "Version").unwrap_or_default();
        match at {
            Some(at) => self.holders[at].version = version,
            None => self.holders.push(Holder {
                key: key.clone(),
                version,
                stem: String::new(),
            }),
        }
        self.replaces = control::text(new, "Replaces").unwrap_or_default();
    }

    /// It is unpacked and owns these paths.
    pub(super) fn end(&mut self, key: &Key, listed: &[Vec<u8>]) {
        let Some(at) = self.holders.iter().position(|holder| holder.key == *key) else {
            return;
        };
        for owners in self.owners.values_mut() {
            owners.retain(|owner| *owner != at);
        }
        for path in listed {
            self.owners.entry(path.clone()).or_default().push(at);
        }
    }

    /// True when another package than `key` owns the path, as it is spelled.
    pub(super) fn is_others(&self, path: &[u8], key: &Key) -> bool {
        let owners = self.owners.get(path).into_iter().flatten();
        let mut holders = owners.filter_map(|at| self.holders.get(*at));
        holders.any(|holder| holder.key.0 != key.0 || holder.key.1 != key.1)
    }

    /// Whether the package may put a file where others have one: true when it
    /// takes it over from one of them.
    ///
    /// # Errors
    /// It is another package's that is not replaced.
    pub(super) fn may_take(&self, path: &[u8], key: &Key) -> Result<bool, String> {
        let mut takes = false;
        for at in self.owners.get(path).into_iter().flatten() {
            let Some(holder) = self.holders.get(*at) else {
                continue;
            };
            // Packages of several architectures share files that are equal.
            if holder.key.0 == key.0 {
                continue;
            }
            let mut replaced = relations::groups(&self.replaces).flatten();
            if !replaced.any(|one| one.name == holder.key.0 && one.takes(&holder.version)) {
                return Err(holder.key.0.clone());
            }
            takes = true;
        }
        Ok(takes)
    }

    /// Takes paths out of the lists of the packages that had them.
    pub(super) fn taken(
        &mut self,
        write: &WriteRoot<'_>,
        home: &Path,
        (key, taken): (&Key, &[Vec<u8>]),
    ) -> Result<()> {
        let mut changed: Vec<usize> = Vec::new();
        for path in taken {
            let Some(owners) = self.owners.get_mut(path) else {
                continue;
            };
            let holders = &self.holders;
            owners.retain(|at| {
                let stays = holders.get(*at).is_none_or(|holder| holder.key.0 == key.0);
                if !stays && !changed.contains(at) {
                    changed.push(*at);
                }
                stays
            });
        }
        for at in changed {
            let stem = self.holders[at].stem.clone();
            let left = paths(write.root(), home, &stem)?;
            let mut bytes = b"/.\n".to_vec();
            for path in left.iter().filter(|path| !taken.contains(path)) {
                bytes.push(b'/');
                bytes.extend_from_slice(path);
                bytes.push(b'\n');
            }
            rewrite(
                write,
                &home.join("info").join(format!("{stem}.list")),
                0o644,
                &bytes,
            )?;
        }
        Ok(())
    }
}

/// The paths in the list of a package, without their leading slash, in its
/// order; empty when there is no list.
pub(super) fn paths(root: &RootDir, home: &Path, stem: &str) -> Result<Vec<Vec<u8>>> {
    let path = home.join("info").join(format!("{stem}.list"));
    let bytes = match root.read(&path, FILE_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let lines = bytes.split(|byte| *byte == b'\n').map(relative);
    let paths = lines.filter(|path| !path.is_empty() && *path != b"." && !path.contains(&0));
    Ok(paths.map(<[u8]>::to_vec).collect())
}
