//! One program, loaded as the loader would do it.
//!
//! Source: glibc elf/dl-deps.c, `_dl_map_object_deps` (breadth first, in the
//! order of each dynamic section), elf/dl-version.c and elf/rtld.c; for musl
//! ldso/dynlink.c, `load_deps`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::constants::Libc;
use super::damage::Damage;
use super::elsewhere;
use super::files::Opened;
use super::musl;
use super::object::{Object, VersionNeed, Want};
use super::problem::{Loaded, Problem, links};
use super::search::{Member, Outcome, Search, Trail};

/// Most objects in one program; the largest desktop programs load some
/// hundreds.
const MEMBERS_MAX: usize = 4096;

/// Most names asked for in one program, by all its objects together.
const LOOKUPS_MAX: usize = 64 * 1024;

/// Most memory for the objects of one program; the largest known take 2 MiB.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most problems told of one program.
const PROBLEMS_MAX: usize = 1000;

/// The first glibc that refuses a library with packed relocations that does
/// not ask for [`RELR_VERSION`].
const RELR_SINCE: (u32, u32) = (2, 36);
const RELR_VERSION: &str = "GLIBC_ABI_DT_RELR";

/// A program while it is loaded. Member 0 is the program, member 1 the loader.
pub(super) struct Load<'a> {
    search: &'a Search<'a>,
    members: Vec<Member>,
    /// Members in the order of the symbol search, and whether their wants
    /// were seen to.
    list: Vec<(usize, bool)>,
    missing: HashSet<String>,
    /// The first member that was asked for by each name, or opened by it.
    by_name: HashMap<Arc<str>, usize, RandomState>,
    /// The first member of each soname that it was not asked for by.
    by_soname: HashMap<String, usize, RandomState>,
    lookups: usize,
    /// What its objects take of memory.
    bytes: usize,
    problems: Vec<Problem>,
}

impl<'a> Load<'a> {
    /// Loads `program`, which was found at a real path.
    pub(super) fn new(search: &'a Search<'a>, program: Arc<Opened>) -> Self {
        let mut main = Member::new(Arc::from(""), "", program, 0);
        main.requester = None;
        main.is_listed = true;
        let mut load = Self {
            search,
            members: Vec::new(),
            list: vec![(0, false)],
            missing: HashSet::new(),
            by_name: HashMap::default(),
            by_soname: HashMap::default(),
            lookups: 0,
            bytes: 0,
            problems: Vec::new(),
        };
        load.push(main);
        load
    }

    /// The loader is in memory from the start, under the name in `PT_INTERP`.
    pub(super) fn add_interpreter(&mut self, path: &str, opened: Arc<Opened>) {
        if opened.object.is_ok() {
            self.push(Member::new(Arc::from(path), path, opened, 0));
        }
    }

    fn push(&mut self, mut member: Member) {
        let index = self.members.len();
        let name = Arc::clone(&member.name);
        self.by_name.entry(name).or_insert(index);
        self.bytes = self.bytes.saturating_add(member.opened.bytes);
        let is_below_rpath = |index: usize| {
            let above = self.members.get(index);
            above.is_some_and(|above| above.is_below_rpath)
        };
        // The program's own applies to everybody.
        member.is_below_rpath = member.object().is_some_and(|o| o.rpath.is_some())
            || member.requester.is_some_and(is_below_rpath)
            || is_below_rpath(0);
        let soname = member.object().and_then(|object| object.soname.as_ref());
        if let Some(soname) = soname.filter(|soname| ***soname != *member.name) {
            self.by_soname.entry(soname.clone()).or_insert(index);
        }
        self.members.push(member);
    }

    /// Loads an object of `/etc/ld.so.preload`: one that fails is passed over.
    pub(super) fn preload(&mut self, name: &str) {
        match self.load(0, name) {
            Ok(index) => self.append(index),
            Err(problem) => self.problems.push(Problem::PreloadIgnored {
                name: name.to_owned(),
                why: problem.to_string(),
            }),
        }
    }

    /// Loads everything that is asked for, and checks the versions.
    pub(super) fn run(mut self, is_brief: bool) -> (Vec<Loaded>, Vec<Problem>) {
        let mut from = 0;
        while let Some(at) = self.list[from..].iter().position(|(_, done)| !done) {
            from += at;
            // What this puts before itself stands at `from` then, and is next.
            self.load_wants(from);
        }
        if self.search.constants.libc == Libc::Glibc {
            self.check_versions();
        }
        if self.is_exhausted() {
            self.problems.push(Problem::Unexamined {
                path: self.real_path(0),
                why: "asks for more libraries than any real program".to_owned(),
            });
        }
        for member in &self.members {
            self.search.files.note_loaded(&member.opened);
        }
        let loaded = if is_brief { Vec::new() } else { self.loaded() };
        (loaded, self.problems)
    }

