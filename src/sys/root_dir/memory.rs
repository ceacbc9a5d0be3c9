//! A tree that lies in memory and is read like one on a disk: what an archive
//! unpacks to, without a filesystem to unpack it on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;

use super::walk::{MAX_LINKS, Step, steps};
use super::{DeadEnd, Entry, Kind, Meta, Resolved, kind_of};

/// The device number of everything in it; no real one has it.
const DEVICE: u64 = u64::MAX;

/// What lies at a place.
#[derive(Debug)]
enum Content {
    Directory(BTreeMap<OsString, usize>),
    /// None when only its size is known.
    File(Option<Vec<u8>>),
    Link(PathBuf),
    Special,
}

#[derive(Debug)]
struct Node {
    meta: Meta,
    content: Content,
}

/// The tree. Its root is there from the start.
#[derive(Debug)]
pub struct MemoryTree {
    nodes: Vec<Node>,
}

/// What is put somewhere.
#[derive(Debug)]
pub enum New {
    /// A directory.
    Directory,
    /// A file of this size; its bytes come by [`MemoryTree::fill`].
    File,
    /// A symbolic link that says this.
    Link(PathBuf),
    /// A device node, socket or FIFO.
    Special,
}

impl Default for MemoryTree {
    fn default() -> Self {
        let mut tree = Self { nodes: Vec::new() };
        tree.add(0o040_755, Content::Directory(BTreeMap::new()));
        tree
    }
}

impl MemoryTree {
    fn add(&mut self, mode: u32, content: Content) -> usize {
        let number = self.nodes.len();
        let meta = Meta {
            kind: kind_of(mode),
            mode: mode & 0o7777,
            uid: 0,
            gid: 0,
            size: match &content {
                Content::Link(target) => target.as_os_str().len() as u64,
                _ => 0,
            },
            dev: DEVICE,
            ino: number as u64,
            links: 1,
            mtime: 0,
            ctime: 0,
        };
        self.nodes.push(Node { meta, content });
        number
    }

    /// Puts something at `path`, as the kernel does when it unpacks an archive
    /// (`init/initramfs.c`): its directory must be there, what is there of
    /// another kind goes, what is there of the same kind is used on. `mode` has
    /// the type in it. Returns its number.
    ///
    /// # Errors
    /// What the kernel would answer; nothing is put there then.
    pub fn put(&mut self, path: &Path, mode: u32, new: New) -> Result<usize, Errno> {
        let Some((parent, name)) = self.place(path)? else {
            // The root itself.
            return match new {
                New::Directory => Ok(0),
                _ => Err(Errno::EISDIR),
            };
        };
        let kind = kind_of(mode);
        if let Some(old) = self.child(parent, &name) {
            if self.meta(old).kind == kind && kind != Kind::Symlink {
                if let Some(node) = self.nodes.get_mut(old) {
                    node.meta.mode = mode & 0o7777;
                }
                return Ok(old);
            }
            if let Content::Directory(names) = &self.nodes[old].content
                && !names.is_empty()
            {
                return Err(Errno::ENOTEMPTY);
            }
        }
        let content = match new {
            New::Directory => Content::Directory(BTreeMap::new()),
            New::File => Content::File(Some(Vec::new())),
            New::Link(target) => Content::Link(target),
            New::Special => Content::Special,
        };
        let number = self.add(mode, content);
        self.name(parent, name, number);
        Ok(number)
    }

    /// A further name for the file `number`.
    ///
    /// # Errors
    /// What the kernel would answer.
    pub fn link(&mut self, path: &Path, number: usize) -> Result<(), Errno> {
        // A second name for a directory would make the tree endless.
        match self.nodes.get(number).map(|node| &node.content) {
            None => return Err(Errno::ENOENT),
            Some(Content::Directory(_)) => return Err(Errno::EPERM),
            Some(_) => {}
        }
        if let Some((parent, name)) = self.place(path)? {
            self.name(parent, name, number);
        }
        Ok(())
    }

    /// Gives the file `number` its bytes, or only its size.
    pub fn fill(&mut self, number: usize, size: u64, bytes: Option<Vec<u8>>) {
        if let Some(node) = self.nodes.get_mut(number)
            && let Content::File(content) = &mut node.content
        {
            *content = bytes;
            node.meta.size = size;
        }
    }

