//! Single files of an installed package put back from the same version of it.
//! Nothing else of the package and nothing of dpkg's database is touched.
//!
//! A file is known to be the right one by the checksum in dpkg's database. Where
//! a damaged file stands in its place, its owner, its mode and its extended
//! attributes stay: maintainer scripts may have given it those, and only its
//! content is damaged. What is missing, and what has the right content and was
//! wanted all the same, gets those of the archive, or the operator's
//! (dpkg-statoverride(1)).

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use md5::{Digest, Md5};

use super::copy::copy;
use super::files::{Files, shown, stamp};
use super::{FILE_MAX, Unpacking, info, told};
use crate::facts::packages::control;
use crate::facts::packages::deb::{Entry, Fault, What};
use crate::facts::packages::dpkg::stanzas;
use crate::facts::packages::dpkg_files::{Md5Sum, md5sums, relative};
use crate::journal::encoded::encode;
use crate::repairs::Unpack;
use crate::sys::exact::{self, Object};
use crate::sys::root_dir::Kind;
use crate::sys::xattr::{self, Xattrs};

/// Puts the files of `package` back that it names.
///
/// # Errors
/// The package is not of the version that is installed, a file in it does not
/// have the checksum in dpkg's database, or it cannot be put.
pub(super) fn restore(work: &Unpacking<'_>, package: &Unpack) -> Result<()> {
    let (mut deb, members) = work.open(package)?;
    let key = stanzas::key(members.control());
    let stanza = work.stanzas.get(&key).context("it is not installed")?;
    let version = control::text(stanza, "Version");
    ensure!(
        version.as_deref() == Some(package.version.as_str()),
        "another version is installed: {}",
        version.unwrap_or_default()
    );
    let root = work.write.root();
    let sums = work
        .home
        .join("info")
        .join(format!("{}.md5sums", info::stem(root, &work.home, stanza)));
    let sums = root.read(&sums, FILE_MAX).with_context(|| encode(&sums))?;
    let sums = md5sums::parse(&sums).sums;
    let conffiles = members.conffiles();
    let wanted = package.files.iter().map(|path| relative(path.as_bytes()));
    let mut restoring = Restoring {
        work,
        files: Files::new(&work.write, &work.rules, &work.lists, &key, &conffiles),
        package: &package.package,
        wanted: wanted.map(|path| (path, false)).collect(),
        sums: sums.into_iter().map(|(sum, path)| (path, sum)).collect(),
        conffiles: &conffiles,
    };
    deb.each_file(|entry, content| restoring.entry(entry, content))
        .map_err(told)?;
    let mut missed = restoring.wanted.iter().filter(|(_, done)| !**done);
    if let Some((path, _)) = missed.next() {
        bail!("it does not bring {}", shown(path));
    }
    Ok(())
}

struct Restoring<'a> {
    work: &'a Unpacking<'a>,
    files: Files<'a>,
    package: &'a str,
    /// Where the wanted files lie, and whether they were put.
    wanted: BTreeMap<&'a [u8], bool>,
    /// Checksums, by the path as the package spells it.
    sums: HashMap<&'a [u8], Md5Sum>,
    conffiles: &'a [Vec<u8>],
}

