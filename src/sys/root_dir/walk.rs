//! Resolving a path one component at a time, as kernels before 5.6 need it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, Mode};

use super::{Kind, Meta};

/// Links followed before a path counts as a loop (`MAXSYMLINKS` in the kernel).
pub(super) const MAX_LINKS: usize = 40;

/// The end of a walk: a name in an open directory, or the root itself.
pub(super) struct Place {
    parent: Option<OwnedFd>,
    name: OsString,
}

impl Place {
    pub(super) fn reopen(&self, root: &OwnedFd, flags: OFlag) -> nix::Result<OwnedFd> {
        let parent = self.parent.as_ref().unwrap_or(root);
        // The walk ended on something that is no link, so NOFOLLOW changes
        // nothing unless somebody swapped it for one meanwhile.
        let flags = flags | OFlag::O_NOFOLLOW;
        fcntl::openat(parent, self.name.as_os_str(), flags, Mode::empty())
    }
}

pub(super) struct Walk<'a> {
    root: &'a OwnedFd,
    /// Directories entered, the root not among them: `..` takes one away.
    stack: Vec<(OwnedFd, OsString)>,
    /// Where the walk stands; at an error, the place that could not be entered.
    pub(super) path: PathBuf,
    pub(super) links: Vec<(PathBuf, PathBuf)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a OwnedFd) -> Self {
        Self {
            root,
            stack: Vec::new(),
            path: PathBuf::from("/"),
            links: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, path: &Path, follow: bool) -> nix::Result<(Place, Meta)> {
        if path.as_os_str().is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut todo = steps(path);
        while let Some(step) = todo.pop_front() {
            let Step::Name(name) = step else {
                self.stack.pop();
                self.path.pop();
                continue;
            };
            let parent = self.stack.last().map_or(self.root, |(fd, _)| fd);
            let here = self.path.join(&name);
            let fd = fcntl::openat(
                parent,
                name.as_os_str(),
                OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
                Mode::empty(),
            )
            .inspect_err(|_| self.path.clone_from(&here))?;
            let meta = Meta::new(&stat::fstat(&fd)?);
            if meta.kind == Kind::Symlink && (follow || !todo.is_empty()) {
                let target = link_text(&fd)?;
                self.links.push((here.clone(), target.clone()));
                if self.links.len() > MAX_LINKS || target.as_os_str().is_empty() {
                    self.path = here;
                    return Err(Errno::ELOOP);
                }
                if target.is_absolute() {
                    self.stack.clear();
                    self.path = PathBuf::from("/");
                }
                for step in steps(&target).into_iter().rev() {
                    todo.push_front(step);
                }
                continue;
            }
            self.path = here;
            if todo.is_empty() && meta.kind != Kind::Directory {
                let parent = self.stack.pop().map(|(fd, _)| fd);
                return Ok((Place { parent, name }, meta));
            }
            if meta.kind != Kind::Directory {
                return Err(Errno::ENOTDIR);
            }
            self.stack.push((fd, name));
        }
        // Ended on a directory: reopen it by name below its parent.
        match self.stack.pop() {
            Some((fd, name)) => {
                let meta = Meta::new(&stat::fstat(&fd)?);
                let parent = self.stack.pop().map(|(fd, _)| fd);
                Ok((Place { parent, name }, meta))
            }
            None => {
                let meta = Meta::new(&stat::fstat(self.root)?);
                let name = OsString::from(".");
                Ok((Place { parent: None, name }, meta))
            }
        }
    }
}

pub(super) enum Step {
    Name(OsString),
    Up,
}

pub(super) fn steps(path: &Path) -> VecDeque<Step> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(Step::Name(name.to_owned())),
            Component::ParentDir => Some(Step::Up),
            _ => None,
        })
        .collect()
}

pub(super) fn link_text(fd: &OwnedFd) -> nix::Result<PathBuf> {
    let text = fcntl::readlinkat(fd, OsStr::from_bytes(b"")).map_err(|errno| match errno {
        // What the kernel answers for something that is no link.
        Errno::ENOENT => Errno::EINVAL,
        other => other,
    })?;
    Ok(PathBuf::from(text))
}
