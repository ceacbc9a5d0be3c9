//! What a rehearsal made, and how it gets to the patient's disk.

use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::encoded::encode;
use crate::sys::exact::{self, Object};
use crate::sys::root_dir::{Kind, RootDir};
use crate::sys::write_root::WriteRoot;
use crate::sys::xattr;

/// So much of a file is held in memory; as much of zeros stays a hole.
const PIECE: usize = 64 << 10;

/// What a layer holds of one filesystem of the tree.
#[derive(Debug)]
pub struct Changes {
    /// The filesystem's place in the tree.
    pub target: PathBuf,
    /// What was changed, in the form of overlayfs.
    pub upper: RootDir,
}

/// Everything that a rehearsal made.
#[derive(Debug, Default)]
pub struct Stock(pub Vec<Changes>);

impl Stock {
    /// Where what belongs at `path` lies: in the layer of the innermost
    /// filesystem.
    fn find(&self, path: &Path) -> Result<(&RootDir, PathBuf)> {
        let holds = |changes: &&Changes| path.starts_with(&changes.target);
        let found = self.0.iter().filter(holds);
        let deepest = found.max_by_key(|changes| changes.target.components().count());
        let none = || format!("nothing was rehearsed that makes {}", encode(path));
        let changes = deepest.with_context(none)?;
        let inside = path.strip_prefix(&changes.target)?;
        Ok((&changes.upper, Path::new("/").join(inside)))
    }

    /// What it holds for `path`.
    pub(super) fn look(&self, path: &Path) -> Result<Object> {
        let (root, inside) = self.find(path)?;
        let found = exact::look(root, &inside)?;
        found.with_context(|| format!("nothing was rehearsed that makes {}", encode(path)))
    }

    /// Makes a copy of what it holds for `path` at `to`: content, owner, mode,
    /// extended attributes and time.
    pub(super) fn put(&self, write: &WriteRoot<'_>, path: &Path, to: &Path) -> Result<()> {
        let object = self.look(path)?;
        let (root, inside) = self.find(path)?;
        let copied = copy(root, &inside, &object, write, to);
        copied.with_context(|| format!("copying {}", encode(path)))
    }
}

fn copy(
    root: &RootDir,
    path: &Path,
    object: &Object,
    write: &WriteRoot<'_>,
    to: &Path,
) -> io::Result<()> {
    match object.kind {
        Kind::File => {
            let mut from = exact::open_file(root, path)?;
            pour(&mut from, &write.create(to)?)?;
        }
        Kind::Symlink => write.symlink(to, &exact::read_link(root, path)?)?,
        Kind::Special => write.make_node(to, root, path)?,
        Kind::Directory => return Err(io::Error::other("a directory is made by itself")),
    }
    write.set_owner(to, object.uid, object.gid)?;
    for (name, value) in xattr::all(root, path)? {
        write.set_xattr(to, &name, &value)?;
    }
    // After the owner: changing that takes set-user-id bits away.
    match object.kind {
        Kind::File => {
            let file = exact::open_file(write.root(), to)?;
            file.set_permissions(Permissions::from_mode(object.mode))?;
        }
        Kind::Special => write.set_node_mode(to, object.mode)?,
        _ => {}
    }
    write.set_mtime(to, object.mtime)
}

/// Copies the content; where the copy would be all zeros, it has a hole.
fn pour(from: &mut File, mut to: &File) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut length = 0;
    loop {
        let count = fill(from, &mut piece)?;
        if count == 0 {
            break;
        }
        length += count as u64;
        if piece[..count].iter().all(|&byte| byte == 0) {
            to.seek(SeekFrom::Start(length))?;
        } else {
            to.write_all(&piece[..count])?;
        }
    }
    to.set_len(length)
}

fn fill(from: &mut File, piece: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < piece.len() {
        match from.read(&mut piece[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
