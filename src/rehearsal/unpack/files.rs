//! The files of one package: put into the tree, and those of the old version
//! that the new one lacks taken away (`tarobject` and `pkg_remove_old_files` in
//! dpkg's src/main/archives.c and unpack.c).
//!
//! Each directory is looked up inside the root, as the patient's own links have
//! it, so `/lib/x` lands in `/usr/lib/x` where `/lib` is a link. A directory
//! never takes the place of a link to one, nor a link that of a directory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use md5::{Digest, Md5};

use super::copy::copy;
use super::lists::Lists;
use super::stanza;
use super::{Rules, remove};
use crate::facts::packages::deb::{Entry, Fault, What};
use crate::facts::packages::dpkg::stanzas::Key;
use crate::facts::packages::dpkg_files::{Md5Sum, leads_up, relative};
use crate::journal::encoded::encode;
use crate::sys::exact::{self, Stamp};
use crate::sys::root_dir::Kind;
use crate::sys::write_root::{WriteRoot, is_link_text};

/// The most paths of one package.
const PATHS_MAX: usize = 300_000;

/// The most bytes of one package.
const BYTES_MAX: u64 = 8 << 30;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Every path of the archive, in its order, without the leading slash.
    pub(super) listed: Vec<Vec<u8>>,
    /// Configuration files of the old version that stay.
    pub(super) obsolete: Vec<Vec<u8>>,
    /// Checksums of files.
    pub(super) sums: HashMap<Vec<u8>, Md5Sum>,
    /// Paths that were another package's.
    pub(super) taken: Vec<Vec<u8>>,
    /// Paths of the old version that are gone.
    pub(super) removed: Vec<Vec<u8>>,
}

/// The files of a package while they are put.
pub(super) struct Files<'a> {
    write: &'a WriteRoot<'a>,
    rules: &'a Rules,
    lists: &'a Lists,
    key: &'a Key,
    conffiles: HashSet<&'a [u8]>,
    owned_before: HashSet<&'a [u8]>,
    placed: Placed,
    /// Where each path of the archive lies.
    exact: BTreeMap<Vec<u8>, PathBuf>,
    links: HashSet<Vec<u8>>,
    bytes: u64,
}

impl<'a> Files<'a> {
    /// Nothing is put yet.
    pub(super) fn new(
        write: &'a WriteRoot<'a>,
        rules: &'a Rules,
        lists: &'a Lists,
        key: &'a Key,
        conffiles: &'a [Vec<u8>],
    ) -> Self {
        Self {
            write,
            rules,
            lists,
            key,
            conffiles: conffiles.iter().map(Vec::as_slice).collect(),
            owned_before: HashSet::new(),
            placed: Placed::default(),
            exact: BTreeMap::new(),
            links: HashSet::new(),
            bytes: 0,
        }
    }

    /// Tells what the old version owned.
    pub(super) fn owned_before(&mut self, old: &'a [Vec<u8>]) {
        self.owned_before = old.iter().map(Vec::as_slice).collect();
    }

