//! `chmod -R` and `chown -R`, recognised by their traces: nearly every path of
//! packages below one directory has the same mode or owner, and one that
//! packages do not ship.
//!
//! dpkg records neither; what is usual is known all the same. Packages ship
//! directories with 0755, files with 0644 or 0755, and nearly all of it for
//! root (Debian Policy, 10.9).

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Scope;
use super::accounts::Accounts;
use super::application;
use super::lone::{self, Lone};
use super::look::Seen;
use super::meant::{is_of_scripts, may_be_meant};
use super::owned::Owned;
use crate::sys::root_dir::{Kind, Meta, RootDir};

/// Paths below a directory that are needed to judge it, and the share of them
/// that a recursive command leaves its trace on, in percent.
const PATHS_MIN: usize = 20;
pub(super) const SHARE_MIN: usize = 90;

/// How deep the directory lies at most.
const DEPTH_MAX: usize = 4;

/// Endings of files that packages never ship with an execute bit.
const DATA: [&str; 9] = [
    ".gz", ".h", ".html", ".ko", ".mo", ".png", ".service", ".target", ".xml",
];

/// Programs that need their owner's or group's rights (those of Debian's
/// standard system, OpenSSH, sudo and polkit).
const SETUID: [&str; 20] = [
    "chage",
    "chfn",
    "chsh",
    "crontab",
    "dbus-daemon-launch-helper",
    "expiry",
    "fusermount3",
    "gpasswd",
    "mount",
    "newgrp",
    "passwd",
    "pkexec",
    "polkit-agent-helper-1",
    "ssh-agent",
    "ssh-keysign",
    "su",
    "sudo",
    "umount",
    "unix_chkpwd",
    "wall",
];

/// What a recursive command set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Change {
    /// The mode of directories.
    DirectoryMode {
        /// It.
        mode: u32,
    },
    /// The mode of files.
    FileMode {
        /// It.
        mode: u32,
    },
    /// The owner.
    Owner {
        /// It.
        uid: u32,
    },
}

/// A directory below which something was set on nearly everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Extent {
    /// The directory.
    pub top: String,
    /// What was set.
    pub change: Change,
    /// Paths of packages that have it.
    pub paths: usize,
    /// Of so many of this kind below the directory.
    pub of: usize,
    /// Seconds between the first and the last change of nine in ten of them.
    pub within_seconds: i64,
    /// Programs there that lost the right to act for another user.
    pub powerless: Vec<String>,
    /// True for the directory of applications that no part of the system needs.
    #[serde(default)]
    pub application: bool,
}

/// What is wrong with modes and owners.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Permissions {
    /// Traces of recursive commands, the largest first.
    pub extents: Vec<Extent>,
    /// The private host keys of sshd, when others may read every one of them:
    /// it then starts with none (ssh-keygen's `sshkey_perm_ok`).
    pub open_host_keys: Vec<String>,
    /// Single paths that have not what they should have.
    #[serde(default)]
    pub lone: Vec<Lone>,
    /// Further ones that are not listed.
    #[serde(default)]
    pub more_lone: usize,
    /// Programs that lost the capability which their package gives them.
    #[serde(default)]
    pub without_capability: Vec<String>,
    /// Packages that were compared with their own archive.
    #[serde(default)]
    pub archives: usize,
    /// Why dpkg's overrides could not be read: single paths were not judged.
    #[serde(default)]
    pub overrides_unreadable: Option<String>,
}

#[derive(Debug, Default)]
struct Below<'p> {
    directories: usize,
    files: usize,
    all: usize,
    changed: HashMap<Change, Vec<(&'p [u8], i64)>>,
}

/// Judges everything that packages own.
pub(super) fn judge(
    root: &RootDir,
    owned: &Owned,
    seen: &[Seen],
    scope: &Scope,
    hidden: &(dyn Fn(&Path) -> bool + Sync),
) -> Permissions {
    let mut permissions = recursive(root, owned, seen);
    application::mark(root, owned, seen, scope, &mut permissions.extents);
    let scope = lone::Scope {
        whole: scope.whole,
        hidden,
        tops: permissions.extents.iter().map(|e| e.top.clone()).collect(),
    };
    let found = lone::search(root, owned, seen, &scope);
    permissions.lone = found.paths;
    permissions.more_lone = found.more;
    permissions.without_capability = found.without_capability;
    permissions.archives = found.archives;
    permissions.overrides_unreadable = found.overrides_unreadable;
    permissions
}