    /// Loads what `list[at]` asks for. Filters are put before it.
    fn load_wants(&mut self, at: usize) {
        let requester = self.list[at].0;
        self.list[at].1 = true;
        let object = Arc::clone(&self.members[requester].opened.object);
        let wants = object.as_ref().as_ref().map_or(&[][..], |o| &o.wants);
        for (want, name) in wants {
            self.lookups += 1;
            if self.is_exhausted() {
                break;
            }
            if *want != Want::Needed && self.search.constants.libc == Libc::Musl {
                continue;
            }
            match (self.load(requester, name), want) {
                (Ok(index), Want::Needed) => self.append(index),
                (Ok(index), _) => {
                    if !self.members[index].is_listed {
                        self.members[index].is_listed = true;
                        self.list.insert(at, (index, false));
                    }
                }
                (Err(_), Want::Auxiliary) => {}
                (Err(problem), _) => {
                    if self.missing.insert(name.clone()) {
                        self.problems.push(problem);
                    }
                }
            }
        }
    }

    fn is_exhausted(&self) -> bool {
        self.members.len() >= MEMBERS_MAX
            || self.lookups > LOOKUPS_MAX
            || self.bytes > BYTES_MAX
            || self.problems.len() >= PROBLEMS_MAX
            || self.search.is_exhausted()
    }

    fn append(&mut self, index: usize) {
        if !self.members[index].is_listed {
            self.members[index].is_listed = true;
            self.list.push((index, false));
        }
    }

    /// One object: an already loaded one that has the name, or a file.
    fn load(&mut self, requester: usize, name: &str) -> Result<usize, Problem> {
        let search = self.search;
        let expanded = search.expand(&self.members[requester], name);
        let name = expanded.as_deref().unwrap_or(name);
        if let Some(known) = self.already_loaded(name) {
            return Ok(known);
        }
        let find = |trail: &mut Trail| match search.constants.libc {
            Libc::Glibc => search.find(&self.members, requester, name, trail),
            Libc::Musl => search.find_musl(&self.members, requester, name, trail),
        };
        let mut trail = Trail::brief();
        let mut outcome = find(&mut trail);
        if matches!(outcome, Outcome::Missing) {
            // Once more, to tell where it was searched.
            trail = Trail::default();
            outcome = find(&mut trail);
        }
        match outcome {
            Outcome::Found { path, opened } => Ok(self.add(requester, name, path, opened)),
            Outcome::Broken { path, damage } => Err(self.broken(requester, name, path, &damage)),
            Outcome::Missing => Err(self.not_found(requester, name, trail)),
        }
    }

    /// In load order, by path, by a name used before, or by soname; musl goes
    /// by the file's name and does not look at sonames.
    fn already_loaded(&mut self, name: &str) -> Option<usize> {
        if self.search.constants.libc == Libc::Musl {
            if musl::is_built_in(name) {
                return (self.members.len() > 1).then_some(1);
            }
            return self.members.iter().position(|member| {
                member.has_name(name) || member.path.rsplit('/').next() == Some(name)
            });
        }
        let known = [self.named(name), self.by_soname.get(name).copied()];
        let found = known.into_iter().flatten().min()?;
        self.remember_name(found, name);
        Some(found)
    }

    /// The first member that was asked for by `name`, or opened by it.
    fn named(&self, name: &str) -> Option<usize> {
        let asked = self.by_name.get(name).copied();
        if !name.contains('/') {
            return asked;
        }
        let opened = self.members.iter().position(|m| *m.path == *name);
        asked.into_iter().chain(opened).min()
    }

    fn remember_name(&mut self, index: usize, name: &str) {
        let member = &mut self.members[index];
        if member.has_name(name) {
            return;
        }
        member.more_names.push(name.to_owned());
        let first = self.by_name.entry(Arc::from(name)).or_insert(index);
        *first = index.min(*first);
    }

    /// A file that is already loaded under another name is that object.
    fn add(&mut self, requester: usize, name: &str, path: Arc<str>, opened: Arc<Opened>) -> usize {
        let id = opened.id();
        let same = |member: &Member| member.id == id;
        if let Some(known) = self.members.iter().position(same) {
            self.remember_name(known, name);
            return known;
        }
        self.push(Member::new(path, name, opened, requester));
        self.members.len() - 1
    }