    /// The directory that `path` lies in, links followed, and its last name.
    fn place(&self, path: &Path) -> Result<Option<(usize, OsString)>, Errno> {
        let Some(name) = path.file_name() else {
            return Ok(None);
        };
        let parent = path.parent().unwrap_or(Path::new("/"));
        let (number, _) = match parent.as_os_str().is_empty() {
            true => (0, None),
            false => self
                .walk(parent, true)
                .map(|(number, found)| (number, Some(found)))
                .map_err(|end| end.errno)?,
        };
        match self.meta(number).kind {
            Kind::Directory => Ok(Some((number, name.to_owned()))),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn name(&mut self, parent: usize, name: OsString, number: usize) {
        if let Some(node) = self.nodes.get_mut(parent)
            && let Content::Directory(names) = &mut node.content
        {
            names.insert(name, number);
        }
    }

    fn child(&self, parent: usize, name: &OsStr) -> Option<usize> {
        match &self.nodes.get(parent)?.content {
            Content::Directory(names) => names.get(name).copied(),
            _ => None,
        }
    }

    pub(super) fn meta(&self, number: usize) -> Meta {
        self.nodes[number].meta
    }

    /// The same answers as the walk over a real tree gives.
    pub(super) fn walk(
        &self,
        path: &Path,
        follow: bool,
    ) -> Result<(usize, Resolved), Box<DeadEnd>> {
        let mut links = Vec::new();
        let mut here = PathBuf::from("/");
        match self.run(path, follow, &mut here, &mut links) {
            Ok(number) => {
                let meta = self.meta(number);
                let resolved = Resolved {
                    path: here,
                    meta,
                    links,
                };
                Ok((number, resolved))
            }
            Err(errno) => Err(Box::new(DeadEnd {
                at: here,
                links,
                errno,
            })),
        }
    }

    fn run(
        &self,
        path: &Path,
        follow: bool,
        here: &mut PathBuf,
        links: &mut Vec<(PathBuf, PathBuf)>,
    ) -> Result<usize, Errno> {
        if path.as_os_str().is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut stack = vec![0_usize];
        let mut todo = steps(path);
        while let Some(step) = todo.pop_front() {
            let Step::Name(name) = step else {
                if stack.len() > 1 {
                    stack.pop();
                }
                here.pop();
                continue;
            };
            let parent = stack.last().copied().unwrap_or(0);
            here.push(&name);
            let number = self.child(parent, &name).ok_or(Errno::ENOENT)?;
            if let Content::Link(target) = &self.nodes[number].content
                && (follow || !todo.is_empty())
            {
                links.push((here.clone(), target.clone()));
                if links.len() > MAX_LINKS || target.as_os_str().is_empty() {
                    return Err(Errno::ELOOP);
                }
                here.pop();
                if target.is_absolute() {
                    stack.truncate(1);
                    *here = PathBuf::from("/");
                }
                for step in steps(target).into_iter().rev() {
                    todo.push_front(step);
                }
                continue;
            }
            if !todo.is_empty() && self.meta(number).kind != Kind::Directory {
                return Err(Errno::ENOTDIR);
            }
            stack.push(number);
        }
        Ok(stack.last().copied().unwrap_or(0))
    }

    pub(super) fn link_text(&self, path: &Path) -> io::Result<PathBuf> {
        let (number, _) = self.walk(path, false)?;
        match &self.nodes[number].content {
            Content::Link(target) => Ok(target.clone()),
            _ => Err(Errno::EINVAL.into()),
        }
    }

    /// The bytes of the regular file `number`.
    pub(super) fn bytes(&self, number: usize) -> io::Result<&[u8]> {
        match &self.nodes[number].content {
            Content::File(Some(bytes)) => Ok(bytes),
            Content::File(None) => Err(io::Error::other("its content was not kept in memory")),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            )),
        }
    }

    pub(super) fn entries(&self, number: usize) -> io::Result<Vec<Entry>> {
        let Content::Directory(names) = &self.nodes[number].content else {
            return Err(Errno::ENOTDIR.into());
        };
        let entry = |(name, number): (&OsString, &usize)| Entry {
            name: name.clone(),
            kind: self.meta(*number).kind,
        };
        Ok(names.iter().map(entry).collect())
    }

    pub(super) fn named(&self, directory: usize, name: &OsStr) -> io::Result<usize> {
        let found = self.child(directory, name);
        found.ok_or_else(|| Errno::ENOENT.into())
    }

    /// A descriptor with the bytes of the file `number`.
    pub(super) fn open(&self, number: usize) -> io::Result<File> {
        let mut file = File::from(anonymous()?);
        file.write_all(self.bytes(number)?)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

/// A file without a name, in memory.
pub(super) fn anonymous() -> io::Result<OwnedFd> {
    match memfd_create("lifeboot", MFdFlags::MFD_CLOEXEC) {
        // Linux 3.17 and later have it.
        Err(Errno::ENOSYS) => {}
        answer => return Ok(answer?),
    }
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let open = |path: &str| fcntl::open(path, flags, Mode::from_bits_truncate(0o600));
    Ok(open("/dev/shm").or_else(|_| open("/run"))?)
}