/// Traces of recursive commands.
fn recursive(root: &RootDir, owned: &Owned, seen: &[Seen]) -> Permissions {
    let metas = seen.iter().enumerate();
    let metas = metas.filter_map(|(claim, seen)| Some((claim, seen.ok()?)));
    let mut usual: HashMap<Change, usize> = HashMap::new();
    for change in metas
        .clone()
        .flat_map(|(claim, meta)| changes(owned.path(claim), &meta))
    {
        *usual.entry(change).or_default() += 1;
    }
    // Each system has a few.
    if usual.values().all(|count| *count < PATHS_MIN) {
        return Permissions::default();
    }
    let spelling = Spelling::of(root);
    let mut counted: HashMap<Vec<u8>, Below<'_>> = HashMap::new();
    let mut known = HashSet::new();
    for (claim, meta) in metas {
        let is_judged = matches!(meta.kind, Kind::File | Kind::Directory);
        if !is_judged || !known.insert((meta.dev, meta.ino)) {
            continue;
        }
        let path = owned.path(claim);
        let changes = changes(path, &meta);
        for directory in above(&spelling.real(path)) {
            if !counted.contains_key(directory) {
                counted.insert(directory.to_owned(), Below::default());
            }
            if let Some(below) = counted.get_mut(directory) {
                below.add(path, &meta, &changes);
            }
        }
    }
    let mut extents = extents(&counted);
    let accounts = Accounts::of(root);
    extents.retain(|extent| {
        !may_be_meant(extent, &accounts) || !is_of_scripts(root, owned, seen, &spelling, extent)
    });
    let open_host_keys = if extents.is_empty() {
        Vec::new()
    } else {
        open_host_keys(root)
    };
    Permissions {
        extents,
        open_host_keys,
        ..Permissions::default()
    }
}

