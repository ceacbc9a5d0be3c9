//! Each path of each package against what is there: dpkg's own questions
//! (`verify_file` in src/main/verify.c), and the ones it does not ask.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use super::Manager;
use super::attributes::{Unlike, verify};
use super::cut_off::CutOff;
use super::damage::{Damage, Damaged};
use super::digest::Digest;
use super::hash::{self, Different, Holds, Job, Told};
use super::look::{Seen, look};
use super::owned::{Content, Owned};
use crate::sys::root_dir::{Kind, RootDir};

/// Files by filesystem and inode.
pub(super) type Ids = HashSet<(u64, u64)>;

/// Which files are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Depth<'i> {
    /// Only these.
    Only(&'i Ids),
    /// Every file with a checksum.
    All,
}

/// Something wrong with the path of a claim.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) claim: usize,
    pub(super) damaged: Damaged,
}

/// Everything that packages own, compared.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) owned: Owned,
    pub(super) seen: Vec<Seen>,
    /// What is wrong, in the order of the packages and of their lists.
    pub(super) wrong: Vec<Wrong>,
    /// What is not as recorded beside it; of dpkg's packages, nothing.
    pub(super) unlike: Vec<(usize, Unlike)>,
    /// Files that were read, and their bytes.
    pub(super) read: (usize, u64),
    /// Files with a checksum that were not.
    pub(super) unread: usize,
}

pub(super) fn compare(
    root: &RootDir,
    owned: Owned,
    depth: Depth<'_>,
    told: &mut Told<'_>,
) -> Compared {
    let seen = look(root, &owned);
    let mut jobs = Vec::new();
    let mut wrong = Vec::new();
    let mut unread = 0;
    for (claim, seen) in seen.iter().enumerate() {
        match first_look(root, &owned, claim, seen) {
            First::Fine => {}
            First::Wrong(damage) => wrong.push(damaged(&owned, claim, seen, damage)),
            First::Read(job) if depth.includes(&job) => jobs.push(job),
            First::Read(job) => {
                unread += 1;
                let known = owned.attributes(claim);
                if known.is_some_and(|known| known.size_differs(&job.meta)) {
                    wrong.push(damaged(&owned, claim, seen, Damage::Changed));
                }
            }
        }
    }
    let mut files: Vec<_> = jobs
        .iter()
        .map(|j| (j.meta.dev, j.meta.ino, j.meta.size))
        .collect();
    files.sort_unstable();
    files.dedup();
    let read = (files.len(), files.iter().map(|(_, _, size)| size).sum());
    let expected = |claim: usize| match owned.claims[claim].content {
        Content::Sum(sum) => Some(sum),
        Content::NotYet | Content::Unsaid => None,
    };
    let different = hash::compare(root, &owned, jobs, &expected, told);
    let unlike = unlike(root, &owned, &seen, &different);
    let others = Others::of(&owned, &seen, &different);
    for (job, holds) in &different {
        let damage = match holds {
            Ok(_) if others.know(&owned, job, holds) => continue,
            Ok(holds) => content_damage(job, holds),
            Err(errno) => Damage::Unreadable { why: words(*errno) },
        };
        wrong.push(damaged(&owned, job.claim, &Ok(job.meta), damage));
    }
    wrong.sort_by_key(|wrong| wrong.claim);
    Compared {
        owned,
        seen,
        wrong,
        unlike,
        read,
        unread,
    }
}

/// Of the files that are there, what is not as it was recorded.
fn unlike(
    root: &RootDir,
    owned: &Owned,
    seen: &[Seen],
    different: &Different,
) -> Vec<(usize, Unlike)> {
    let content: HashMap<usize, bool> = different
        .iter()
        .map(|(job, holds)| (job.claim, holds.is_err()))
        .collect();
    let mut all = Vec::new();
    for (claim, seen) in seen.iter().enumerate() {
        let (Some(attributes), Ok(meta)) = (owned.attributes(claim), seen) else {
            continue;
        };
        let mut unlike = attributes.compare(root, owned.path(claim), meta);
        let is_emptied = match owned.claims[claim].content {
            Content::Sum(sum) => meta.kind == Kind::File && meta.size == 0 && !sum.is_of_nothing(),
            _ => false,
        };
        if is_emptied || content.contains_key(&claim) {
            unlike.bits |= verify::DIGEST;
        }
        unlike.is_unreadable = content.get(&claim) == Some(&true);
        all.push((claim, unlike));
    }
    all
}

impl Compared {
    /// The lines of `rpm --verify`, those that are missing last.
    pub(super) fn rpm_lines(&self) -> Vec<String> {
        let owned = &self.owned;
        let unlike = self.unlike.iter();
        let lines = unlike.filter_map(|(claim, unlike)| {
            let attributes = owned.attributes(*claim)?;
            attributes.rpm_line(&owned.shown(*claim), *unlike)
        });
        let missing = self.seen.iter().enumerate().filter_map(|(claim, seen)| {
            let errno = seen.err()?;
            let why = (errno != Errno::ENOENT).then(|| words(errno));
            let attributes = owned.attributes(claim)?;
            attributes.rpm_missing(&owned.shown(claim), why.as_deref())
        });
        lines.chain(missing).collect()
    }
}

impl Depth<'_> {
    fn includes(self, job: &Job) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(&(job.meta.dev, job.meta.ino)),
        }
    }
}

enum First {
    Fine,
    Wrong(Damage),
    Read(Job),
}

