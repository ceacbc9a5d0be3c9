//! What packages own, and what they say it should hold: the lists of files,
//! the checksums, the configuration files and the diversions of dpkg. What the
//! databases of other managers say of them is read in `rpm`, `pacman` and `apk`.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::attributes::Attributes;
use super::digest::Digest;
use super::{Fault, Manager};
use crate::facts::packages::dpkg_files::conffiles::{self, Conffile, Conffiles};
use crate::facts::packages::dpkg_files::diversions::{self, Diversions};
use crate::facts::packages::dpkg_files::{Md5Sum, leads_up, md5sums, relative};
use crate::facts::packages::{Dpkg, LIMIT, Package, State};
use crate::sys::root_dir::RootDir;

/// What a file should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Nobody says: a directory, a link, or a package without checksums.
    Unsaid,
    /// A file with this digest.
    Sum(Digest),
    /// A file that dpkg has not put in its place yet (`newconffile`).
    NotYet,
}

/// One path of one package.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// Whose, an index into [`Owned::packages`].
    pub(super) package: u32,
    start: u32,
    end: u32,
    /// What is there.
    pub(super) content: Content,
    /// A configuration file.
    pub(super) is_conffile: bool,
}

/// A package with its list of files.
#[derive(Debug)]
pub(super) struct Owner {
    /// What dpkg knows of it.
    pub(super) package: Package,
    list: Vec<u8>,
    /// It has checksums.
    pub(super) has_sums: bool,
    /// Lines of its checksums that are none, and their file.
    pub(super) malformed: Option<(String, usize)>,
    /// Why its list or its checksums could not be read.
    pub(super) unreadable: Option<(String, String)>,
}

/// One path of a package, as a manager other than dpkg records it.
#[derive(Debug)]
pub(super) struct Entry {
    /// The path, with a leading slash or without.
    pub(super) path: Vec<u8>,
    pub(super) content: Content,
    pub(super) is_conffile: bool,
    pub(super) attributes: Attributes,
}

/// Everything that packages own.
#[derive(Debug, Default)]
pub(super) struct Owned {
    /// dpkg's home.
    pub(super) home: PathBuf,
    /// Whose packages they are.
    pub(super) manager: Manager,
    /// The packages, by name.
    pub(super) packages: Vec<Owner>,
    /// Their paths: package by package, in the order of its list.
    pub(super) claims: Vec<Claim>,
    /// Where diverted files really lie, by claim.
    diverted: HashMap<usize, Vec<u8>>,
    /// What else is recorded of each claim; of dpkg's, nothing.
    attributes: Vec<Attributes>,
    /// What keeps files from being compared.
    pub(super) faults: Vec<Fault>,
    /// Why dpkg's diversions could not be read.
    pub(super) diversions_unreadable: Option<String>,
}

impl Owned {
    /// Nothing yet, of a manager other than dpkg.
    pub(super) fn of(manager: Manager) -> Self {
        Self {
            manager,
            ..Self::default()
        }
    }

    /// Adds a package with its files.
    pub(super) fn add(&mut self, package: Package, files: Vec<Entry>) {
        let number = u32::try_from(self.packages.len()).unwrap_or(u32::MAX);
        let mut list = Vec::new();
        for file in files {
            let path = relative(&file.path);
            let (Ok(start), Ok(end)) = (
                u32::try_from(list.len()),
                u32::try_from(list.len() + path.len()),
            ) else {
                break;
            };
            if path.is_empty() || path.contains(&0) || leads_up(path) {
                continue;
            }
            list.extend(path);
            self.attributes.push(file.attributes);
            self.claims.push(Claim {
                package: number,
                start,
                end,
                content: file.content,
                is_conffile: file.is_conffile,
            });
        }
        self.packages.push(Owner {
            package,
            list,
            has_sums: true,
            malformed: None,
            unreadable: None,
        });
    }

    /// What is recorded of the file of a claim beside its content.
    pub(super) fn attributes(&self, claim: usize) -> Option<&Attributes> {
        self.attributes.get(claim)
    }

