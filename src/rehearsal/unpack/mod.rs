//! Unpacks packages by dpkg's rules without dpkg (dpkg's src/main/archives.c
//! and unpack.c): files into the tree, and its database brought up to date.
//!
//! The maintainer scripts are stored and none is run: the preinst of the new
//! version and the prerm and postrm of the old one are skipped. dpkg of the
//! patient runs the postinst when it configures the package.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::facts::integrity::accounts::Accounts;
use crate::facts::packages::control;
use crate::facts::packages::deb::Deb;
use crate::facts::packages::dpkg::stanzas::{self, Stanzas};
use crate::facts::packages::dpkg_files::diversions::{self, Diversions};
use crate::facts::packages::dpkg_files::excludes::Excludes;
use crate::facts::packages::dpkg_files::statoverride::{self, Statoverride};
use crate::repairs::Unpack;
use crate::sys::consent::WriteToken;
use crate::sys::root_dir::RootDir;
use crate::sys::write_root::WriteRoot;

mod copy;
mod database;
mod files;
mod info;
mod lists;
mod restore;
mod stanza;
mod triggers;

use files::Files;
use info::Members;
use lists::Lists;

/// The most bytes of a file of dpkg's that is rewritten.
const FILE_MAX: u64 = 256 << 20;

/// What the patient's dpkg would go by.
#[derive(Debug)]
struct Rules {
    accounts: Accounts,
    diversions: Diversions,
    overrides: Vec<Statoverride>,
    excludes: Excludes,
}

/// A tree while packages are unpacked into it.
#[derive(Debug)]
struct Unpacking<'a> {
    write: WriteRoot<'a>,
    home: PathBuf,
    rules: Rules,
    stanzas: Stanzas,
    lists: Lists,
    activated: triggers::Activated,
}

/// Unpacks `packages` into the tree, one after the other, and writes dpkg's
/// database.
///
/// # Errors
/// An archive that is damaged, not what it should be, or hostile; a file that
/// is another package's; a tree that cannot be written.
pub(super) fn unpack(
    root: &RootDir,
    token: &WriteToken,
    packages: &[Unpack],
) -> Result<(), Failed> {
    let mut work = Unpacking::begin(root, token)?;
    for package in packages {
        let done = match package.files.is_empty() {
            true => work.one(package),
            false => restore::restore(&work, package),
        };
        let done = done.with_context(|| format!("unpacking {}", package.label()));
        done.map_err(|error| Failed {
            package: Some(Box::new(package.clone())),
            error,
        })?;
    }
    if packages.iter().any(|package| package.files.is_empty()) {
        work.end()?;
    }
    Ok(())
}

/// Why packages were not unpacked.
#[derive(Debug)]
pub(super) struct Failed {
    /// The package at fault; none when it was none's.
    pub(super) package: Option<Box<Unpack>>,
    pub(super) error: anyhow::Error,
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self {
            package: None,
            error,
        }
    }
}

impl<'a> Unpacking<'a> {
    fn begin(root: &'a RootDir, token: &'a WriteToken) -> Result<Self> {
        let home = PathBuf::from("/var/lib/dpkg");
        let home = root.resolve(&home).map(|found| found.path);
        let home = home.ok().context("there is no /var/lib/dpkg")?;
        let stanzas = Stanzas::read(root, &home).context("reading dpkg's status")?;
        let read = |name: &str| root.read(home.join(name), FILE_MAX).unwrap_or_default();
        let rules = Rules {
            accounts: Accounts::of(root),
            diversions: diversions::parse(&read("diversions")),
            overrides: statoverride::parse(&read("statoverride")),
            excludes: Excludes::of(root),
        };
        let lists = Lists::read(root, &home, &stanzas)?;
        Ok(Self {
            write: WriteRoot::new(root, token)?,
            home,
            rules,
            stanzas,
            lists,
            activated: triggers::Activated::default(),
        })
    }

    fn end(&self) -> Result<()> {
        let Self { write, home, .. } = self;
        triggers::write(write, home, &self.activated).context("noting triggers")?;
        database::write(write, home, &self.stanzas).context("writing dpkg's status")
    }

    /// Opens a package and makes sure that it is the wanted one.
    fn open(&self, package: &Unpack) -> Result<(Deb<File>, Members)> {
        let elsewhere;
        let place = match &package.folder {
            None => self.write.root(),
            Some(folder) => {
                elsewhere = RootDir::open(folder).with_context(|| format!("opening {folder}"))?;
                &elsewhere
            }
        };
        let file = place.open_file(&package.file).context(package.place())?;
        let length = file.metadata()?.len();
        let mut deb = Deb::open(file, length).map_err(told)?;
        let members = Members::read(&mut deb)?;
        let is = |name: &str, wanted: &str| {
            let value = control::field(members.control(), name);
            value.is_some_and(|value| value == wanted.as_bytes())
        };
        if !is("Package", &package.package)
            || !is("Version", &package.version)
            || !is("Architecture", &package.architecture)
        {
            bail!("inside {} is another package", package.place());
        }
        Ok((deb, members))
    }

    fn one(&mut self, package: &Unpack) -> Result<()> {
        let root = self.write.root();
        let (mut deb, members) = self.open(package)?;
        let new = members.control().to_vec();
        let old_key = database::installed_as(&self.stanzas, &new);
        let old = old_key.as_ref().and_then(|key| self.stanzas.get(key));
        let old = old.map(<[u8]>::to_vec);
        let old_stem = old.as_deref().map(|old| info::stem(root, &self.home, old));
        let new_stem = info::stem(root, &self.home, &new);
        let old_list = match &old_stem {
            Some(stem) => lists::paths(root, &self.home, stem)?,
            None => Vec::new(),
        };
        let conffiles = members.conffiles();
        let key = stanzas::key(&new);
        self.lists.begin(&key, &new);
        let mut files = Files::new(&self.write, &self.rules, &self.lists, &key, &conffiles);
        files.owned_before(&old_list);
        deb.each_file(|entry, content| files.place(entry, content))
            .map_err(told)?;
        let placed = files.end(&old_list, old.as_deref())?;
        self.lists
            .taken(&self.write, &self.home, (&key, &placed.taken))?;
        let obsolete = placed.obsolete.as_slice();
        let info = info::Info {
            write: &self.write,
            home: &self.home,
            old_stem: old_stem.as_deref(),
            new_stem: &new_stem,
        };
        info.put(&members, &placed)?;
        self.activated
            .by_package(&self.write, &self.home, &members, &new_stem, &placed)?;
        self.lists.end(&key, &placed.listed);
        let text = stanza::unpacked(&new, old.as_deref(), &conffiles, obsolete);
        match old_key {
            Some(old) => self.stanzas.replace(&old, &text),
            None => self.stanzas.put(&text),
        }
        Ok(())
    }
}

/// A fault of an archive as an error.
fn told(fault: crate::facts::packages::deb::Fault) -> anyhow::Error {
    anyhow::Error::msg(fault.to_string())
}

/// Puts a file of dpkg's in the place of an older one.
fn rewrite(write: &WriteRoot<'_>, path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    let context = || format!("writing {}", path.display());
    remove(write, path).with_context(context)?;
    let mut file = write.create(path).with_context(context)?;
    file.write_all(bytes).with_context(context)?;
    write.set_node_mode(path, mode).with_context(context)
}

/// Removes a file, if it is there.
fn remove(write: &WriteRoot<'_>, path: &Path) -> std::io::Result<()> {
    match write.remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        answer => answer,
    }
}

#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod tests;
