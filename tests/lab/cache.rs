//! Things that are slow to make are made once and kept under `.cache/lab`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

/// The cache folder: `LIFEBOOT_LAB_CACHE`, or `.cache/lab` in the repository.
pub fn folder() -> PathBuf {
    std::env::var_os("LIFEBOOT_LAB_CACHE")
        .map_or_else(|| super::repo().join(".cache/lab"), PathBuf::from)
}

/// A short, stable key of everything that determines an entry's content.
pub fn key(inputs: &[&str]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update(input.len().to_le_bytes());
        hash.update(input.as_bytes());
    }
    let digest = hash.finalize();
    digest[..6].iter().map(|b| format!("{b:02x}")).collect()
}

/// The entry `NAME-KEY`, made by `build` in an empty folder if it is missing.
///
/// An entry appears whole or not at all, and two programs that want the same
/// one at the same time make it once: the second waits for the first.
pub fn entry(
    name: &str,
    inputs: &[&str],
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let id = format!("{name}-{}", key(inputs));
    let cache = folder();
    fs::create_dir_all(&cache).with_context(|| format!("creating {}", cache.display()))?;
    let lock_path = cache.join(format!("{id}.lock"));
    let lock_file =
        File::create(&lock_path).with_context(|| format!("creating {}", lock_path.display()))?;
    let _lock = Flock::lock(lock_file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("locking {}", lock_path.display()))?;

    let done = cache.join(&id);
    if done.is_dir() {
        return Ok(done);
    }
    let draft = cache.join(format!("{id}.draft"));
    if draft.exists() {
        fs::remove_dir_all(&draft).with_context(|| format!("removing {}", draft.display()))?;
    }
    fs::create_dir(&draft).with_context(|| format!("creating {}", draft.display()))?;
    super::progress::step(&format!("making {name} (kept in the cache)"), || {
        build(&draft)
    })
    .with_context(|| format!("making the lab's {name}"))?;
    fs::rename(&draft, &done).with_context(|| format!("naming {}", done.display()))?;
    Ok(done)
}