    /// Reads what the packages that `wanted` names own; all of them if it is
    /// empty. Removed packages count as long as configuration files are left.
    pub(super) fn read(root: &RootDir, base: &Path, dpkg: Dpkg, wanted: &[String]) -> Self {
        let info = Info::of(root, base);
        let mut packages = dpkg.packages;
        packages.retain(|p| p.state != State::NotInstalled);
        packages.retain(|p| wanted.is_empty() || wanted.iter().any(|name| is_called(p, name)));
        packages.sort_by(|a, b| (&a.name, &a.architecture).cmp(&(&b.name, &b.architecture)));
        let read = packages.into_par_iter().map(|package| info.owner(package));
        let read: Vec<(Owner, Vec<Claim>)> = read.collect();
        let mut owned = Self {
            home: base.to_owned(),
            packages: Vec::with_capacity(read.len()),
            claims: Vec::with_capacity(read.iter().map(|(_, claims)| claims.len()).sum()),
            manager: Manager::Dpkg,
            attributes: Vec::new(),
            faults: Vec::new(),
            diverted: HashMap::new(),
            diversions_unreadable: info.diversions_unreadable,
        };
        for (owner, claims) in read {
            let package = u32::try_from(owned.packages.len()).unwrap_or(u32::MAX);
            for claim in claims {
                let claim = Claim { package, ..claim };
                let path = owner.path(&claim);
                if let Some(to) = info.diversions.of(path, &owner.package.name) {
                    owned.diverted.insert(owned.claims.len(), to.to_owned());
                }
                owned.claims.push(claim);
            }
            owned.packages.push(owner);
        }
        owned
    }

    /// True when a package is called so.
    pub(super) fn has(&self, name: &str) -> bool {
        self.packages
            .iter()
            .any(|owner| is_called(&owner.package, name))
    }

    /// The package of a claim.
    pub(super) fn owner(&self, claim: usize) -> &Owner {
        &self.packages[self.claims[claim].package as usize]
    }

    /// Where the file of a claim lies, without the leading slash.
    pub(super) fn path(&self, claim: usize) -> &[u8] {
        match self.diverted.get(&claim) {
            Some(to) => to,
            None => self.owner(claim).path(&self.claims[claim]),
        }
    }

    /// The same, as people write it.
    pub(super) fn shown(&self, claim: usize) -> String {
        format!("/{}", String::from_utf8_lossy(self.path(claim)))
    }

    /// True when the file lies elsewhere than its package put it.
    pub(super) fn is_diverted(&self, claim: usize) -> bool {
        self.diverted.contains_key(&claim)
    }
}

impl Owner {
    fn path(&self, claim: &Claim) -> &[u8] {
        &self.list[claim.start as usize..claim.end as usize]
    }
}

/// `name` or `name:architecture`.
pub(super) fn is_called(package: &Package, wanted: &str) -> bool {
    match wanted.split_once(':') {
        Some((name, architecture)) => package.name == name && package.architecture == architecture,
        None => package.name == wanted,
    }
}

/// `/var/lib/dpkg/info` and what stands beside it.
struct Info<'r> {
    root: &'r RootDir,
    directory: PathBuf,
    names: HashSet<Vec<u8>>,
    conffiles: Conffiles,
    diversions: Diversions,
    diversions_unreadable: Option<String>,
}