/// What can be told without reading the file.
fn first_look(root: &RootDir, owned: &Owned, claim: usize, seen: &Seen) -> First {
    let content = owned.claims[claim].content;
    let path = || Path::new(OsStr::from_bytes(owned.path(claim)));
    let attributes = owned.attributes(claim);
    if attributes
        .is_some_and(|known| known.is_left_out() || seen.is_err() && known.may_be_missing())
    {
        return First::Fine;
    }
    match (content, seen) {
        (_, Err(errno @ (Errno::EIO | Errno::EACCES | Errno::EUCLEAN))) => {
            First::Wrong(Damage::Unreadable { why: words(*errno) })
        }
        (_, Err(errno)) => First::Wrong(Damage::Missing {
            why: (*errno != Errno::ENOENT).then(|| words(*errno)),
        }),
        (Content::Unsaid, Ok(meta)) if meta.kind == Kind::Symlink => match dangling(root, path()) {
            Some(damage) => First::Wrong(damage),
            None => First::Fine,
        },
        (Content::Unsaid, Ok(_)) => First::Fine,
        (Content::NotYet, Ok(meta)) if meta.kind == Kind::File => First::Wrong(Damage::NotYet),
        (Content::Sum(sum), Ok(meta)) if meta.kind == Kind::File => {
            if meta.size == 0 && !sum.is_of_nothing() {
                First::Wrong(Damage::Empty)
            } else {
                First::Read(Job { claim, meta: *meta })
            }
        }
        // apk has the digest of a link's text.
        (Content::Sum(sum), Ok(meta))
            if owned.manager == Manager::Apk && meta.kind == Kind::Symlink =>
        {
            let text = root.read_link(path());
            match text.is_ok_and(|text| sum.is_of(text.as_os_str().as_bytes())) {
                true => First::Fine,
                false => First::Wrong(Damage::Changed),
            }
        }
        (content, Ok(meta)) => First::Wrong(Damage::WrongType {
            seen: meta.kind,
            holds_the_same: match (meta.kind, content) {
                // dpkg reads what the link leads to.
                (Kind::Symlink, Content::Sum(sum)) => {
                    hash::behind(root, owned.path(claim), sum).ok()
                }
                (Kind::Symlink, _) => root.open_file(path()).ok().map(|_| false),
                _ => None,
            },
        }),
    }
}

/// The directories whose links a program cannot do without, and the parts of
/// the name of a library's.
const PROGRAMS: [&str; 7] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec"];

/// A link between programs or libraries that leads nowhere. Others may:
/// packages ship them for what another one brings, or the boot makes.
fn dangling(root: &RootDir, path: &Path) -> Option<Damage> {
    let is_among_programs = |path: &Path| {
        let inside = path.strip_prefix("/").unwrap_or(path);
        let inside = inside.strip_prefix("usr").unwrap_or(inside);
        let directory = inside.components().next().map(|c| c.as_os_str());
        let depth = inside.components().count();
        let is_library = path.to_string_lossy().contains(".so.");
        directory.is_some_and(|name| PROGRAMS.iter().any(|known| name == *known))
            && (depth == 2 || (depth == 3 && is_library))
    };
    if !is_among_programs(path) {
        return None;
    }
    let end = root.resolve(path).err()?;
    let missing = end.errno == Errno::ENOENT && is_among_programs(&end.at);
    let (_, target) = end
        .links
        .last()
        .filter(|_| missing || end.errno == Errno::ELOOP)?;
    Some(Damage::DanglingLink {
        target: target.display().to_string(),
        at: end.at.display().to_string(),
        through: end
            .links
            .iter()
            .map(|(at, _)| at.display().to_string())
            .collect(),
    })
}

/// Digests of the files that differ, as other packages say them: on a merged
/// /usr, two spellings of a path may have two owners, and the newer one is
/// right.
#[derive(Default)]
struct Others(HashMap<(u64, u64), Vec<(u32, Digest)>>);

impl Others {
    fn of(owned: &Owned, seen: &[Seen], different: &Different) -> Self {
        let ids = different.iter().map(|(job, _)| (job.id(), Vec::new()));
        let mut all = Self(ids.collect());
        if all.0.is_empty() {
            return all;
        }
        for (claim, seen) in owned.claims.iter().zip(seen) {
            if let (Content::Sum(sum), Ok(meta)) = (claim.content, seen)
                && let Some(sums) = all.0.get_mut(&(meta.dev, meta.ino))
            {
                sums.push((claim.package, sum));
            }
        }
        all
    }

    /// True when the file is what another package says of it.
    fn know(&self, owned: &Owned, job: &Job, holds: &Result<Holds, Errno>) -> bool {
        let own = owned.claims[job.claim].package;
        let said = self.0.get(&job.id()).map_or(&[][..], Vec::as_slice);
        let mut others = said.iter().filter(|(package, _)| *package != own);
        holds.is_ok_and(|holds| others.any(|(_, sum)| holds.sums.has(sum)))
    }
}

/// As glibc's strerror(3) says it, and so dpkg.
pub(super) fn words(errno: Errno) -> String {
    match errno {
        Errno::ELOOP => "Too many levels of symbolic links".to_owned(),
        other => other.desc().to_owned(),
    }
}

fn content_damage(job: &Job, holds: &Holds) -> Damage {
    match holds.cut_off {
        Some(CutOff::Nuls(bytes)) => Damage::NulBytes { bytes },
        Some(CutOff::Elf(whole)) => Damage::Truncated { whole },
        None if job.meta.size == 0 => Damage::Empty,
        None => Damage::Changed,
    }
}

fn damaged(owned: &Owned, claim: usize, seen: &Seen, damage: Damage) -> Wrong {
    Wrong {
        claim,
        damaged: Damaged {
            path: owned.shown(claim),
            damage,
            is_conffile: owned.claims[claim].is_conffile,
            is_diverted: owned.is_diverted(claim),
            has_sum: owned.claims[claim].content != Content::Unsaid,
            size: seen.map_or(0, |meta| meta.size),
            is_critical: false,
        },
    }
}
