//! The tree as it will be after some moves that were not made yet.
//!
//! All conditions are checked before the first change, so a later step must be
//! judged by what the earlier ones will have done: a link is put where a
//! directory still stands. Nothing here writes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::encoded::encode;
use super::record::Touched;
use crate::sys::exact::{self, Object, Stamp};
use crate::sys::root_dir::{Kind, RootDir};

/// Links followed before a path counts as a loop (`MAXSYMLINKS` in the kernel).
const MAX_LINKS: usize = 40;

/// Which object, before it has an inode and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Inode { dev: u64, ino: u64 },
    New(usize),
}

/// Something in the tree to come.
#[derive(Debug, Clone)]
pub(super) struct Node {
    key: Key,
    /// What it is.
    pub(super) kind: Kind,
    /// Device of its filesystem.
    pub(super) dev: u64,
    /// What it is on the disk now; `None` when it is not made yet.
    pub(super) object: Option<Object>,
    /// Where it is on the disk now.
    at: PathBuf,
    /// What it says, for a link that is not made yet.
    target: PathBuf,
}

/// A name in a directory.
struct Spot {
    /// The directory and all above it, `/` first.
    dirs: Vec<Node>,
    /// The exact path of the directory.
    path: PathBuf,
    name: OsString,
}

impl Spot {
    fn dir(&self) -> &Node {
        &self.dirs[self.dirs.len() - 1]
    }

    fn full(&self) -> PathBuf {
        self.path.join(&self.name)
    }
}

/// The tree to come.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    root: &'a RootDir,
    top: Node,
    changes: HashMap<(Key, OsString), Option<Node>>,
    made: usize,
    touched: Vec<Touched>,
    known: HashSet<Key>,
}

/// Something that stays where it is.
#[derive(Debug)]
pub(super) struct Standing {
    /// Where it will be.
    pub(super) exact: PathBuf,
    /// Where it is on the disk now.
    pub(super) at: PathBuf,
    /// What it is on the disk now.
    pub(super) object: Object,
}

/// The top of a filesystem.
#[derive(Debug, Clone)]
pub(super) struct Top {
    /// Where it is in the tree. Exact, or `/`.
    pub(super) at: PathBuf,
    /// Its modification time.
    pub(super) mtime: Stamp,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(root: &'a RootDir) -> Result<Self> {
        let found = exact::look(root, Path::new("/"))?.context("the root is gone")?;
        Ok(Self {
            root,
            top: existing(found, PathBuf::from("/")),
            changes: HashMap::new(),
            made: 0,
            touched: Vec::new(),
            known: HashSet::new(),
        })
    }