    /// Puts one entry of the archive.
    ///
    /// # Errors
    /// It is hostile or damaged, or cannot be put.
    pub(super) fn place(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<bool, Fault> {
        let path = self.path(entry)?;
        if path.is_empty() || path == b"." {
            return Ok(true);
        }
        self.placed.listed.push(path.clone());
        let bad = |error: anyhow::Error| Fault::Damaged(format!("{}: {error:#}", shown(&path)));
        let left_out = self
            .rules
            .excludes
            .leaves_out(&String::from_utf8_lossy(&with_slash(&path)));
        if left_out {
            return Ok(true);
        }
        if entry.what != What::Directory {
            let takes = self.lists.may_take(&path, self.key);
            let takes = takes.map_err(|other| {
                Fault::Damaged(format!("{} is a file of {other}", shown(&path)))
            })?;
            if takes {
                self.placed.taken.push(path.clone());
            }
        }
        let at = self.exact_path(&path).map_err(bad)?;
        let put = match &entry.what {
            What::Directory => self.directory(entry, &path, &at),
            What::File => self.file(entry, &path, &at, content),
            What::Symlink(text) => self.symlink(entry, &path, &at, text),
            What::HardLink(target) => self.hard_link(&path, &at, target),
            What::Special => Err(anyhow::Error::msg("a device in a package")),
        };
        put.map_err(bad)?;
        Ok(true)
    }

    /// Notes an entry that may stay where it is.
    pub(super) fn seen(&mut self, entry: &Entry, path: &[u8]) {
        self.placed.listed.push(path.to_vec());
        if matches!(entry.what, What::Symlink(_)) {
            self.links.insert(path.to_vec());
        }
    }

    /// The path of an entry, without anything before it.
    pub(super) fn path(&self, entry: &Entry) -> Result<Vec<u8>, Fault> {
        let path = relative(&entry.path);
        let refused = |why: &str| {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            Err(Fault::Damaged(format!("{path:?} {why}")))
        };
        if entry.path.starts_with(b"/") || leads_up(path) {
            return refused("leads out of the tree");
        }
        if path.contains(&0) || path.contains(&b'\n') {
            return refused("is no path");
        }
        if self.placed.listed.len() >= PATHS_MAX {
            return refused("is one path too many");
        }
        let mut parent = path;
        while let Some(slash) = parent.iter().rposition(|byte| *byte == b'/') {
            parent = &parent[..slash];
            if self.links.contains(parent) {
                return refused("lies behind a link of the same package");
            }
        }
        if self.exact.contains_key(path) && entry.what != What::Directory {
            return refused("is there twice");
        }
        Ok(path.to_vec())
    }

    /// Where a path of this package lies, without any link; directories on the
    /// way are made.
    pub(super) fn exact_path(&self, path: &[u8]) -> Result<PathBuf> {
        let package = self.key.0.as_str();
        let real = self.rules.diversions.of(path, package).unwrap_or(path);
        let full = PathBuf::from(OsStr::from_bytes(&with_slash(real)));
        let (Some(parent), Some(name)) = (full.parent(), full.file_name()) else {
            anyhow::bail!("it has no name");
        };
        Ok(self.made(parent)?.join(name))
    }

    /// A directory with all above it, made where it is not there.
    fn made(&self, path: &Path) -> Result<PathBuf> {
        let root = self.write.root();
        match root.resolve(path) {
            Ok(found) if found.meta.kind == Kind::Directory => Ok(found.path),
            Ok(_) => anyhow::bail!("{} is no directory", encode(path)),
            Err(end) if end.errno == nix::errno::Errno::ENOENT => {
                let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                    anyhow::bail!("{} has no name", encode(path));
                };
                let made = self.made(parent)?.join(name);
                if exact::look(root, &made)?.is_some() {
                    anyhow::bail!("{} is a link that leads nowhere", encode(&made));
                }
                self.write.make_dir(&made, 0o755)?;
                self.write.set_mode(&made, 0o755)?;
                Ok(made)
            }
            Err(end) => Err(io::Error::from(end)).with_context(|| encode(path)),
        }
    }

    pub(super) fn directory(&mut self, entry: &Entry, path: &[u8], at: &Path) -> Result<()> {
        let root = self.write.root();
        self.exact.insert(path.to_vec(), at.to_owned());
        if root
            .metadata(at)
            .is_ok_and(|meta| meta.kind == Kind::Directory)
        {
            return Ok(());
        }
        self.clear(path, at)?;
        self.write.make_dir(at, 0o700)?;
        let (uid, gid, mode) = self.attributes(entry, path)?;
        self.write.set_owner(at, uid, gid)?;
        Ok(self.write.set_mode(at, mode)?)
    }

