//! One library, searched as glibc does.
//!
//! Source: glibc elf/dl-load.c, `_dl_map_object`, `open_path` and
//! `open_verify`; ld.so(8).

use std::cell::Cell;
use std::sync::Arc;

use goblin::elf::header::EM_X86_64;
use nix::errno::Errno;

use super::constants::{Constants, Libc};
use super::cpu::CpuLevel;
use super::damage::Damage;
use super::files::{Files, Id, Opened};
use super::known::Rules;
use super::ldcache::LdCache;
use super::object::{Machine, Object};
use super::tokens::{Tokens, directory_of};

/// Most paths tried for one program, about a second's worth. Real programs
/// need some hundreds.
const ATTEMPTS_MAX: usize = 400_000;

/// One object of the program that is being loaded.
#[derive(Debug)]
pub(super) struct Member {
    /// The path it was opened by; empty for the program itself, which no
    /// library can name.
    pub(super) path: Arc<str>,
    /// The name it was first asked for by.
    pub(super) name: Arc<str>,
    /// Every further one.
    pub(super) more_names: Vec<String>,
    /// The file; always one with a sound object in it.
    pub(super) opened: Arc<Opened>,
    /// What makes it the same file as another.
    pub(super) id: Id,
    /// The first member that asked for it.
    pub(super) requester: Option<usize>,
    /// It, who asked for it, or somebody above them has an RPATH.
    pub(super) is_below_rpath: bool,
    /// It stands in the symbol search.
    pub(super) is_listed: bool,
}

impl Member {
    pub(super) fn new(path: Arc<str>, name: &str, opened: Arc<Opened>, requester: usize) -> Self {
        Self {
            name: if *path == *name {
                Arc::clone(&path)
            } else {
                Arc::from(name)
            },
            path,
            more_names: Vec::new(),
            id: opened.id(),
            opened,
            requester: Some(requester),
            is_below_rpath: false,
            is_listed: false,
        }
    }

    /// Somebody who asks for names and whom nobody asked for.
    pub(super) fn alone(path: &str, opened: Arc<Opened>) -> Self {
        Self {
            requester: None,
            // As nobody knows, it is looked at.
            is_below_rpath: true,
            ..Self::new(Arc::from(path), path, opened, 0)
        }
    }

    pub(super) fn object(&self) -> Option<&Object> {
        self.opened.object.as_ref().as_ref().ok()
    }

    /// True for the names this member answers to without its soname.
    pub(super) fn has_name(&self, name: &str) -> bool {
        *self.path == *name
            || *self.name == *name
            || self.more_names.iter().any(|known| known == name)
    }

    /// What `$ORIGIN` stands for in it: of the program its real directory, of
    /// a library that of the path it was opened by, links not resolved.
    pub(super) fn origin(&self) -> &str {
        let path = match &*self.path {
            "" => &self.opened.real_path,
            path => path,
        };
        directory_of(path)
    }
}

/// The end of a search.
#[derive(Debug)]
pub(super) enum Outcome {
    Found { path: Arc<str>, opened: Arc<Opened> },
    Broken { path: String, damage: Damage },
    Missing,
}

/// What was seen on the way.
#[derive(Debug, Default)]
pub(super) struct Trail {
    pub(super) directories: Vec<String>,
    pub(super) wrong_machine: Option<(String, Machine)>,
    pub(super) loop_at: Option<String>,
    /// Nobody will ask for the directories.
    is_brief: bool,
}

impl Trail {
    /// Without the directories, which only a failed search has to tell.
    pub(super) fn brief() -> Self {
        Self {
            is_brief: true,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, directory: &str) {
        if self.is_brief {
            return;
        }
        /// More would not help anybody who reads it.
        const DIRECTORIES_MAX: usize = 32;
        // A directory is searched by this name, and named by the cache without
        // the slash.
        let directory = match directory.trim_end_matches('/') {
            "" => "/",
            directory => directory,
        };
        let is_new = !self.directories.iter().any(|known| known == directory);
        if is_new && self.directories.len() < DIRECTORIES_MAX {
            self.directories.push(directory.to_owned());
        }
    }
}

/// One attempt at one path.
pub(super) enum Attempt {
    End(Outcome),
    Next(Errno),
}

/// Where to search, and for what machine.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) files: &'a Files<'a>,
    pub(super) rules: &'a Rules,
    pub(super) constants: &'a Constants,
    pub(super) cache: Option<&'a LdCache>,
    pub(super) cpu: CpuLevel,
    pub(super) machine: Machine,
    /// `LD_LIBRARY_PATH`; empty for most programs.
    pub(super) library_path: &'a str,
    /// Paths tried for this program.
    pub(super) attempts: Cell<usize>,
}

