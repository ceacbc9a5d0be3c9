//! What stands now where the salvage says that something stood.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat;

use crate::facts::sha256_sum;
use crate::salvage::record::{Kind, PathRecord};
use crate::sys::root_dir::{Details, Directory, RootDir};
use crate::sys::xattr::Xattrs;

/// One path as it is now.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// None for a socket.
    pub(super) kind: Option<Kind>,
    pub(super) details: Details,
    pub(super) target: Option<PathBuf>,
    pub(super) device: Option<(u64, u64)>,
    pub(super) xattrs: Xattrs,
}

/// The machine; the directory that was looked at last stays open.
pub(super) struct Places<'r> {
    root: &'r RootDir,
    last: Option<(PathBuf, Directory)>,
}

impl<'r> Places<'r> {
    pub(super) fn new(root: &'r RootDir) -> Self {
        Self { root, last: None }
    }

    /// What is at `path`, a link not followed; none when nothing is.
    pub(super) fn look(&mut self, path: &Path) -> io::Result<Option<Found>> {
        match self.find(path) {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&mut self, path: &Path) -> io::Result<&Directory> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let last = self.last.take().filter(|(open, _)| open == parent);
        let open = match last {
            Some(open) => open,
            None => (parent.to_owned(), self.root.directory(parent)?),
        };
        Ok(&self.last.insert(open).1)
    }

    fn find(&mut self, path: &Path) -> io::Result<Found> {
        let name = path.file_name().ok_or(Errno::EINVAL)?;
        let directory = self.open(path)?;
        let details = directory.details(name)?;
        let kind = Kind::of(details.format);
        let target = match kind {
            Some(Kind::Link) => Some(directory.link_text(name)?),
            _ => None,
        };
        let number = details.device;
        let is_device = matches!(kind, Some(Kind::Character | Kind::Block));
        Ok(Found {
            kind,
            details,
            target,
            device: is_device.then(|| (stat::major(number), stat::minor(number))),
            xattrs: directory.attributes(name)?,
        })
    }

    /// True when the file holds what it held, as far as that was noted.
    pub(super) fn holds(&mut self, record: &PathRecord, found: &Found) -> io::Result<bool> {
        if found.kind != Some(Kind::File) {
            return Ok(true);
        }
        if record
            .size
            .is_some_and(|size| size != found.details.meta.size)
        {
            return Ok(false);
        }
        let Some(then) = &record.sha256 else {
            return Ok(true);
        };
        let name = record.path.file_name().ok_or(Errno::EINVAL)?;
        let (file, meta) = self.open(&record.path)?.open_file(name)?;
        Ok(sha256_sum::of(file.take(meta.size))? == *then)
    }
}

fn is_absent(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP))
}
