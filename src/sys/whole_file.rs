//! A file of the rescue system that is there as a whole, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::durable;

/// A file that is being written, under another name.
#[derive(Debug)]
pub struct WholeFile {
    file: File,
    folder: PathBuf,
    name: String,
    part: PathBuf,
}

impl WholeFile {
    /// Begins a file called `name` in `folder`; what an earlier run left of it
    /// is thrown away.
    ///
    /// # Errors
    /// The kernel's; a name that is a path.
    pub fn begin(folder: &Path, name: &str) -> io::Result<Self> {
        Self::begin_with(folder, name, 0o666)
    }

    /// The same for one that only its owner may read.
    ///
    /// # Errors
    /// Like [`WholeFile::begin`].
    pub fn begin_private(folder: &Path, name: &str) -> io::Result<Self> {
        Self::begin_with(folder, name, 0o600)
    }

    fn begin_with(folder: &Path, name: &str, mode: u32) -> io::Result<Self> {
        if name.is_empty() || name.contains('/') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no name"));
        }
        let part = folder.join(format!(".{name}.part"));
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&part)?;
        Ok(Self {
            file,
            folder: folder.to_owned(),
            name: name.to_owned(),
            part,
        })
    }

    /// Gives it its name once it is on the disk.
    ///
    /// # Errors
    /// The kernel's.
    pub fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, self.folder.join(&self.name))?;
        durable::sync_dir(File::open(&self.folder)?)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        // After `finish` there is none.
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_of_it_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let names = || -> Vec<_> {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        let mut file = WholeFile::begin(folder.path(), "a").unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(names().is_empty());
        let mut file = WholeFile::begin(folder.path(), "a").unwrap();
        file.write_all(b"whole").unwrap();
        assert_eq!(names(), [".a.part"]);
        file.finish().unwrap();
        assert_eq!(names(), ["a"]);
        assert!(WholeFile::begin(folder.path(), "../a").is_err());
    }
}