    fn file(
        &mut self,
        entry: &Entry,
        path: &[u8],
        at: &Path,
        content: &mut dyn Read,
    ) -> Result<()> {
        let at = match self.conffiles.contains(path) {
            // It waits until dpkg configures the package and compares it with
            // the operator's.
            true => self.waiting(at)?,
            false => at.to_owned(),
        };
        self.clear(path, &at)?;
        self.bytes = self.bytes.saturating_add(entry.size);
        if self.bytes > BYTES_MAX {
            anyhow::bail!("the package is larger than any real one");
        }
        let mut file = self.write.create(&at)?;
        let mut sum = Md5::new();
        let copied = copy(content, entry.size, &mut file, &mut sum)?;
        if copied != entry.size {
            anyhow::bail!("it ends after {copied} bytes and says {}", entry.size);
        }
        drop(file);
        let (uid, gid, mode) = self.attributes(entry, path)?;
        self.write.set_owner(&at, uid, gid)?;
        self.write.set_node_mode(&at, mode)?;
        self.write.set_mtime(&at, stamp(entry))?;
        self.placed
            .sums
            .insert(path.to_vec(), sum.finalize().into());
        self.exact.insert(path.to_vec(), at);
        Ok(())
    }

    pub(super) fn symlink(
        &mut self,
        entry: &Entry,
        path: &[u8],
        at: &Path,
        text: &[u8],
    ) -> Result<()> {
        let target = Path::new(OsStr::from_bytes(text));
        if !is_link_text(target) {
            anyhow::bail!("a link of no text");
        }
        let there = exact::look(self.write.root(), at)?;
        if there.is_none_or(|there| there.kind != Kind::Directory) {
            self.clear(path, at)?;
            self.write.symlink(at, target)?;
            let (uid, gid, _) = self.attributes(entry, path)?;
            self.write.set_owner(at, uid, gid)?;
            self.write.set_mtime(at, stamp(entry))?;
            self.links.insert(path.to_vec());
        }
        self.exact.insert(path.to_vec(), at.to_owned());
        Ok(())
    }

    fn hard_link(&mut self, path: &[u8], at: &Path, target: &[u8]) -> Result<()> {
        let target = relative(target);
        let existing = self.exact.get(target).cloned();
        let existing = existing.context("a hard link to what the package does not bring")?;
        self.clear(path, at)?;
        self.write.link(&existing, at)?;
        if let Some(sum) = self.placed.sums.get(target).copied() {
            self.placed.sums.insert(path.to_vec(), sum);
        }
        self.exact.insert(path.to_vec(), at.to_owned());
        Ok(())
    }

    /// Where a configuration file waits: beside what a link of the operator's
    /// leads to.
    fn waiting(&self, at: &Path) -> Result<PathBuf> {
        let real = self.write.root().resolve(at);
        let real = real.map_or_else(|_| at.to_owned(), |found| found.path);
        Ok(beside(&real, ".dpkg-new"))
    }

    /// Makes room at a path: what stood there, and what a dpkg that was cut off
    /// left beside it.
    fn clear(&self, path: &[u8], at: &Path) -> Result<()> {
        match exact::look(self.write.root(), at)?.map(|there| there.kind) {
            Some(Kind::Directory) => anyhow::bail!("a directory stands in its place"),
            Some(_) => self.write.remove_file(at)?,
            None => {}
        }
        if !self.conffiles.contains(path) {
            for ending in [".dpkg-new", ".dpkg-tmp"] {
                let left = beside(at, ending);
                let there = exact::look(self.write.root(), &left)?;
                if there.is_some_and(|there| there.kind != Kind::Directory) {
                    self.write.remove_file(&left)?;
                }
            }
        }
        Ok(())
    }