    fn broken(&self, requester: usize, name: &str, path: String, damage: &Damage) -> Problem {
        let why = damage.to_string();
        if matches!(damage, Damage::Unreadable { .. }) {
            return Problem::Unexamined { path, why };
        }
        Problem::LibraryDamaged {
            name: name.to_owned(),
            path,
            needed_by: self.real_path(requester),
            why,
        }
    }

    fn not_found(&self, requester: usize, name: &str, trail: Trail) -> Problem {
        let needed_by = self.real_path(requester);
        let name = name.to_owned();
        if let Some(path) = trail.loop_at {
            let end = self.search.files.root.resolve(&path);
            return Problem::LinkLoop {
                links: links(&end.map_or_else(|end| end.links, |found| found.links)),
                path,
                needed_by: Some(needed_by),
            };
        }
        if let Some((path, found)) = trail.wrong_machine {
            return Problem::WrongMachine {
                name,
                path,
                needed_by,
                found: found.to_string(),
                expected: self.search.machine.to_string(),
            };
        }
        let elsewhere = elsewhere::look(self.search, &name);
        Problem::LibraryMissing {
            name,
            needed_by,
            searched: trail.directories,
            found_elsewhere: elsewhere.paths,
            not_in_cache: elsewhere.not_in_cache,
        }
    }

    fn real_path(&self, index: usize) -> String {
        self.members[index].opened.real_path.clone()
    }

    /// Every version that any object needs must be offered by the object that
    /// was loaded under that name; one without a version table is taken as it
    /// is.
    fn check_versions(&mut self) {
        let mut problems = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            let Some(object) = member.object() else {
                continue;
            };
            for (number, needs) in object.need_lists().enumerate() {
                let room = PROBLEMS_MAX - problems.len().min(PROBLEMS_MAX);
                self.compare(index, number, needs, room, &mut problems);
            }
            if self.lacks_relr_need(object) {
                problems.push(Problem::LibraryDamaged {
                    name: member.name.to_string(),
                    path: self.real_path(index),
                    needed_by: self.real_path(member.requester.unwrap_or(index)),
                    why: format!("DT_RELR without {RELR_VERSION} dependency"),
                });
            }
        }
        self.problems.extend(problems);
    }

    /// Compares what a member needs of one library, its nth list, with what
    /// that offers if it is loaded; at most `room` problems.
    fn compare(
        &self,
        index: usize,
        number: usize,
        needs: &[VersionNeed],
        room: usize,
        problems: &mut Vec<Problem>,
    ) {
        let named = needs.first().and_then(|need| self.named(&need.file));
        let Some(library) = named.map(|at| &self.members[at]) else {
            return;
        };
        let asking = &self.members[index].opened;
        if asking.agrees(number, &library.opened) {
            return;
        }
        let Some(offers) = library.object().and_then(|object| object.offers.as_ref()) else {
            return;
        };
        let before = problems.len();
        let strong = needs.iter().filter(|need| !need.weak);
        let lacking = strong.filter(|need| !offers.contains(&need.version));
        problems.extend(lacking.take(room).map(|need| Problem::VersionMissing {
            library: need.file.clone(),
            path: library.opened.real_path.clone(),
            version: need.version.clone(),
            needed_by: self.real_path(index),
        }));
        if problems.len() == before && room > 0 {
            asking.note_agrees(number, &library.opened);
        }
    }

    /// Packed relocations need a glibc that knows them; since 2.36 it insists
    /// that an object built against libc says so.
    fn lacks_relr_need(&self, object: &Object) -> bool {
        let version = self.search.constants.version;
        object.has_relr
            && version.is_some_and(|version| version >= RELR_SINCE)
            && object
                .needs
                .iter()
                .any(|need| need.file.starts_with("libc.so."))
            && object.needed().any(|name| name.starts_with("libc.so."))
            && !object.needs.iter().any(|need| need.version == RELR_VERSION)
    }

    fn loaded(&self) -> Vec<Loaded> {
        let listed = self.list.iter().map(|(index, _)| *index);
        let interpreter = (self.members.len() > 1).then_some(1);
        let mut seen = HashSet::from([0]);
        listed
            .chain(interpreter)
            .filter(|index| seen.insert(*index))
            .map(|index| &self.members[index])
            .map(|member| Loaded {
                name: member.name.to_string(),
                path: member.path.to_string(),
                real_path: member.opened.real_path.clone(),
                needed_by: self.real_path(member.requester.unwrap_or(0)),
            })
            .collect()
    }
}
