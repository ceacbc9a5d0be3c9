//! A salvage as a folder of plain files. What is there already and the same
//! is not written again, so a second run goes on where the first one stopped.

use std::io;
use std::path::{Path, PathBuf};

use super::record::PathRecord;
use super::shelf::{FILES, Shelf, Shelved, TOP};
use crate::sys::copy_folder::{CopyFolder, Rights};

/// Paths that are told; of more only the number.
const TOLD_MAX: usize = 1000;

/// The folder being filled.
#[derive(Debug)]
pub struct Folder {
    folder: CopyFolder,
    shelved: Shelved,
}

impl Folder {
    /// Begins to fill `path`, or goes on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(path: &Path) -> io::Result<Self> {
        let folder = CopyFolder::open(path, TOP)?;
        folder.directory(Path::new(FILES), None)?;
        Ok(Self {
            folder,
            shelved: Shelved::default(),
        })
    }

    /// One path that cannot be put stops nothing, unless the target is full.
    fn note<T>(&mut self, path: &Path, done: io::Result<T>) -> io::Result<Option<T>> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) if ends_all(&error) => Err(error),
            Err(error) => {
                if self.shelved.lost.len() < TOLD_MAX {
                    let path = path.display().to_string();
                    self.shelved.lost.push((path, error.to_string()));
                }
                Ok(None)
            }
        }
    }
}

fn ends_all(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(
        error.kind(),
        StorageFull | QuotaExceeded | ReadOnlyFilesystem
    ) || error.raw_os_error() == Some(nix::errno::Errno::EIO as i32)
}

fn place(path: &Path) -> PathBuf {
    Path::new(FILES).join(path.strip_prefix("/").unwrap_or(path))
}

fn rights(record: &PathRecord) -> Rights {
    Rights {
        mode: record.mode,
        uid: record.uid,
        gid: record.gid,
        mtime: record.mtime,
        xattrs: record.attributes(),
    }
}

impl Shelf for Folder {
    fn directory(&mut self, record: &PathRecord) -> io::Result<()> {
        let made = self
            .folder
            .directory(&place(&record.path), Some(&rights(record)));
        self.note(&record.path, made).map(drop)
    }

    fn link(&mut self, record: &PathRecord) -> io::Result<()> {
        let path = place(&record.path);
        let made = match (&record.same_as, &record.target) {
            (Some(same), _) => self.folder.hard_link(&place(same), &path),
            (None, target) => {
                let target = target.as_deref().unwrap_or(Path::new(""));
                self.folder.symlink(&path, target, &rights(record))
            }
        };
        self.note(&record.path, made).map(drop)
    }

    fn file(&mut self, record: &PathRecord, content: &[u8]) -> io::Result<()> {
        let put = self
            .folder
            .file(&place(&record.path), content, &rights(record));
        if let Some(written) = self.note(&record.path, put)? {
            self.shelved.already += u64::from(!written);
        }
        Ok(())
    }

    fn page(&mut self, name: &Path, content: &[u8]) -> io::Result<()> {
        let parent = name.parent().unwrap_or(Path::new(""));
        let mut made = PathBuf::new();
        for part in parent {
            made.push(part);
            self.folder.directory(&made, None)?;
        }
        self.folder.file(name, content, &Rights::of_lifeboot())?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<Shelved> {
        self.folder.sync()?;
        Ok(self.shelved)
    }
}
