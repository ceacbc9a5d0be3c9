//! One path after the other: noted, and taken where that was decided.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::stat;
use sha2::{Digest, Sha256};

use super::{Options, Summary, content, reads};
use crate::facts::os::Os;
use crate::salvage::accounts::Accounts;
use crate::salvage::defaults::Defaults;
use crate::salvage::manifest::Manifest;
use crate::salvage::record::{
    FORMAT, Header, Kept, Kind, PathRecord, Record, Tree, Unread, in_base64,
};
use crate::salvage::rules::{self, Area, Rules};
use crate::salvage::shelf::{REFERENCE, Shelf};
use crate::salvage::take;
use crate::salvage::walk::Step;
use crate::sys::root_dir::{Directory, RootDir};

/// Files with several names that are remembered.
const LINKS_MAX: usize = 1 << 20;

/// Paths of each kind that the summary names.
const NAMED_MAX: usize = 1000;

/// What somebody without Lifeboot needs.
const README: &[u8] = include_bytes!("../readme.txt");

/// What is known before the walk.
#[derive(Clone, Copy)]
pub(super) struct Known<'c> {
    pub(super) options: &'c Options,
    pub(super) rules: &'c Rules,
    pub(super) defaults: &'c Defaults,
    pub(super) accounts: &'c Accounts,
}

/// A directory above the present path, and whether it is on the shelf.
struct Above {
    record: PathRecord,
    is_put: bool,
}

/// The walk so far.
pub(super) struct Collector<'c> {
    known: Known<'c>,
    homes: HashSet<PathBuf>,
    manifest: Manifest,
    above: Vec<Above>,
    /// The first name of a file with several, and whether it was taken.
    links: HashMap<(u64, u64), (PathBuf, bool)>,
    trees: BTreeMap<PathBuf, (u64, u64)>,
    /// Bytes taken from /opt and /usr/local.
    added: u64,
    /// Bytes that were read.
    pub(super) read: u64,
    pub(super) summary: Summary,
}

impl<'c> Collector<'c> {
    pub(super) fn new(known: Known<'c>) -> Self {
        let homes = known.accounts.homes().into_iter().map(PathBuf::from);
        Self {
            known,
            homes: homes.collect(),
            manifest: Manifest::default(),
            above: Vec::new(),
            links: HashMap::new(),
            trees: BTreeMap::new(),
            added: 0,
            read: 0,
            summary: Summary::default(),
        }
    }
}

