//! From the upper layer of an overlay to the changes that it stands for.
//!
//! The layer tells where something may have changed; what it was and what it
//! became is read from the two trees, so the forms that overlayfs has for
//! removed and replaced things need not be understood one by one.

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::stat::{self, UtimensatFlags};
use nix::sys::time::TimeSpec;

use crate::journal::encoded::encode;
use crate::journal::{Action, Changes, Stock, xattrs};
use crate::sys::exact::{self, Object};
use crate::sys::root_dir::{Kind, RootDir};
use crate::sys::xattr::{self, Xattrs};

/// More than any upgrade changes.
const MOST_ACTIONS: usize = 500_000;

/// Bytes that are compared at once.
const PIECE: usize = 64 << 10;

/// What lies at the top of a filesystem and is not the patient's.
const OURS: &str = ".lifeboot";

/// What was changed, as a list of actions, and where what is put comes from.
#[derive(Debug, Default)]
pub struct Difference {
    /// The changes, in an order in which they can be made.
    pub actions: Vec<Action>,
    /// What each of them found before, by path: it must still be so when they
    /// are made.
    pub before: Vec<(PathBuf, Option<Object>)>,
    /// Bytes of all files that are put.
    pub bytes: u64,
}

/// Works out what `stock` changed from `before` to `after`.
///
/// # Errors
/// A layer that cannot be read.
pub fn difference(before: &RootDir, after: &RootDir, stock: &Stock) -> Result<Difference> {
    let mut walk = Walk {
        before,
        after,
        found: Difference::default(),
        linked: HashMap::new(),
    };
    for changes in &stock.0 {
        walk.directory(changes, Path::new("/"))?;
    }
    Ok(walk.found)
}

struct Walk<'t> {
    before: &'t RootDir,
    after: &'t RootDir,
    found: Difference,
    /// The first path of each file with several names, by device and inode.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl Walk<'_> {
    /// A directory of a layer; `inside` is its path in the layer.
    fn directory(&mut self, changes: &Changes, inside: &Path) -> Result<()> {
        let names = exact::names(&changes.upper, inside)
            .with_context(|| format!("reading the layer of {}", encode(inside)))?;
        for name in names {
            if inside == Path::new("/") && name == OURS {
                continue;
            }
            let below = inside.join(&name);
            let path = changes.target.join(below.strip_prefix("/")?);
            self.entry(changes, &below, &path)?;
            if self.found.actions.len() > MOST_ACTIONS {
                bail!("more than {MOST_ACTIONS} things were changed");
            }
        }
        Ok(())
    }

    fn entry(&mut self, changes: &Changes, inside: &Path, path: &Path) -> Result<()> {
        let old = look(self.before, path)?;
        let new = look(self.after, path)?;
        match (old, new) {
            (None, None) => Ok(()),
            (Some(old), None) => {
                self.away(path, old);
                Ok(())
            }
            (None, Some(new)) => self.create(changes, inside, path, &new),
            (Some(old), Some(new)) if is_directory(&old) && is_directory(&new) => {
                if is_another(changes, inside)? {
                    self.away(path, old);
                    return self.create(changes, inside, path, &new);
                }
                self.attributes(path, old, &new)?;
                self.directory(changes, inside)
            }
            (Some(old), Some(new)) => {
                if self.is_same(path, &old, &new)? {
                    return Ok(());
                }
                self.away(path, old);
                self.create(changes, inside, path, &new)
            }
        }
    }

    fn away(&mut self, path: &Path, old: Object) {
        self.found.before.push((path.to_owned(), Some(old)));
        self.found.actions.push(Action::Quarantine {
            path: path.to_owned(),
        });
    }

    /// Something new with everything in it.
    fn create(
        &mut self,
        changes: &Changes,
        inside: &Path,
        path: &Path,
        new: &Object,
    ) -> Result<()> {
        if self
            .found
            .before
            .last()
            .is_none_or(|(last, _)| last != path)
        {
            self.found.before.push((path.to_owned(), None));
        }
        self.put(Some((changes, inside)), path, new)
    }

    /// Nothing is noted of what is below a new directory: an older one in its
    /// place, with files of the same names, is moved away before.
    ///
    /// `place` is its place in the layer; none below a directory that was moved:
    /// what is in that is not in the layer before it is brought there.
    fn put(&mut self, place: Option<(&Changes, &Path)>, path: &Path, new: &Object) -> Result<()> {
        if place.is_none() {
            bring_up(self.after, path, new)?;
        }
        if !is_directory(new) {
            return self.install(path, new);
        }
        let stays = match place {
            Some((changes, inside)) => redirect(changes, inside)?.is_none(),
            None => false,
        };
        self.found.actions.push(Action::MakeDirectory {
            path: path.to_owned(),
            mode: new.mode,
            uid: new.uid,
            gid: new.gid,
            xattrs: xattrs::changes(&Xattrs::new(), &xattr::all(self.after, path)?),
        });
        for name in exact::names(self.after, path)? {
            let below = path.join(&name);
            let Some(found) = look(self.after, &below)? else {
                continue;
            };
            let inside = place.map(|(changes, inside)| (changes, inside.join(&name)));
            let place = inside.as_ref().filter(|_| stays);
            self.put(place.map(|(c, i)| (*c, i.as_path())), &below, &found)?;
        }
        Ok(())
    }

    fn install(&mut self, path: &Path, new: &Object) -> Result<()> {
        if new.kind == Kind::Special && exact::is_socket(self.after, path)? {
            // It is nobody's without the program that listened.
            return Ok(());
        }
        let several = new.links > 1 && new.kind != Kind::Directory;
        let mut same_as = None;
        if several {
            let key = (new.dev, new.ino);
            same_as = self.linked.get(&key).cloned();
            if same_as.is_none() {
                self.linked.insert(key, path.to_owned());
            }
        }
        if same_as.is_none() && new.kind == Kind::File {
            self.found.bytes += new.size;
        }
        self.found.actions.push(Action::Install {
            path: path.to_owned(),
            kind: new.kind,
            size: if new.kind == Kind::File { new.size } else { 0 },
            same_as,
        });
        Ok(())
    }

    fn attributes(&mut self, path: &Path, old: Object, new: &Object) -> Result<()> {
        let changes = xattrs::changes(
            &xattr::all(self.before, path)?,
            &xattr::all(self.after, path)?,
        );
        if changes.is_empty() && attributes_of(&old) == attributes_of(new) {
            return Ok(());
        }
        self.found.before.push((path.to_owned(), Some(old)));
        self.found.actions.push(Action::Attributes {
            path: path.to_owned(),
            mode: new.mode,
            uid: new.uid,
            gid: new.gid,
            xattrs: changes,
        });
        Ok(())
    }

    /// True for something that was only touched: a program opened it for
    /// writing, or gave it the owner that it had.
    fn is_same(&self, path: &Path, old: &Object, new: &Object) -> Result<bool> {
        let alike = old.kind == new.kind
            && attributes_of(old) == attributes_of(new)
            && old.mtime == new.mtime
            && old.size == new.size;
        if !alike || xattr::all(self.before, path)? != xattr::all(self.after, path)? {
            return Ok(false);
        }
        Ok(match old.kind {
            Kind::File => same_content(self.before, self.after, path)?,
            Kind::Symlink => {
                exact::read_link(self.before, path)? == exact::read_link(self.after, path)?
            }
            Kind::Special => exact::node(self.before, path)? == exact::node(self.after, path)?,
            Kind::Directory => false,
        })
    }
}