    /// Owner, group and mode: the operator's, else those of the archive, by the
    /// names that the patient knows.
    pub(super) fn attributes(&self, entry: &Entry, path: &[u8]) -> Result<(u32, u32, u32)> {
        let accounts = &self.rules.accounts;
        let mut overrides = self.rules.overrides.iter();
        if let Some(own) = overrides.find(|own| own.path == path) {
            let (uid, gid) = (accounts.user(&own.user), accounts.group(&own.group));
            if let (Some(uid), Some(gid)) = (uid, gid) {
                return Ok((uid, gid, own.mode));
            }
        }
        let named = |number: u64, found: Option<u32>| match found {
            Some(found) => Ok(found),
            None => u32::try_from(number).context("an owner that is no number"),
        };
        // `#` before a number is no name in an archive.
        let is_name = |name: &[u8]| !name.is_empty() && !name.starts_with(b"#");
        let user = Some(&entry.user).filter(|name| is_name(name));
        let group = Some(&entry.group).filter(|name| is_name(name));
        Ok((
            named(entry.uid, user.and_then(|name| accounts.user(name)))?,
            named(entry.gid, group.and_then(|name| accounts.group(name)))?,
            entry.mode,
        ))
    }

    /// Takes away what the old version had and the new one has not.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub(super) fn end(mut self, old: &[Vec<u8>], stanza: Option<&[u8]>) -> Result<Placed> {
        let conffiles = stanza.map(stanza::digests).unwrap_or_default();
        let new: HashSet<&[u8]> = self.placed.listed.iter().map(Vec::as_slice).collect();
        let places: HashSet<&Path> = self.exact.values().map(PathBuf::as_path).collect();
        let mut removed = Vec::new();
        let mut obsolete = Vec::new();
        // What lies in a directory comes after it.
        for path in old.iter().rev() {
            if new.contains(path.as_slice()) || leads_up(path) {
                continue;
            }
            let Some(at) = self.old_place(path) else {
                continue;
            };
            if conffiles.contains_key(path) {
                obsolete.push(path.clone());
            } else if !places.contains(at.as_path())
                && !self.is_others(path)
                && self.take_away(&at).with_context(|| encode(&at))?
            {
                removed.push(path.clone());
            }
        }
        obsolete.reverse();
        self.placed.obsolete = obsolete;
        self.placed.removed = removed;
        Ok(self.placed)
    }

    /// Where a path of the old version lies, if something is there.
    fn old_place(&self, path: &[u8]) -> Option<PathBuf> {
        let package = self.key.0.as_str();
        let real = self.rules.diversions.of(path, package).unwrap_or(path);
        let full = PathBuf::from(OsStr::from_bytes(&with_slash(real)));
        let root = self.write.root();
        let parent = root.resolve(full.parent()?).ok()?;
        let at = parent.path.join(full.file_name()?);
        exact::look(root, &at).ok()??;
        Some(at)
    }

    /// Another package's under any of the spellings of a merged /usr.
    fn is_others(&self, path: &[u8]) -> bool {
        let other = match path.strip_prefix(b"usr/") {
            Some(rest) => rest.to_vec(),
            None => [b"usr/", path].concat(),
        };
        self.lists.is_others(path, self.key) || self.lists.is_others(&other, self.key)
    }

    /// False for a directory that something still lies in.
    fn take_away(&self, at: &Path) -> Result<bool> {
        let there = exact::look(self.write.root(), at)?;
        if there.is_some_and(|there| there.kind != Kind::Directory) {
            self.write.remove_file(at)?;
            for ending in [".dpkg-new", ".dpkg-tmp"] {
                remove(self.write, &beside(at, ending))?;
            }
            return Ok(true);
        }
        match self.write.remove_dir(at) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// `/usr/bin/x.dpkg-new`
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

pub(super) fn with_slash(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

pub(super) fn shown(path: &[u8]) -> String {
    encode(Path::new(OsStr::from_bytes(&with_slash(path))))
}

pub(super) fn stamp(entry: &Entry) -> Stamp {
    Stamp {
        sec: i64::try_from(entry.mtime).unwrap_or(0),
        nsec: 0,
    }
}