impl Collector<'_> {
    pub(super) fn begin(&mut self, root: &RootDir, shelf: &mut dyn Shelf) -> io::Result<()> {
        let os = Os::of(root);
        let header = Header {
            format: FORMAT,
            lifeboot: env!("CARGO_PKG_VERSION").to_owned(),
            time: crate::date::now(),
            host: os.hostname,
            system: os.name,
            manager: self.known.defaults.manager.map(str::to_owned),
            defaults_known: self.known.defaults.are_known(),
            secrets: self.known.options.secrets,
            home: self.known.options.home,
            hash_limit: self.known.options.hash_limit,
        };
        self.summary.header = header.clone();
        self.summary.packages = self.known.defaults.packages.len();
        let mut records = vec![Record::Salvage(header)];
        let users = self.known.accounts.users.iter().cloned();
        records.extend(users.map(Record::User));
        let groups = self.known.accounts.groups.iter().cloned();
        records.extend(groups.map(Record::Group));
        let packages = self.known.defaults.packages.iter().cloned();
        records.extend(packages.map(Record::Package));
        for record in &records {
            self.manifest.add(record, shelf)?;
        }
        for (path, why) in self.known.accounts.unread.clone() {
            self.unread(path.into(), &io::Error::other(why), shelf)?;
        }
        Ok(())
    }

    /// Notes one path, and takes it; true for a directory to be entered.
    pub(super) fn path(
        &mut self,
        step: &Step,
        directory: Option<&Directory>,
        shelf: &mut dyn Shelf,
    ) -> io::Result<bool> {
        let (Some(kind), Some(directory)) = (Kind::of(step.details.format), directory) else {
            return Ok(false);
        };
        self.above.truncate(step.depth);
        let area = rules::area(&step.path, kind == Kind::File);
        let mut record = self.record(step, kind, directory, shelf)?;
        let known = take::Known {
            path: &step.path,
            kind,
            size: step.details.meta.size,
            area,
            is_owned: record.package.is_some() || !self.knows_owners(area),
            is_home: self.known.options.home && self.is_home(&step.path),
            stands_out: take::stands_out(
                kind,
                record.mode,
                [record.uid, record.gid],
                record.xattrs.keys().any(|name| name != "security.selinux"),
            ),
        };
        let decided = take::decide(known, self.known.rules, self.known.options.secrets);
        if let Some(kept) = decided {
            record.kept = kept;
            self.keep(&mut record, step, area, directory, shelf)?;
            self.summary.end.paths += 1;
            self.manifest
                .add(&Record::Path(Box::new(record.clone())), shelf)?;
        }
        if kind == Kind::Directory {
            // One that nobody shipped may be empty, and be needed.
            let is_put = decided == Some(Kept::Taken);
            if is_put {
                self.put_above(shelf)?;
                shelf.directory(&record)?;
            }
            self.above.push(Above { record, is_put });
        }
        Ok(kind == Kind::Directory)
    }

    /// Without a list of owners everything in the packages' directories would
    /// seem to be the administrator's.
    fn knows_owners(&self, area: Area) -> bool {
        area != Area::OwnFiles || self.known.defaults.are_known()
    }

    fn is_home(&self, path: &Path) -> bool {
        path.starts_with("/root")
            || path.ancestors().skip(1).any(|home| {
                self.homes.contains(home)
                    && path.strip_prefix(home).is_ok_and(|rest| {
                        let rest = rest.as_os_str().as_encoded_bytes();
                        rest.starts_with(b".") && !rest.starts_with(b".cache")
                    })
            })
    }

    fn record(
        &mut self,
        step: &Step,
        kind: Kind,
        directory: &Directory,
        shelf: &mut dyn Shelf,
    ) -> io::Result<PathRecord> {
        let meta = &step.details.meta;
        let mut target = None;
        if kind == Kind::Link {
            match directory.link_text(&step.name) {
                Ok(text) => target = Some(text),
                Err(error) => self.unread(step.path.clone(), &error, shelf)?,
            }
        }
        let xattrs = match directory.attributes(&step.name) {
            Ok(found) => in_base64(&found),
            Err(error) => {
                self.unread(step.path.clone(), &error, shelf)?;
                BTreeMap::new()
            }
        };
        let is_device = matches!(kind, Kind::Character | Kind::Block);
        let device = step.details.device;
        Ok(PathRecord {
            path: step.path.clone(),
            kind,
            mode: meta.mode,
            uid: meta.uid,
            user: self.known.accounts.user_name(meta.uid).map(str::to_owned),
            gid: meta.gid,
            group: self.known.accounts.group_name(meta.gid).map(str::to_owned),
            size: (kind == Kind::File).then_some(meta.size),
            mtime: meta.mtime,
            target,
            device: is_device.then(|| (stat::major(device), stat::minor(device))),
            same_as: None,
            xattrs,
            sha256: None,
            package: self.known.defaults.owner(&step.path).map(str::to_owned),
            kept: Kept::Data,
        })
    }

    /// Does what was decided; what is found in the content may change it.
    fn keep(
        &mut self,
        record: &mut PathRecord,
        step: &Step,
        area: Area,
        directory: &Directory,
        shelf: &mut dyn Shelf,
    ) -> io::Result<()> {
        match (record.kind, record.kept) {
            (Kind::Link, Kept::Taken) => {
                self.put_above(shelf)?;
                shelf.link(record)?;
            }
            (Kind::File, kept) => {
                let key = (step.details.meta.dev, step.details.meta.ino);
                let earlier = (step.details.meta.links > 1)
                    .then(|| self.links.get(&key).cloned())
                    .flatten();
                if let Some((first, was_taken)) = earlier {
                    record.same_as = Some(first);
                    if kept == Kept::Taken && was_taken {
                        self.put_above(shelf)?;
                        return shelf.link(record);
                    }
                }
                self.file(record, step, area, directory, shelf)?;
                if step.details.meta.links > 1 && self.links.len() < LINKS_MAX {
                    let taken = record.kept == Kept::Taken;
                    self.links
                        .entry(key)
                        .or_insert_with(|| (record.path.clone(), taken));
                }
                self.count(record, step);
            }
            _ => {}
        }
        Ok(())
    }

    fn file(
        &mut self,
        record: &mut PathRecord,
        step: &Step,
        area: Area,
        directory: &Directory,
        shelf: &mut dyn Shelf,
    ) -> io::Result<()> {
        let size = step.details.meta.size;
        match record.kept {
            Kept::Taken | Kept::Reference => {
                if area == Area::Added
                    && self.added.saturating_add(size) > self.known.options.added_limit
                {
                    record.kept = Kept::TooLarge;
                    return Ok(());
                }
                match content::whole(directory, step) {
                    Ok(bytes) => self.taken(record, area, &bytes, shelf)?,
                    Err(error) => {
                        record.kept = Kept::Unread;
                        self.unread(step.path.clone(), &error, shelf)?;
                    }
                }
                self.read = self.read.saturating_add(size);
            }
            Kept::Data
                if record.same_as.is_none() && reads(Area::Data, size, self.known.options) =>
            {
                match content::hash(directory, step) {
                    Ok(sum) => record.sha256 = Some(sum),
                    Err(error) => {
                        record.kept = Kept::Unread;
                        self.unread(step.path.clone(), &error, shelf)?;
                    }
                }
                self.read = self.read.saturating_add(size);
            }
            _ => {}
        }
        Ok(())
    }

    fn taken(
        &mut self,
        record: &mut PathRecord,
        area: Area,
        bytes: &[u8],
        shelf: &mut dyn Shelf,
    ) -> io::Result<()> {
        record.size = Some(bytes.len() as u64);
        let is_secret = self.known.rules.is_secret(&record.path) || rules::has_private_key(bytes);
        if is_secret && !self.known.options.secrets {
            record.kept = Kept::Secret;
            return Ok(());
        }
        record.sha256 = Some(hex::encode(Sha256::digest(bytes)));
        if record.kept == Kept::Reference {
            let path = record.path.strip_prefix("/").unwrap_or(&record.path);
            return shelf.page(&Path::new(REFERENCE).join(path), bytes);
        }
        if self.known.defaults.is_as_shipped(&record.path, bytes) {
            record.kept = Kept::Default;
            return Ok(());
        }
        self.put_above(shelf)?;
        shelf.file(record, bytes)?;
        if area == Area::Added {
            self.added = self.added.saturating_add(bytes.len() as u64);
        }
        self.summary.end.files += 1;
        self.summary.end.bytes += bytes.len() as u64;
        Ok(())
    }

    /// The directories above what is put now.
    fn put_above(&mut self, shelf: &mut dyn Shelf) -> io::Result<()> {
        for above in self.above.iter_mut().filter(|above| !above.is_put) {
            shelf.directory(&above.record)?;
            above.is_put = true;
        }
        Ok(())
    }

    fn count(&mut self, record: &PathRecord, step: &Step) {
        let name = |list: &mut Vec<PathBuf>| {
            if list.len() < NAMED_MAX {
                list.push(record.path.clone());
            }
        };
        match record.kept {
            Kept::Secret => name(&mut self.summary.secrets),
            Kept::TooLarge => name(&mut self.summary.too_large),
            _ => {}
        }
        let is_left = matches!(record.kept, Kept::Data | Kept::TooLarge | Kept::Unread);
        if is_left && record.same_as.is_none() && !self.known.rules.is_restless(&record.path) {
            let (files, bytes) = self.trees.entry(rules::tree_of(&record.path)).or_default();
            *files += 1;
            *bytes = bytes.saturating_add(step.details.allocated);
        }
    }

    pub(super) fn unread(
        &mut self,
        path: PathBuf,
        error: &io::Error,
        shelf: &mut dyn Shelf,
    ) -> io::Result<()> {
        let why = error.to_string();
        let unread = Unread { path, why };
        self.summary.end.unread += 1;
        if self.summary.unread.len() < NAMED_MAX {
            self.summary.unread.push(unread.clone());
        }
        self.manifest.add(&Record::Unread(unread), shelf)
    }

    pub(super) fn end(&mut self, shelf: &mut dyn Shelf) -> io::Result<()> {
        let trees = std::mem::take(&mut self.trees).into_iter();
        let mut trees: Vec<Tree> = trees
            .map(|(path, (files, bytes))| Tree { path, files, bytes })
            .collect();
        trees.sort_by_key(|tree| std::cmp::Reverse(tree.bytes));
        for tree in &trees {
            self.manifest.add(&Record::Tree(tree.clone()), shelf)?;
        }
        self.summary.trees = trees;
        shelf.page(Path::new("README.txt"), README)?;
        let end = Record::End(self.summary.end.clone());
        self.manifest.add(&end, shelf)?;
        self.manifest.turn(shelf)
    }
}