/// Which directories at the top are links into /usr.
pub(super) struct Spelling(Vec<&'static [u8]>);

impl Spelling {
    pub(super) fn of(root: &RootDir) -> Self {
        let tops: [&[u8]; 6] = [b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32"];
        let is_link = |name: &&[u8]| {
            let meta = root.symlink_metadata(Path::new(OsStr::from_bytes(name)));
            meta.is_ok_and(|meta| meta.kind == Kind::Symlink)
        };
        Self(tops.into_iter().filter(is_link).collect())
    }

    /// The path with its first link resolved.
    pub(super) fn real(&self, path: &[u8]) -> Vec<u8> {
        let top = path.split(|byte| *byte == b'/').next().unwrap_or_default();
        let mut real = Vec::with_capacity(path.len() + 4);
        if self.0.contains(&top) {
            real.extend(b"usr/");
        }
        real.extend(path);
        real
    }
}

impl<'p> Below<'p> {
    fn add(&mut self, path: &'p [u8], meta: &Meta, changes: &[Change]) {
        self.all += 1;
        match meta.kind {
            Kind::Directory => self.directories += 1,
            _ => self.files += 1,
        }
        for change in changes {
            let paths = self.changed.entry(*change).or_default();
            paths.push((path, meta.ctime));
        }
    }

    fn count(&self, change: Change) -> usize {
        self.changed.get(&change).map_or(0, Vec::len)
    }

    fn of(&self, change: Change) -> usize {
        match change {
            Change::DirectoryMode { .. } => self.directories,
            // Most files may have 0755, and data may not.
            Change::FileMode { .. } => self.files,
            Change::Owner { .. } => self.all,
        }
    }

    fn is_changed(&self, change: Change) -> bool {
        let (count, of) = (self.count(change), self.of(change));
        count >= PATHS_MIN && count * 100 >= of * SHARE_MIN
    }
}

/// What of a path is not as packages ship it.
pub(super) fn changes(path: &[u8], meta: &Meta) -> Vec<Change> {
    let mut all = Vec::new();
    let mode = meta.mode;
    match meta.kind {
        Kind::Directory if mode != 0o755 => all.push(Change::DirectoryMode { mode }),
        Kind::File if mode != 0o644 && mode != 0o755 => all.push(Change::FileMode { mode }),
        Kind::File if mode == 0o755 && DATA.iter().any(|e| path.ends_with(e.as_bytes())) => {
            all.push(Change::FileMode { mode });
        }
        _ => {}
    }
    if meta.uid != 0 {
        all.push(Change::Owner { uid: meta.uid });
    }
    all
}

/// The directories that a path lies in, the root first, and itself.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let parents = slashes.map(|(at, _)| &path[..at]);
    std::iter::once(&path[..0])
        .chain(parents)
        .take(DEPTH_MAX + 1)
}

/// The topmost directories below which a change is everywhere.
fn extents(counted: &HashMap<Vec<u8>, Below<'_>>) -> Vec<Extent> {
    let mut tops: Vec<(&[u8], &Below<'_>)> = counted
        .iter()
        .map(|(path, below)| (path.as_slice(), below))
        .collect();
    tops.sort_by_key(|(path, _)| (path.iter().filter(|b| **b == b'/').count(), *path));
    let mut found: Vec<(&[u8], Change)> = Vec::new();
    let lies_in = |path: &[u8], top: &[u8]| {
        top.is_empty() || path == top || path.strip_prefix(top).is_some_and(|r| r.starts_with(b"/"))
    };
    for (path, below) in &tops {
        for change in below
            .changed
            .keys()
            .filter(|change| below.is_changed(**change))
        {
            let is_told = |(top, told): &(&[u8], Change)| told == change && lies_in(path, top);
            if !found.iter().any(is_told) {
                // The command was given for the deepest one that has them all.
                let deepest = tops.iter().rev().find(|(deeper, inside)| {
                    lies_in(deeper, path) && inside.count(*change) == below.count(*change)
                });
                found.push((deepest.map_or(*path, |(deeper, _)| deeper), *change));
            }
        }
    }
    let mut extents: Vec<Extent> = found
        .into_iter()
        .filter_map(|(top, change)| Some(extent(top, change, counted.get(top)?)))
        .collect();
    extents.sort_by(|a, b| b.paths.cmp(&a.paths).then_with(|| a.top.cmp(&b.top)));
    extents
}

fn extent(top: &[u8], change: Change, below: &Below<'_>) -> Extent {
    let paths = below.changed.get(&change).map_or(&[][..], Vec::as_slice);
    let mut times: Vec<i64> = paths.iter().map(|(_, ctime)| *ctime).collect();
    times.sort_unstable();
    let at = |tenths: usize| times.get(times.len() * tenths / 20).copied().unwrap_or(0);
    let is_powerless = |path: &[u8]| {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        SETUID.iter().any(|known| known.as_bytes() == name)
            && [&b"bin/"[..], b"sbin/", b"lib"].iter().any(|part| {
                let inside = path.strip_prefix(b"usr/").unwrap_or(path);
                inside.starts_with(part)
            })
    };
    let loses = match change {
        Change::FileMode { mode } => mode & 0o6000 == 0,
        Change::Owner { .. } => true,
        Change::DirectoryMode { .. } => false,
    };
    let powerless = paths.iter().filter(|(path, _)| loses && is_powerless(path));
    let mut powerless: Vec<String> = powerless
        .map(|(path, _)| format!("/{}", String::from_utf8_lossy(path)))
        .collect();
    powerless.sort_unstable();
    Extent {
        top: format!("/{}", String::from_utf8_lossy(top)),
        change,
        paths: paths.len(),
        of: below.of(change),
        within_seconds: at(19) - at(1),
        powerless,
        application: false,
    }
}

fn open_host_keys(root: &RootDir) -> Vec<String> {
    let entries = root.read_dir("/etc/ssh").unwrap_or_default();
    let names = entries.iter().map(|entry| entry.name.to_string_lossy());
    let keys: Vec<String> = names
        .filter(|name| name.starts_with("ssh_host_") && name.ends_with("_key"))
        .map(|name| format!("/etc/ssh/{name}"))
        .collect();
    let is_open = |key: &String| {
        let meta = root.metadata(key);
        meta.is_ok_and(|meta| meta.uid == 0 && meta.mode & 0o077 != 0)
    };
    if keys.iter().all(is_open) {
        keys
    } else {
        Vec::new()
    }
}