impl Restoring<'_> {
    fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<bool, Fault> {
        let path = self.files.path(entry)?;
        if path.is_empty() || path == b"." {
            return Ok(true);
        }
        let bad = |error: anyhow::Error| Fault::Damaged(format!("{}: {error:#}", shown(&path)));
        self.files.seen(entry, &path);
        self.put(entry, &path, content).map_err(bad)?;
        Ok(true)
    }

    fn put(&mut self, entry: &Entry, path: &[u8], content: &mut dyn Read) -> Result<()> {
        let is_wanted = self.is_wanted(path);
        match &entry.what {
            What::Directory if is_wanted || self.leads_to_wanted(path) => {
                let at = self.files.exact_path(path)?;
                self.files.directory(entry, path, &at)?;
            }
            What::HardLink(target) => return self.hard_link(path, relative(target)),
            What::File if is_wanted => self.file(entry, path, content)?,
            What::Symlink(text) if is_wanted => {
                let at = self.files.exact_path(path)?;
                self.files.symlink(entry, path, &at, text)?;
            }
            What::Special if is_wanted => bail!("a device in a package"),
            _ => return Ok(()),
        }
        self.done(path);
        Ok(())
    }

    /// Where a path of the package lies.
    fn lies<'p>(&'p self, path: &'p [u8]) -> &'p [u8] {
        let diversions = &self.work.rules.diversions;
        diversions.of(path, self.package).unwrap_or(path)
    }

    fn is_wanted(&self, path: &[u8]) -> bool {
        self.wanted.contains_key(self.lies(path))
    }

    fn done(&mut self, path: &[u8]) {
        let lies = self.lies(path).to_vec();
        if let Some(done) = self.wanted.get_mut(lies.as_slice()) {
            *done = true;
        }
    }

    /// True for a directory on the way to a wanted file.
    fn leads_to_wanted(&self, path: &[u8]) -> bool {
        let mut wanted = self.wanted.keys();
        wanted.any(|file| {
            file.strip_prefix(path)
                .is_some_and(|rest| rest.starts_with(b"/"))
        })
    }

    fn file(&mut self, entry: &Entry, path: &[u8], content: &mut dyn Read) -> Result<()> {
        ensure!(
            !self.conffiles.iter().any(|conffile| conffile == path),
            "it is a configuration file"
        );
        let right = *self.sums.get(path).context("dpkg has no checksum of it")?;
        let at = self.files.exact_path(path)?;
        let write = &self.work.write;
        if self.is_whole(path, &at)? {
            // Only its mode or its owner is not as it should be.
            let (uid, gid, mode) = self.files.attributes(entry, path)?;
            let there = exact::look(write.root(), &at)?;
            // A capability would be lost with it.
            if there.is_none_or(|there| (there.uid, there.gid) != (uid, gid)) {
                write.set_owner(&at, uid, gid)?;
            }
            return Ok(write.set_node_mode(&at, mode)?);
        }
        let old = self.clear(&at)?;
        let mut file = write.create(&at)?;
        let mut sum = Md5::new();
        let copied = copy(content, entry.size, &mut file, &mut sum)?;
        ensure!(
            copied == entry.size,
            "it ends after {copied} bytes and says {}",
            entry.size
        );
        let sum: Md5Sum = sum.finalize().into();
        ensure!(
            sum == right,
            "its checksum is not the one in dpkg's database"
        );
        drop(file);
        let (uid, gid, mode) = match &old {
            Some((old, _)) => (old.uid, old.gid, old.mode),
            None => self.files.attributes(entry, path)?,
        };
        write.set_owner(&at, uid, gid)?;
        write.set_node_mode(&at, mode)?;
        for (name, value) in old.iter().flat_map(|(_, xattrs)| xattrs) {
            write.set_xattr(&at, name, value)?;
        }
        Ok(write.set_mtime(&at, stamp(entry))?)
    }

    /// Makes room; what it was, if it was a file.
    fn clear(&self, at: &Path) -> Result<Option<(Object, Xattrs)>> {
        let root = self.work.write.root();
        let Some(there) = exact::look(root, at)? else {
            return Ok(None);
        };
        ensure!(
            there.kind != Kind::Directory,
            "a directory stands in its place"
        );
        let kept = match there.kind {
            Kind::File => {
                let xattrs = xattr::all(root, at)?;
                Some((there, xattrs))
            }
            _ => None,
        };
        self.work.write.remove_file(at)?;
        Ok(kept)
    }

    /// A second name of a file. Where one of the two was wanted, it becomes a
    /// name of the other, which is whole.
    fn hard_link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let (from, to) = match (self.is_wanted(path), self.is_wanted(target)) {
            (true, _) => (target, path),
            (false, true) => (path, target),
            (false, false) => return Ok(()),
        };
        let (existing, at) = (self.files.exact_path(from)?, self.files.exact_path(to)?);
        let is_whole = self.is_whole(from, &existing)?;
        if !is_whole && to == target {
            // It was put from the archive.
            return Ok(());
        }
        ensure!(
            is_whole,
            "{} is the same file and damaged as well",
            shown(from)
        );
        self.clear(&at)?;
        self.work.write.link(&existing, &at)?;
        self.done(to);
        Ok(())
    }

    fn is_whole(&self, path: &[u8], at: &Path) -> Result<bool> {
        let root = self.work.write.root();
        let there = exact::look(root, at)?;
        let (Some(sum), Some(there)) = (self.sums.get(path), there) else {
            return Ok(false);
        };
        if there.kind != Kind::File {
            return Ok(false);
        }
        let mut file = exact::open_file(root, at)?;
        let mut found = Md5::new();
        let size = there.size;
        copy(&mut file, size, &mut std::io::sink(), &mut found)?;
        let found: Md5Sum = found.finalize().into();
        Ok(found == *sum)
    }
}
