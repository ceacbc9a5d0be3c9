//! A report as a file of the rescue system: whole or not at all, and never
//! inside the patient, to which a diagnosis writes nothing.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use crate::sys::whole_file::WholeFile;
use crate::sysroot::Search;

/// Folders deeper than this are not made by people.
const DEEPEST: usize = 256;

/// Where the page goes: a folder that is there, and a name.
pub(super) struct PageFile {
    folder: PathBuf,
    name: String,
}

impl PageFile {
    /// The file at `path`, which need not exist.
    ///
    /// # Errors
    /// No such folder; a path that names no file.
    pub(super) fn at(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(folder), Some(name)) = (path.parent(), name) else {
            bail!("{} is no name of a file", path.display());
        };
        let is_folder = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_dir());
        if !is_folder(folder) || is_folder(&path) {
            bail!(
                "{} cannot be written: it is a folder, or in none",
                path.display()
            );
        }
        Ok(Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Writes it, unless it lies in the patient.
    ///
    /// # Errors
    /// It lies there; it cannot be written.
    pub(super) fn write(&self, search: &Search, page: &str) -> Result<()> {
        let place = self.folder.join(&self.name);
        if let Search::Found(info) = search
            && self.is_inside(&info.path)
        {
            bail!(
                "{} lies in the patient, to which a diagnosis writes nothing; name a file of the \
                 rescue system, such as /run/{}",
                place.display(),
                self.name
            );
        }
        let write = || {
            let mut file = WholeFile::begin_private(&self.folder, &self.name)?;
            file.write_all(page.as_bytes())?;
            file.finish()
        };
        write().with_context(|| format!("writing {}", place.display()))
    }

    /// True when `root` is the folder or one above it, whatever links lead
    /// there. The memory of a running system is not on its disks.
    fn is_inside(&self, root: &Path) -> bool {
        let same = |path: &Path| {
            fs::metadata(path)
                .map(|found| (found.dev(), found.ino()))
                .ok()
        };
        let Some(root) = same(root) else {
            return false;
        };
        let is_memory =
            statfs(&self.folder).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC);
        let is_other = same(&self.folder).is_some_and(|(device, _)| device != root.0);
        if is_memory && is_other {
            return false;
        }
        let mut folder = self.folder.clone();
        let mut last = None;
        for _ in 0..DEEPEST {
            let this = same(&folder);
            if this == Some(root) {
                return true;
            }
            if this.is_none() || this == last {
                return false;
            }
            last = this;
            folder.push("..");
        }
        true
    }
}
