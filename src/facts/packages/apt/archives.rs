//! Packages that apt has downloaded: `/var/cache/apt/archives`, or where
//! `Dir::Cache` has them.

use serde::{Deserialize, Serialize};

use super::lists::Offers;
use crate::facts::packages::deb::{Deb, Fault};
use crate::facts::sha256_sum;
use crate::sys::root_dir::{Kind, RootDir};

/// The most packages that are looked at.
const ARCHIVES_MAX: usize = 20_000;

/// The cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cache {
    /// Where they lie.
    #[serde(default)]
    pub folder: String,
    /// Packages in it.
    pub archives: Vec<Archive>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// True when each was opened; with nothing unfinished they are not.
    pub opened: bool,
    /// Of those, the ones whose digest was compared with an index.
    pub compared: usize,
    /// Downloads that did not end: names in `partial`.
    pub partial: Vec<String>,
    /// True when there are more than are looked at.
    pub more: bool,
}

/// One package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Archive {
    /// The name of the file.
    pub file: String,
    /// Its size.
    pub size: u64,
    /// The package, from inside where it was opened, else from the name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// What is wrong with it.
    pub fault: Option<Fault>,
    /// The size that an index tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_size: Option<u64>,
    /// The digest that an index tells, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Cache {
    /// Where it lies; in facts of older versions that is not told.
    pub fn place(&self) -> &str {
        match self.folder.as_str() {
            "" => "/var/cache/apt/archives",
            folder => folder,
        }
    }
}

impl Archive {
    /// True when nothing speaks against it.
    pub fn is_intact(&self) -> bool {
        self.fault.is_none()
    }
}

/// The names in the cache.
pub fn collect(root: &RootDir, place: String) -> Cache {
    let mut cache = Cache {
        folder: place,
        ..Cache::default()
    };
    let Ok(mut folder) = root.directory(&cache.folder) else {
        return cache;
    };
    let mut entries = folder.entries().unwrap_or_default();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        let name = entry.name.to_string_lossy().into_owned();
        let Some((package, version, architecture)) = of_name(&name) else {
            continue;
        };
        if entry.kind != Kind::File {
            continue;
        }
        if cache.archives.len() == ARCHIVES_MAX {
            cache.more = true;
            break;
        }
        let size = folder.metadata(&entry.name).map_or(0, |meta| meta.size);
        cache.bytes = cache.bytes.saturating_add(size);
        cache.archives.push(Archive {
            file: format!("{}/{name}", cache.folder),
            size,
            package,
            version,
            architecture,
            ..Archive::default()
        });
    }
    let partial = root.read_dir(format!("{}/partial", cache.folder));
    cache.partial = partial
        .unwrap_or_default()
        .iter()
        .take(1000)
        .map(|entry| entry.name.to_string_lossy().into_owned())
        .collect();
    cache
}

/// `NAME_VERSION_ARCHITECTURE.deb`, with `%3a` for the colon of an epoch.
/// Package, version and architecture by the name of a file in apt's cache.
pub fn of_name(name: &str) -> Option<(String, String, String)> {
    let mut words = name.strip_suffix(".deb")?.splitn(3, '_');
    let (package, version, architecture) = (words.next()?, words.next()?, words.next()?);
    let version = version.replace("%3a", ":").replace("%3A", ":");
    Some((package.to_owned(), version, architecture.to_owned()))
}

/// Opens every package: whether it is whole, and what it is.
pub(super) fn open_all(root: &RootDir, cache: &mut Cache, offers: &Offers) {
    cache.opened = true;
    for archive in &mut cache.archives {
        if let Err(fault) = open(root, archive) {
            archive.fault = Some(fault);
        }
        let key = (archive.package.clone(), archive.architecture.clone());
        let known = offers
            .get(&key)
            .and_then(|offers| offers.iter().find(|o| o.version == archive.version));
        let Some(known) = known else { continue };
        archive.expected_size = Some(known.size);
        archive.sha256 = Some(known.sha256.clone());
        if archive.size != known.size && archive.fault.is_none() {
            archive.fault = Some(match archive.size < known.size {
                true => Fault::Cut {
                    has: archive.size,
                    needs: known.size,
                },
                false => Fault::Damaged(format!(
                    "it has {} bytes, the index says {}",
                    archive.size, known.size
                )),
            });
        }
    }
}

/// Whether an archive is whole and what its name says.
///
/// # Errors
/// What is wrong with it.
pub fn open(root: &RootDir, archive: &Archive) -> Result<(), Fault> {
    let file = root.open_file(&archive.file)?;
    let control = Deb::open(file, archive.size)?.control()?;
    let named = (&archive.package, &archive.version, &archive.architecture);
    if named != (&control.package, &control.version, &control.architecture) {
        return Err(Fault::Damaged(format!(
            "inside it is {} {} ({})",
            control.package, control.version, control.architecture
        )));
    }
    Ok(())
}

/// Compares the digest of each intact package that an index knows; this reads
/// all of them.
pub(super) fn compare_digests(root: &RootDir, cache: &mut Cache) {
    for archive in &mut cache.archives {
        let Some(expected) = archive.sha256.as_deref().filter(|s| s.len() == 64) else {
            continue;
        };
        if archive.fault.is_some() {
            continue;
        }
        cache.compared += 1;
        match root.open_file(&archive.file).and_then(sha256_sum::of) {
            Ok(found) if found.eq_ignore_ascii_case(expected) => {}
            Ok(_) => {
                let what = "its digest is not the index's".into();
                archive.fault = Some(Fault::Damaged(what));
            }
            Err(error) => archive.fault = Some(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_of_archives() {
        let (package, version, architecture) = of_name("passwd_1%3a4.17.4-2_amd64.deb").unwrap();
        assert_eq!(package, "passwd");
        assert_eq!(version, "1:4.17.4-2");
        assert_eq!(architecture, "amd64");
        assert!(of_name("lock").is_none());
    }
}
