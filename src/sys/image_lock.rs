//! One writer per disk image: two programs that mount one image for writing
//! would destroy what is on it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::fcntl::{Flock, FlockArg};

/// Held as long as any loop device of this process writes to the image.
#[derive(Debug)]
pub struct ImageLock {
    _file: Flock<File>,
}

/// Locks by device and inode of the image.
type Locks = HashMap<(u64, u64), Weak<ImageLock>>;

/// A lock of `flock(2)` belongs to an open file, not to a process, so that
/// several partitions of one image share it through this table.
static HELD: Mutex<Option<Locks>> = Mutex::new(None);

/// Takes the lock on the image `file`, or joins this process's own.
///
/// # Errors
/// Another process holds it, or the filesystem has no locks.
pub fn take(file: &File, path: &Path) -> io::Result<Arc<ImageLock>> {
    let meta = file.metadata()?;
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let held = held.get_or_insert_default();
    if let Some(lock) = held.get(&(meta.dev(), meta.ino())).and_then(Weak::upgrade) {
        return Ok(lock);
    }
    // Opened again: a copy of the descriptor would share its lock with it.
    let own = File::open(path)?;
    let lock = Flock::lock(own, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
        let what = format!("{} is being written by another lifeboot", path.display());
        io::Error::new(io::Error::from(errno).kind(), what)
    })?;
    let lock = Arc::new(ImageLock { _file: lock });
    held.insert((meta.dev(), meta.ino()), Arc::downgrade(&lock));
    Ok(lock)
}