/// True for a directory of the layer that was made anew in the place of an old
/// one, or was moved there (overlayfs, Documentation/filesystems, "Redirect").
fn is_another(changes: &Changes, inside: &Path) -> Result<bool> {
    if xattr::of_overlayfs(&changes.upper, inside, "opaque")?.is_some() {
        return Ok(true);
    }
    let from = redirect(changes, inside)?;
    // One that was moved away and back names itself.
    Ok(from.is_some_and(|from| match from.strip_prefix(b"/") {
        Some(_) => from != inside.as_os_str().as_bytes(),
        None => inside.file_name().is_none_or(|own| own.as_bytes() != from),
    }))
}

/// Where what a directory of the layer shows comes from, when it was moved.
fn redirect(changes: &Changes, inside: &Path) -> Result<Option<Vec<u8>>> {
    xattr::of_overlayfs(&changes.upper, inside, "redirect")
        .with_context(|| format!("reading the layer of {}", encode(inside)))
}

/// Has overlayfs put it into the layer, where what is committed is taken from:
/// its time is set to what it is.
fn bring_up(after: &RootDir, path: &Path, object: &Object) -> Result<()> {
    let (dir, name) = exact::open_parent(after, path)?;
    let mtime = TimeSpec::new(object.mtime.sec, object.mtime.nsec);
    let flag = UtimensatFlags::NoFollowSymlink;
    stat::utimensat(&dir, name, &TimeSpec::UTIME_OMIT, &mtime, flag)
        .with_context(|| format!("bringing {} into the layer", encode(path)))
}

fn attributes_of(object: &Object) -> (u32, u32, u32) {
    (object.mode, object.uid, object.gid)
}

fn is_directory(object: &Object) -> bool {
    object.kind == Kind::Directory
}

/// `None` also when what should hold it is no directory.
fn look(root: &RootDir, path: &Path) -> Result<Option<Object>> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match exact::look(root, path) {
        Ok(found) => Ok(found),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at {}", encode(path))),
    }
}

fn same_content(one: &RootDir, other: &RootDir, path: &Path) -> Result<bool> {
    let mut one = exact::open_file(one, path)?.take(u64::MAX);
    let mut other = exact::open_file(other, path)?.take(u64::MAX);
    let (mut left, mut right) = (Vec::with_capacity(PIECE), Vec::with_capacity(PIECE));
    loop {
        left.clear();
        right.clear();
        one.by_ref().take(PIECE as u64).read_to_end(&mut left)?;
        other.by_ref().take(PIECE as u64).read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}
