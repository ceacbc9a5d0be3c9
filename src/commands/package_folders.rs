//! `--packages`: folders of the rescue system, and sticks, images or other
//! systems' partitions, which are mounted for looking.

use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::patient::{opener, survey_of};
use crate::assembly;
use crate::cli::Target;
use crate::sys::exact;
use crate::sys::root_dir::{Kind, RootDir};
use crate::sysroot::{Opener, filesystems};

/// Where apt of another system keeps what it fetched.
const CACHE_OF_APT: &str = "/var/cache/apt/archives";

/// Folders with packages, and what must be closed after their use.
#[derive(Debug, Default)]
pub(super) struct PackageFolders {
    /// The folders, by absolute paths.
    pub(super) folders: Vec<PathBuf>,
    opened: Vec<Opener>,
}

impl PackageFolders {
    /// Opens what the operator named: a folder, or a device or image with at
    /// least one filesystem that has packages.
    ///
    /// # Errors
    /// It is not there; a device that cannot be opened or has no package.
    pub(super) fn open(named: &[PathBuf]) -> Result<Self> {
        let mut all = Self::default();
        for path in named {
            let path = std::path::absolute(path)?;
            if path.is_dir() {
                all.folders.push(path);
            } else if path.exists() {
                all.add_device(&path)
                    .with_context(|| format!("--packages {}", path.display()))?;
            } else {
                bail!("--packages {}: there is no such folder", path.display());
            }
        }
        Ok(all)
    }

    fn add_device(&mut self, path: &Path) -> Result<()> {
        let target = Target {
            disk: vec![path.to_owned()],
            ..Target::default()
        };
        let survey = survey_of(&target)?;
        let mut opener = opener(&survey, &target, assembly::Purpose::Look)?;
        let (mut folders, mut refused) = (Vec::new(), Vec::new());
        for filesystem in filesystems::list(opener.assembly()) {
            match opener.look_at(&filesystem) {
                Ok(root) => folders.extend(with_packages(&root)),
                Err(error) => refused.push(format!("{error:#}")),
            }
        }
        if folders.is_empty() {
            refused.insert(
                0,
                format!("no package (.deb) at its top, in a folder there, or in {CACHE_OF_APT}"),
            );
            bail!("{}", refused.join("; "));
        }
        self.folders.extend(folders);
        self.opened.push(opener);
        Ok(())
    }

    /// Takes the mounts away.
    ///
    /// # Errors
    /// The kernel does not let go of one.
    pub(super) fn close(self) -> Result<()> {
        for opener in self.opened {
            opener.close()?;
        }
        Ok(())
    }
}

/// The folders in which packages lie: the top, one below it, and apt's cache. No
/// link is followed: it would lead into this system.
fn with_packages(root: &RootDir) -> Vec<PathBuf> {
    let top = Path::new("/");
    let below = exact::names(root, top).unwrap_or_default();
    let below = below.into_iter().map(|name| top.join(name));
    let all = iter::once(top.to_owned()).chain(below);
    let with = all
        .chain([PathBuf::from(CACHE_OF_APT)])
        .filter(|folder| has_package(root, folder));
    with.map(|folder| {
        root.path()
            .join(folder.strip_prefix(top).unwrap_or(&folder))
    })
    .collect()
}

fn has_package(root: &RootDir, folder: &Path) -> bool {
    // Nothing where it is no directory.
    let names = exact::names(root, folder).unwrap_or_default();
    names.iter().any(|name| {
        let path = folder.join(name);
        let is_file =
            || exact::look(root, &path).is_ok_and(|o| o.is_some_and(|o| o.kind == Kind::File));
        path.extension().is_some_and(|end| end == "deb") && is_file()
    })
}
