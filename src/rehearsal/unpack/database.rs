//! `status`, written anew with everything merged (`modstatdb_shutdown` and
//! `cleanup_updates` in dpkg's lib/dpkg/dbmodify.c).

use std::path::Path;

use anyhow::Result;

use super::{FILE_MAX, remove, rewrite};
use crate::facts::packages::control;
use crate::facts::packages::dpkg::stanzas::{self, Key, Stanzas};
use crate::sys::write_root::WriteRoot;

/// The stanza that a new version takes the place of: of the same architecture,
/// or of any where only one can be there.
pub(super) fn installed_as(all: &Stanzas, new: &[u8]) -> Option<Key> {
    let key = stanzas::key(new);
    if all.get(&key).is_some() {
        return Some(key);
    }
    let is_same = |stanza: &[u8]| control::field(stanza, "Multi-Arch") == Some(b"same");
    let mut named = all.all().filter(|stanza| {
        let (name, architecture) = stanzas::key(stanza);
        name == key.0 && !architecture.is_empty()
    });
    let other = named.next()?;
    let is_alone = named.next().is_none() && !(is_same(other) && is_same(new));
    is_alone.then(|| stanzas::key(other))
}

/// Writes `status`, keeps the one before as `status-old`, and takes away the
/// records that are in it now.
pub(super) fn write(write: &WriteRoot<'_>, home: &Path, all: &Stanzas) -> Result<()> {
    let status = home.join("status");
    let before = write.root().read(&status, FILE_MAX)?;
    rewrite(write, &home.join("status-old"), 0o644, &before)?;
    rewrite(write, &status, 0o644, &all.bytes())?;
    for name in stanzas::numbered(write.root(), home) {
        remove(write, &home.join("updates").join(name))?;
    }
    Ok(())
}
