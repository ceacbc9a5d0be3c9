//! A file of lines that only grows, for its owner only, and one holder at a time
//! of what must not be done twice.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg, OFlag};

/// Bytes of a holder's name that are read.
const NAME_BYTES: u64 = 512;

/// A file that lines are added to.
#[derive(Debug)]
pub struct Diary(File);

impl Diary {
    /// Opens it, or makes it, with its folder.
    ///
    /// # Errors
    /// The kernel's; a link in its place is not followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, OpenOptions::new().append(true))?))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add(&mut self, line: &str) -> io::Result<()> {
        // One write: lines of two programs do not mix.
        self.0.write_all(format!("{line}\n").as_bytes())
    }
}

/// Held by one process at a time; the kernel gives it back when that ends.
#[derive(Debug)]
pub struct OnlyOne {
    _file: Flock<File>,
}

/// What became of the wish to hold it.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(OnlyOne),
    /// Somebody else holds it, who called himself so.
    Held(String),
}

impl OnlyOne {
    /// Takes what the file at `path` stands for, as `name`.
    ///
    /// # Errors
    /// The kernel's, a filesystem without locks among them.
    pub fn take(path: &Path, name: &str) -> io::Result<Taken> {
        let mut file = open(path, OpenOptions::new().read(true).write(true))?;
        match Flock::lock(file.try_clone()?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                file.set_len(0)?;
                file.write_all(name.as_bytes())?;
                Ok(Taken::Ours(Self { _file: lock }))
            }
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut text = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                file.take(NAME_BYTES).read_to_end(&mut text)?;
                Ok(Taken::Held(String::from_utf8_lossy(&text).into_owned()))
            }
            Err((_, error)) => Err(error.into()),
        }
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)?;
    }
    options
        .create(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
}

/// The text of such a file, or of a state beside it; none where there is none.
///
/// # Errors
/// The kernel's.
pub fn text(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_added_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/session.log");
        Diary::open(&path).unwrap().add("one").unwrap();
        Diary::open(&path).unwrap().add("two").unwrap();
        assert_eq!(text(&path).unwrap().unwrap(), "one\ntwo\n");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Diary::open(&link).is_err());
        assert_eq!(text(&folder.path().join("absent")).unwrap(), None);
    }

    #[test]
    fn one_holds_it_and_is_named_to_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = OnlyOne::take(&path, "root on pts/0").unwrap();
        assert!(matches!(first, Taken::Ours(_)));
        let Taken::Held(name) = OnlyOne::take(&path, "another").unwrap() else {
            unreachable!("held twice");
        };
        assert_eq!(name, "root on pts/0");
        drop(first);
        let next = OnlyOne::take(&path, "another").unwrap();
        assert!(matches!(next, Taken::Ours(_)));
    }
}