impl Search<'_> {
    /// Finds the file for `name` as asked for by `members[requester]`.
    pub(super) fn find(
        &self,
        members: &[Member],
        requester: usize,
        name: &str,
        trail: &mut Trail,
    ) -> Outcome {
        if name.contains('/') {
            return self.open_named(name, trail);
        }
        let asking = members[requester].object();
        let has_own_paths = !self.library_path.is_empty()
            || members[requester].is_below_rpath
            || asking.is_none_or(|object| object.runpath.is_some() || object.is_nodeflib);
        if has_own_paths {
            return self.find_by_paths(members, requester, name, trail);
        }
        if self.count_attempt().is_ok()
            && let Some((path, opened)) = self.rules.place_of(name)
        {
            return Outcome::Found { path, opened };
        }
        let outcome = self.find_by_paths(members, requester, name, trail);
        if let Outcome::Found { path, opened } = &outcome {
            self.rules.remember_place(self.files, name, path, opened);
        }
        outcome
    }

    /// The whole search for a name without a slash.
    fn find_by_paths(
        &self,
        members: &[Member],
        requester: usize,
        name: &str,
        trail: &mut Trail,
    ) -> Outcome {
        let asking = members[requester].object();
        for directories in self.rpaths(members, requester) {
            if let Some(end) = self.in_directories(&directories, name, trail) {
                return end;
            }
        }
        let told = self.tokens(&members[0]).told(self.library_path);
        if let Some(end) = self.in_directories(&told, name, trail) {
            return end;
        }
        let runpath = asking.and_then(|object| object.runpath.as_deref());
        let runpath = self.directories(&members[requester], runpath);
        if let Some(end) = self.in_directories(&runpath, name, trail) {
            return end;
        }
        let is_nodeflib = asking.is_some_and(|object| object.is_nodeflib);
        if let Some(end) = self.in_cache(name, is_nodeflib, trail) {
            return end;
        }
        if !is_nodeflib {
            let system = &self.constants.system_dirs;
            if let Some(end) = self.in_directories(system, name, trail) {
                return end;
            }
        }
        Outcome::Missing
    }

    /// The name that is looked for when `member` asks for `name`: glibc expands
    /// tokens in `DT_NEEDED`, too, before anything else.
    pub(super) fn expand(&self, member: &Member, name: &str) -> Option<String> {
        let has_tokens = self.constants.libc == Libc::Glibc && name.contains('$');
        has_tokens.then(|| self.tokens(member).expand(name))?
    }

    /// A name with a slash is a path. A relative one depends on the working
    /// directory and leads nowhere here.
    fn open_named(&self, path: &str, trail: &mut Trail) -> Outcome {
        if !path.starts_with('/') {
            return Outcome::Missing;
        }
        trail.add(directory_of(path));
        match self.attempt(path, trail) {
            Attempt::End(end) => end,
            Attempt::Next(_) => Outcome::Missing,
        }
    }

    /// The RPATHs that apply, each a list of its own: those of the requester,
    /// of who asked for it and so on up, then the program's. None at all when
    /// the requester has a RUNPATH, even an empty one.
    fn rpaths(&self, members: &[Member], requester: usize) -> Vec<Vec<String>> {
        let has_runpath = |member: &Member| {
            member
                .object()
                .is_some_and(|object| object.runpath.is_some())
        };
        if has_runpath(&members[requester]) {
            return Vec::new();
        }
        let mut chain = vec![requester];
        while let Some(next) = chain.last().and_then(|&last| members[last].requester) {
            chain.push(next);
        }
        if !chain.contains(&0) {
            chain.push(0);
        }
        let above = chain.into_iter().map(|index| &members[index]);
        above
            .filter(|member| !has_runpath(member))
            .map(|member| {
                let rpath = member.object().and_then(|object| object.rpath.as_deref());
                self.directories(member, rpath)
            })
            .collect()
    }

    fn directories(&self, member: &Member, path: Option<&str>) -> Vec<String> {
        match path {
            None | Some("") => Vec::new(),
            Some(path) => self.tokens(member).directories(path),
        }
    }

    fn tokens<'m>(&'m self, member: &'m Member) -> Tokens<'m> {
        Tokens {
            origin: member.origin(),
            lib: &self.constants.lib,
            platform: self.constants.platform.as_deref(),
        }
    }

    /// Only the best entry of the cache counts; if its file cannot be used, the
    /// search goes on with the system directories.
    fn in_cache(&self, name: &str, is_nodeflib: bool, trail: &mut Trail) -> Option<Outcome> {
        let path = self
            .cache?
            .find(name, self.machine, self.subdirectories())?;
        let system = &self.constants.system_dirs;
        if is_nodeflib && system.iter().any(|dir| path.starts_with(dir.as_str())) {
            return None;
        }
        trail.add(directory_of(path));
        match self.attempt(path, trail) {
            Attempt::End(end) => Some(end),
            Attempt::Next(_) => None,
        }
    }

    fn in_directories(&self, list: &[String], name: &str, trail: &mut Trail) -> Option<Outcome> {
        for directory in list {
            trail.add(directory);
            for level in self.subdirectories() {
                let path = format!("{directory}glibc-hwcaps/{level}/{name}");
                if let Attempt::End(end) = self.attempt(&path, trail) {
                    return Some(end);
                }
            }
            let errno = match self.attempt(&format!("{directory}{name}"), trail) {
                Attempt::End(end) => return Some(end),
                Attempt::Next(errno) => errno,
            };
            // Another answer than "not there" ends this list, not the search.
            let is_absent = matches!(errno, Errno::ENOENT | Errno::EACCES);
            if !is_absent && self.files.is_directory(directory) {
                return None;
            }
        }
        None
    }

    /// Counts one path that is tried; fails when there were too many.
    pub(super) fn count_attempt(&self) -> Result<(), Errno> {
        self.attempts.set(self.attempts.get() + 1);
        if self.is_exhausted() {
            Err(Errno::ENOENT)
        } else {
            Ok(())
        }
    }

    /// True when this program asked for more than any real one.
    pub(super) fn is_exhausted(&self) -> bool {
        self.attempts.get() > ATTEMPTS_MAX
    }

    fn attempt(&self, path: &str, trail: &mut Trail) -> Attempt {
        let opened = self.count_attempt().and_then(|()| self.files.open(path));
        let opened = match opened {
            Ok(opened) => opened,
            Err(errno) => {
                if errno == Errno::ELOOP {
                    trail.loop_at.get_or_insert_with(|| path.to_owned());
                }
                return Attempt::Next(errno);
            }
        };
        // Passed over, and remembered only for the message.
        if let Some(found) = opened.machine.filter(|found| *found != self.machine) {
            trail
                .wrong_machine
                .get_or_insert_with(|| (path.to_owned(), found));
            return Attempt::Next(Errno::ENOENT);
        }
        let damage = match opened.object.as_ref() {
            Ok(object) => object.refused_as_library(),
            Err(damage) => Some(damage.clone()),
        };
        Attempt::End(match damage {
            None => Outcome::Found {
                path: Arc::from(path),
                opened,
            },
            Some(damage) => Outcome::Broken {
                path: path.to_owned(),
                damage,
            },
        })
    }

    fn subdirectories(&self) -> &'static [&'static str] {
        if self.constants.has_hwcaps && self.machine.code == EM_X86_64 && self.machine.is_64 {
            self.cpu.subdirectories()
        } else {
            &[]
        }
    }
}
