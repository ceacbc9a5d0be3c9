//! Archives that apt of the patient wants and that its cache lacks. apt says
//! which they are, in the tree as the programs before it left it; they are
//! brought from outside of the container, lie in the cache for as long as programs
//! run, and are taken away again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Told;
use crate::repairs::{Program, Wanted};
use crate::sys::consent::WriteToken;
use crate::sys::contained;
use crate::sys::exact;
use crate::sys::root_dir::RootDir;
use crate::sys::write_root::WriteRoot;

/// More than any upgrade has.
const WANTED_MAX: usize = 20_000;

/// What is unpacked takes about three times as much as its archive, and that
/// lies in the scratch as well.
const ROOM_FACTOR: u64 = 4;

/// What apt is kept from.
const NO_DOWNLOAD: &str = "--no-download";

/// An archive that apt wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The package.
    pub wanted: Wanted,
    /// The name of its file in the cache.
    pub file: String,
    /// Its size, by apt's index.
    pub bytes: u64,
    /// Its digest there, in hexadecimal.
    pub sha256: String,
}

/// Has archives in files of the rescue system; which, of those that it could
/// bring, where. It tells itself what it could not.
pub type Bring<'b> = dyn Fn(&[Asked]) -> Vec<(Asked, PathBuf)> + 'b;

/// How archives are brought to a rehearsal.
#[derive(Clone, Copy)]
pub struct Supply<'s> {
    /// apt's cache in the patient.
    pub cache: &'s str,
    /// Brings them.
    pub bring: &'s Bring<'s>,
}

impl fmt::Debug for Supply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supply")
            .field("cache", &self.cache)
            .finish()
    }
}

/// An archive as apt names it: `'URI' FILE BYTES HASH` (`--print-uris` of
/// apt-get(8)). One without a SHA-256 could not be told from another.
fn asked_for(line: &str) -> Option<Asked> {
    let after = line.strip_prefix('\'')?.split_once("' ")?.1;
    let mut words = after.split(' ');
    let (file, bytes, hash) = (words.next()?, words.next()?, words.next()?);
    Some(Asked {
        wanted: Wanted::of_file(file).filter(|_| !file.contains('/'))?,
        file: file.to_owned(),
        bytes: bytes.parse().ok()?,
        sha256: hash.strip_prefix("SHA256:")?.to_ascii_lowercase(),
    })
}

/// Asks apt what it wants for `program`.
fn ask(tree: &Path, program: &Program) -> Result<Vec<Asked>> {
    let words = program.words.iter().map(String::as_str);
    let mut words: Vec<&str> = words.filter(|word| *word != NO_DOWNLOAD).collect();
    // By itself it prints MD5.
    words.extend(["-o", "Acquire::ForceHash=SHA256", "--print-uris", "-qq"]);
    let mut all = Vec::new();
    let mut hear = |line: &str| {
        if all.len() < WANTED_MAX {
            all.extend(asked_for(line));
        }
    };
    // Whether it can go on at all is told by the program itself.
    let contained = contained::Program::new(&words);
    contained::run(tree, &contained, &mut hear).context("asking apt what it wants")?;
    Ok(all)
}

/// Puts what `program` lacks into the cache; the names of what was put are added
/// to `put`.
pub(super) fn bring(
    (tree, root, token): (&Path, &RootDir, &WriteToken),
    program: &Program,
    supply: Supply<'_>,
    put: &mut Vec<PathBuf>,
    told: &mut dyn FnMut(Told<'_>),
) -> Result<()> {
    let wanted = ask(tree, program)?;
    if wanted.is_empty() {
        return Ok(());
    }
    let bytes: u64 = wanted
        .iter()
        .fold(0, |sum, one| sum.saturating_add(one.bytes));
    told(Told::Wants(wanted.len(), bytes));
    let (free, need) = (
        root.room("/")?.bytes_free,
        bytes.saturating_mul(ROOM_FACTOR),
    );
    if free < need {
        bail!(
            "{} MiB are to be fetched, for which the scratch needs {} MiB and has {}: give it \
             more room with --scratch DIR",
            bytes.div_ceil(1 << 20),
            need.div_ceil(1 << 20),
            free >> 20
        );
    }
    let cache = root.resolve(supply.cache).map_err(io::Error::from);
    let cache = cache
        .with_context(|| format!("looking for {}", supply.cache))?
        .path;
    for (asked, file) in (supply.bring)(&wanted) {
        put_one((root, token), &file, &cache.join(&asked.file), put)
            .with_context(|| format!("putting {} into the scratch", file.display()))?;
    }
    Ok(())
}

fn put_one(
    (root, token): (&RootDir, &WriteToken),
    file: &Path,
    path: &Path,
    put: &mut Vec<PathBuf>,
) -> Result<()> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        bail!("it is no file");
    };
    let write = WriteRoot::new(root, token)?;
    match exact::look(root, path)? {
        // A damaged one: the good one stays in its place.
        Some(_) => write.remove_file(path)?,
        None => put.push(path.to_owned()),
    }
    let mut from = RootDir::open(folder)?.open_file(Path::new("/").join(name))?;
    let mut to = write.create(path)?;
    io::copy(&mut from, &mut to)?;
    write.set_mode(path, 0o644)?;
    Ok(())
}

/// Takes away what was put.
pub(super) fn take_away(root: &RootDir, token: &WriteToken, put: &[PathBuf]) -> Result<()> {
    if put.is_empty() {
        return Ok(());
    }
    let write = WriteRoot::new(root, token)?;
    for path in put {
        match write.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_apt_prints() {
        let line = "'http://deb.debian.org/debian/pool/main/s/shadow/passwd_4.17.4-2_amd64.deb' \
                    passwd_1%3a4.17.4-2_amd64.deb 1316964 SHA256:9c1f";
        let asked = asked_for(line).unwrap();
        assert_eq!(asked.wanted.label(), "passwd 1:4.17.4-2 (amd64)");
        assert_eq!((asked.bytes, asked.sha256.as_str()), (1_316_964, "9c1f"));
        for other in [
            "Reading package lists...",
            "'http://x/InRelease' x_InRelease 0 ",
            "'http://x/a_1_all.deb' a_1_all.deb",
            "'http://x/a_1_all.deb' a_1_all.deb 5 MD5Sum:00",
            "'http://x/a_1_all.deb' ../a_1_all.deb 5 SHA256:00",
            "E: Unable to correct problems",
        ] {
            assert_eq!(asked_for(other), None, "{other}");
        }
    }
}