    /// The tree as it is.
    pub(super) fn root(&self) -> &'a RootDir {
        self.root
    }

    /// Directories touched so far that are on the disk now.
    pub(super) fn into_touched(self) -> Vec<Touched> {
        self.touched
    }

    /// The top of the filesystem that holds the name `path`.
    pub(super) fn top_of(&self, path: &Path) -> Result<Top> {
        if path == Path::new("/") {
            let top = self.top.object.as_ref().context("the root is gone")?;
            return Ok(Top {
                at: path.to_owned(),
                mtime: top.mtime,
            });
        }
        let spot = self.spot(path)?;
        let dev = spot.dir().dev;
        let inner = spot.dirs.iter().rev().take_while(|dir| dir.dev == dev);
        let top = inner
            .last()
            .and_then(|dir| dir.object.as_ref().map(|o| (dir, o)));
        let (dir, object) = top.context("a filesystem has no top")?;
        Ok(Top {
            at: dir.at.clone(),
            mtime: object.mtime,
        })
    }

    /// The directory or file that is there now, and will be at `path`.
    pub(super) fn standing(&self, path: &Path) -> Result<Standing> {
        if path == Path::new("/") {
            let top = self.top.object.clone().context("the root is gone")?;
            return Ok(Standing {
                exact: path.to_owned(),
                at: path.to_owned(),
                object: top,
            });
        }
        let spot = self.spot(path)?;
        match self.lookup(spot.dir(), &spot.name)? {
            Some(node) if matches!(node.kind, Kind::Directory | Kind::File) => {
                let object = node
                    .object
                    .with_context(|| format!("{} is new", encode(path)))?;
                Ok(Standing {
                    exact: spot.full(),
                    at: node.at,
                    object,
                })
            }
            _ => bail!("{} is no directory and no file", encode(path)),
        }
    }

    /// Something that will be made on the filesystem that holds `path`.
    pub(super) fn make(&mut self, path: &Path, kind: Kind, target: &Path) -> Result<Node> {
        self.made += 1;
        Ok(Node {
            key: Key::New(self.made),
            kind,
            dev: self.spot(path)?.dir().dev,
            object: None,
            at: PathBuf::new(),
            target: target.to_owned(),
        })
    }

    /// Takes away what stands at `path`; tells its exact path.
    pub(super) fn take(&mut self, path: &Path) -> Result<(PathBuf, Node)> {
        let spot = self.spot(path)?;
        let full = spot.full();
        let Some(node) = self.lookup(spot.dir(), &spot.name)? else {
            bail!("{} is not there", encode(path));
        };
        if node.dev != spot.dir().dev {
            bail!("{} is a mount point", encode(path));
        }
        self.touch(spot.dir());
        if node.kind == Kind::Directory {
            self.touch(&node);
        }
        self.changes.insert((spot.dir().key, spot.name), None);
        Ok((full, node))
    }

    /// Puts `node`, that was at `from`, to `path`; tells its exact path.
    pub(super) fn put(&mut self, path: &Path, node: Node, from: &Path) -> Result<PathBuf> {
        if path.starts_with(from) && path != from {
            bail!("{} cannot be moved into itself", encode(from));
        }
        let spot = self.spot(path)?;
        if self.lookup(spot.dir(), &spot.name)?.is_some() {
            bail!("{} is already there", encode(path));
        }
        if node.dev != spot.dir().dev {
            let (from, to) = (encode(from), encode(path));
            bail!("{from} cannot be moved to {to}: they are on different filesystems");
        }
        self.touch(spot.dir());
        let full = spot.full();
        self.changes.insert((spot.dir().key, spot.name), Some(node));
        Ok(full)
    }

    /// True when nothing will be in the directory.
    pub(super) fn is_empty(&self, dir: &Node) -> Result<bool> {
        let arrived =
            |((key, _), node): (&(Key, OsString), &Option<Node>)| *key == dir.key && node.is_some();
        if self.changes.iter().any(arrived) {
            return Ok(false);
        }
        if dir.object.is_none() {
            return Ok(true);
        }
        let names = exact::names(self.root, &dir.at)
            .with_context(|| format!("listing {}", encode(&dir.at)))?;
        let left = |name: OsString| !self.changes.contains_key(&(dir.key, name));
        Ok(!names.into_iter().any(left))
    }

    fn touch(&mut self, dir: &Node) {
        let Some(object) = &dir.object else { return };
        if self.known.insert(dir.key) {
            self.touched.push(Touched {
                path: dir.at.clone(),
                ino: object.ino,
                mtime: object.mtime,
            });
        }
    }

    fn lookup(&self, dir: &Node, name: &OsStr) -> Result<Option<Node>> {
        if let Some(change) = self.changes.get(&(dir.key, name.to_owned())) {
            return Ok(change.clone());
        }
        if dir.object.is_none() {
            return Ok(None);
        }
        let at = dir.at.join(name);
        let found =
            exact::look(self.root, &at).with_context(|| format!("looking at {}", encode(&at)))?;
        Ok(found.map(|object| {
            let mut node = existing(object, at);
            // overlayfs gives a file the device of the layer it comes from and
            // a directory its own. Files are hardly ever mount points; where
            // one is, the kernel refuses the move.
            if node.kind != Kind::Directory {
                node.dev = dir.dev;
            }
            node
        }))
    }

    /// Walks to the parent of `path`, links followed inside the root.
    fn spot(&self, path: &Path) -> Result<Spot> {
        let plain = path.components().all(|c| c != Component::ParentDir);
        let Some(name) = path.file_name().filter(|_| path.is_absolute() && plain) else {
            bail!("{} is no absolute path of a file", encode(path));
        };
        let mut spot = Spot {
            dirs: vec![self.top.clone()],
            path: PathBuf::from("/"),
            name: name.to_owned(),
        };
        let parent = path.parent().unwrap_or(path);
        let mut todo: VecDeque<OsString> = parts(parent).collect();
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            if part == ".." {
                if spot.dirs.len() > 1 {
                    spot.dirs.pop();
                    spot.path.pop();
                }
                continue;
            }
            let here = spot.path.join(&part);
            let Some(node) = self.lookup(spot.dir(), &part)? else {
                bail!("{}: {} is not there", encode(path), encode(&here));
            };
            match node.kind {
                Kind::Directory => {
                    spot.dirs.push(node);
                    spot.path = here;
                }
                Kind::Symlink => {
                    links += 1;
                    let target = self.target(&node)?;
                    if links > MAX_LINKS {
                        bail!("{}: too many links at {}", encode(path), encode(&here));
                    }
                    if target.is_absolute() {
                        spot.dirs.truncate(1);
                        spot.path = PathBuf::from("/");
                    }
                    let front: Vec<_> = parts(&target).collect();
                    front
                        .into_iter()
                        .rev()
                        .for_each(|part| todo.push_front(part));
                }
                _ => bail!("{}: {} is no directory", encode(path), encode(&here)),
            }
        }
        Ok(spot)
    }

    fn target(&self, link: &Node) -> Result<PathBuf> {
        if link.object.is_none() {
            return Ok(link.target.clone());
        }
        exact::read_link(self.root, &link.at)
            .with_context(|| format!("reading the link {}", encode(&link.at)))
    }
}

fn existing(object: Object, at: PathBuf) -> Node {
    Node {
        key: Key::Inode {
            dev: object.dev,
            ino: object.ino,
        },
        kind: object.kind,
        dev: object.dev,
        object: Some(object),
        at,
        target: PathBuf::new(),
    }
}

/// The names and `..` of a path.
fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    })
}