impl<'r> Info<'r> {
    fn of(root: &'r RootDir, base: &Path) -> Self {
        let directory = base.join("info");
        let entries = root.read_dir(&directory).unwrap_or_default();
        let (diversions, diversions_unreadable) = match root.read(base.join("diversions"), LIMIT) {
            Ok(bytes) => (diversions::parse(&bytes), None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Default::default(),
            Err(error) => (Diversions::default(), Some(error.to_string())),
        };
        Self {
            root,
            names: entries
                .iter()
                .map(|e| e.name.as_bytes().to_owned())
                .collect(),
            directory,
            conffiles: conffiles::of(root, base),
            diversions,
            diversions_unreadable,
        }
    }

    /// `NAME:ARCHITECTURE.list` for packages that may be there twice, else
    /// `NAME.list` (`pkg_infodb_get_file` in lib/dpkg/infodb-format.c).
    fn file(&self, package: &Package, ending: &str) -> Option<PathBuf> {
        let Package {
            name, architecture, ..
        } = package;
        [
            format!("{name}:{architecture}.{ending}"),
            format!("{name}.{ending}"),
        ]
        .into_iter()
        .find(|file| self.names.contains(file.as_bytes()))
        .map(|file| self.directory.join(file))
    }

    fn owner(&self, package: Package) -> (Owner, Vec<Claim>) {
        let mut unreadable = None;
        let mut read = |path: Option<PathBuf>| {
            let path = path?;
            match self.root.read(&path, LIMIT) {
                Ok(bytes) => Some((path, bytes)),
                Err(error) => {
                    unreadable = Some((path.display().to_string(), error.to_string()));
                    None
                }
            }
        };
        let list = read(self.file(&package, "list")).map(|(_, bytes)| bytes);
        let sums = read(self.file(&package, "md5sums"));
        let parsed = sums.as_ref().map(|(_, bytes)| md5sums::parse(bytes));
        let key = (package.name.clone(), package.architecture.clone());
        let conffiles = self.conffiles.get(&key).map_or(&[][..], Vec::as_slice);
        let list = list.unwrap_or_default();
        let known = parsed.as_ref().map_or(&[][..], |parsed| &parsed.sums);
        let claims = claims(&list, known, conffiles);
        let malformed = parsed.as_ref().map_or(0, |parsed| parsed.malformed);
        let malformed = sums
            .as_ref()
            .filter(|_| malformed > 0)
            .map(|(path, _)| (path.display().to_string(), malformed));
        let owner = Owner {
            package,
            list,
            has_sums: sums.is_some(),
            malformed,
            unreadable,
        };
        (owner, claims)
    }
}

/// The lines of a list, each with what should be there.
fn claims(list: &[u8], sums: &[(Md5Sum, &[u8])], conffiles: &[Conffile]) -> Vec<Claim> {
    let sums: HashMap<&[u8], Md5Sum> = sums.iter().map(|(sum, path)| (*path, *sum)).collect();
    let conffiles: HashMap<&[u8], Option<Md5Sum>> = conffiles
        .iter()
        .map(|c| (c.path.as_slice(), c.sum))
        .collect();
    let mut claims = Vec::new();
    let mut start = 0;
    for line in list.split(|byte| *byte == b'\n') {
        let path = relative(line);
        let begins = start + offset(line, path);
        start += line.len() + 1;
        if path.is_empty() || path.contains(&0) || leads_up(path) {
            continue;
        }
        let (Ok(begin), Ok(end)) = (u32::try_from(begins), u32::try_from(begins + path.len()))
        else {
            break;
        };
        let conffile = conffiles.get(path);
        let content = match (sums.get(path), conffile) {
            (Some(sum), _) | (None, Some(Some(sum))) => Content::Sum(Digest::Md5(*sum)),
            (None, Some(None)) => Content::NotYet,
            (None, None) => Content::Unsaid,
        };
        claims.push(Claim {
            package: 0,
            start: begin,
            end,
            content,
            is_conffile: conffile.is_some(),
        });
    }
    claims
}

/// Bytes of `line` before `path`, which is a part of it.
fn offset(line: &[u8], path: &[u8]) -> usize {
    let trimmed = line.strip_suffix(b"/").unwrap_or(line);
    trimmed.len().saturating_sub(path.len())
}

/// The directory and the name of a relative path.
pub(super) fn split(path: &[u8]) -> (&Path, &OsStr) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (
            Path::new(OsStr::from_bytes(&path[..slash])),
            OsStr::from_bytes(&path[slash + 1..]),
        ),
        None => (Path::new("."), OsStr::from_bytes(path)),
    }
}
