//! Rehearsal, after the plan: it is done on layers over the patient, which stays
//! as it is. What the patient's programs change there is worked out exactly; it
//! can be looked at, judged like the patient itself, and then be made.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::date;
use crate::journal::encoded::encode;
use crate::journal::{self, Action, Header, Ran, Stock};
use crate::repairs::{Program, Unpack};
use crate::sys::consent::WriteToken;
use crate::sys::contained::{self, Ended};
use crate::sys::exact::{self, Object};
use crate::sys::root_dir::{Kind, RootDir};
use crate::sys::write_root::WriteRoot;
use crate::sysroot::Sysroot;
use crate::sysroot::layers::{Layers, Scratch};

mod difference;
pub mod supply;
mod unpack;

use difference::{Difference, difference};
use supply::Supply;

/// Says to package scripts that no service may be started
/// (`/usr/share/doc/init-system-helpers/README.policy-rc.d`).
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Answers every question with "not allowed".
const POLICY_TEXT: &[u8] = b"#!/bin/sh\nexit 101\n";

/// Programs that want the disks, which are not there in a rehearsal: they do
/// nothing. What they would do is another repair's matter.
pub const LEFT_OUT: [&str; 4] = ["update-grub", "grub-mkconfig", "grub-install", "efibootmgr"];

/// The last lines of a program in which it is looked for why it failed.
const KEPT_LINES: usize = 40;

/// A rehearsal that came to its end.
#[derive(Debug)]
pub struct Rehearsal<'s> {
    layers: Layers<'s>,
    difference: Difference,
    own: Vec<Action>,
    ran: Vec<Ran>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Attempt<'s> {
    /// Every program ended well.
    Well(Box<Rehearsal<'s>>),
    /// One did not, and must.
    Failed {
        /// Which.
        program: Program,
        /// Why, in the operator's words.
        why: String,
        /// All that ran, this one last.
        ran: Vec<Ran>,
    },
    /// A package could not be unpacked.
    NotUnpacked {
        /// Which; none when it was no package's fault.
        package: Option<Box<Unpack>>,
        /// Why, in the operator's words.
        why: String,
    },
}

/// What is done in a rehearsal, in this order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work<'w> {
    /// Changes of files that are made by the same calls on the patient later.
    pub actions: &'w [Action],
    /// Packages that are unpacked without the patient's programs.
    pub unpack: &'w [Unpack],
    /// Programs of the patient.
    pub programs: &'w [Program],
    /// Brings archives that they lack; none: that is not wanted.
    pub supply: Option<Supply<'w>>,
}

/// Hears what a rehearsal does: the program about to run, or a line of output.
#[derive(Debug)]
pub enum Told<'a> {
    /// These packages are unpacked.
    Unpacks(&'a [Unpack]),
    /// apt wants so many archives, of so many bytes.
    Wants(usize, u64),
    /// This program is started.
    Begins(&'a Program),
    /// It printed this.
    Line(&'a str),
}

impl<'s> Rehearsal<'s> {
    /// Does `work` on layers over `sysroot`.
    ///
    /// # Errors
    /// No overlayfs, or it refuses the patient's filesystem; a scratch that is
    /// full; changes that cannot be made.
    pub fn of(
        sysroot: &Sysroot,
        scratch: &'s Scratch,
        work: Work<'_>,
        told: &mut dyn FnMut(Told<'_>),
    ) -> Result<Attempt<'s>> {
        let actions = work.actions;
        let mut layers = Layers::over(sysroot, scratch)?;
        let token = WriteToken::for_rehearsal();
        if !actions.is_empty() {
            let header = Header::new(vec!["rehearsal".into()]);
            journal::commit(&layers.tree().root, &token, header, actions, &mut |_| {})?;
        }
        layers = layers.seal()?;
        if !work.unpack.is_empty() {
            told(Told::Unpacks(work.unpack));
            let unpacked = unpack::unpack(&layers.tree().root, &token, work.unpack);
            if let Err(unpack::Failed { package, error }) = unpacked {
                let why = refused(scratch, format!("{error:#}"))?;
                layers.close()?;
                return Ok(Attempt::NotUnpacked { package, why });
            }
        }
        let policy = Policy::put(&layers.tree().root, &token)?;
        let mut ran = Vec::new();
        let failed = run_all(layers.tree(), &token, work, &mut ran, told);
        policy.take_away(&layers.tree().root, &token)?;
        if let Some((program, why)) = failed? {
            let why = refused(scratch, why)?;
            layers.close()?;
            return Ok(Attempt::Failed { program, why, ran });
        }
        let before = layers.before().context("the layers are not sealed")?;
        let difference = difference(before, &layers.tree().root, &layers.changes()?)?;
        Ok(Attempt::Well(Box::new(Self {
            layers,
            difference,
            own: actions.to_vec(),
            ran,
        })))
    }

    /// The tree as it would be.
    pub fn tree(&self) -> &Sysroot {
        self.layers.tree()
    }

    /// What programs said.
    pub fn ran(&self) -> &[Ran] {
        &self.ran
    }

    /// Takes the layers away, and keeps what is to be made.
    ///
    /// # Errors
    /// The kernel's.
    pub fn close(self) -> Result<Rehearsed> {
        let stock = self.layers.changes()?;
        let mut actions = self.own;
        actions.extend(self.difference.actions);
        self.layers.close()?;
        Ok(Rehearsed {
            actions,
            stock,
            before: self.difference.before,
            bytes: self.difference.bytes,
        })
    }
}

/// Why something did not work, unless for want of room.
fn refused(scratch: &Scratch, why: String) -> Result<String> {
    if scratch.is_full()? {
        bail!(
            "the scratch of {} MiB is full: give it more room with --scratch DIR ({why})",
            scratch.bytes() >> 20
        );
    }
    Ok(why)
}

/// What a rehearsal came to, to be made on the patient.
#[derive(Debug)]
pub struct Rehearsed {
    /// Every change, in order.
    pub actions: Vec<Action>,
    /// What they put.
    pub stock: Stock,
    /// What was there before, by path.
    before: Vec<(PathBuf, Option<Object>)>,
    /// Bytes of all files that are put.
    pub bytes: u64,
}

impl Rehearsed {
    /// Checks that the patient is still what was rehearsed on, as far as it is
    /// to be changed. What other repairs of the plan change first is left out:
    /// the journal looks at that by itself.
    ///
    /// # Errors
    /// The first path that is not what it was.
    pub fn check(&self, root: &RootDir) -> Result<()> {
        let moved: Vec<&Path> = self.actions.iter().filter_map(moved).collect();
        for (path, before) in &self.before {
            if moved.iter().any(|place| path.starts_with(place)) {
                continue;
            }
            let now = exact::look(root, path).ok().flatten();
            let same = match (&now, before) {
                (None, None) => true,
                (Some(now), Some(before)) => looks_like(now, before),
                _ => false,
            };
            if !same {
                bail!(
                    "{} changed since the rehearsal; nothing was done, run it again",
                    encode(path)
                );
            }
        }
        Ok(())
    }
}

/// True when it is what was there. An overlay has inode numbers of its own, and
/// the time of a directory tells of what other repairs moved.
fn looks_like(now: &Object, before: &Object) -> bool {
    let attributes = |object: &Object| (object.kind, object.mode, object.uid, object.gid);
    attributes(now) == attributes(before)
        && (now.kind == Kind::Directory || (now.size, now.mtime) == (before.size, before.mtime))
}

/// What an action of a plan moves, to or from a place.
fn moved(action: &Action) -> Option<&Path> {
    match action {
        Action::Rename { to, .. } => Some(to),
        Action::Symlink { path, .. } => Some(path),
        _ => None,
    }
}

/// Runs one after the other; the one that failed and must not, and why. What
/// they are supplied with meanwhile is gone afterwards.
fn run_all(
    tree: &Sysroot,
    token: &WriteToken,
    work: Work<'_>,
    ran: &mut Vec<Ran>,
    told: &mut dyn FnMut(Told<'_>),
) -> Result<Option<(Program, String)>> {
    let (path, root) = (tree.info.path.as_path(), &tree.root);
    let mut put = Vec::new();
    for program in work.programs {
        if let (true, Some(supply)) = (program.wants_archives, work.supply) {
            supply::bring((path, root, token), program, supply, &mut put, told)?;
        }
        if let Some(why) = run(path, program, ran, told)? {
            return Ok(Some((program.clone(), why)));
        }
    }
    supply::take_away(root, token, &put)?;
    Ok(None)
}

/// Runs one; why it failed, where it must not.
fn run(
    root: &Path,
    program: &Program,
    ran: &mut Vec<Ran>,
    told: &mut dyn FnMut(Told<'_>),
) -> Result<Option<String>> {
    told(Told::Begins(program));
    let mut one = Ran {
        line: program.line(),
        started: date::now(),
        ..Ran::default()
    };
    let began = Instant::now();
    let mut hear = |line: &str| {
        one.hear(line);
        told(Told::Line(line));
    };
    let mut contained = contained::Program::new(&program.words);
    contained.left_out = LEFT_OUT.iter().map(|name| (*name).to_owned()).collect();
    let ended = contained::run(root, &contained, &mut hear)
        .with_context(|| format!("running {}", program.line()))?;
    one.seconds = began.elapsed().as_secs();
    one.shorten();
    one.well = ended == Ended::Code(0);
    one.ended = match ended {
        Ended::Code(code) => format!("ended with code {code}"),
        Ended::Silent => "said nothing for too long and was stopped".to_owned(),
        Ended::Broken => "could not be run".to_owned(),
    };
    let is_excused = program.may_fail && matches!(ended, Ended::Code(_));
    let stops = !one.well && !is_excused;
    let why = format!("{} {}{}", one.line, one.ended, why_it_failed(&one.output));
    ran.push(one);
    Ok(stops.then_some(why))
}

/// The line that tells most: the first that speaks of an error, with the next
/// one where it says "this:", or the last.
fn why_it_failed(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let last = &lines[lines.len().saturating_sub(KEPT_LINES)..];
    let speaks = |line: &&str| {
        let line = line.to_lowercase();
        line.contains("error") || line.contains("cannot") || line.contains("failed")
    };
    let found = last.iter().position(speaks);
    let Some(index) = found.or(last.len().checked_sub(1)) else {
        return String::new();
    };
    let line = last[index];
    match last.get(index + 1).filter(|_| line.ends_with(':')) {
        Some(next) => format!(": {line} {}", next.trim_start()),
        None => format!(": {line}"),
    }
}

/// The file that keeps services from being started, for as long as programs
/// run.
#[derive(Debug)]
struct Policy {
    made_at: Option<PathBuf>,
}

impl Policy {
    /// Puts it, where the patient has none of its own.
    fn put(root: &RootDir, token: &WriteToken) -> Result<Self> {
        let parent = Path::new(POLICY)
            .parent()
            .and_then(|p| root.resolve(p).ok());
        let name = Path::new(POLICY).file_name();
        let (Some(parent), Some(name)) = (parent, name) else {
            return Ok(Self { made_at: None });
        };
        let path = parent.path.join(name);
        if exact::look(root, &path)?.is_some() {
            return Ok(Self { made_at: None });
        }
        let write = WriteRoot::new(root, token)?;
        let context = || format!("making {}", encode(&path));
        let mut file = write.create(&path).with_context(context)?;
        file.write_all(POLICY_TEXT).with_context(context)?;
        write.set_node_mode(&path, 0o755).with_context(context)?;
        Ok(Self {
            made_at: Some(path),
        })
    }

    fn take_away(self, root: &RootDir, token: &WriteToken) -> Result<()> {
        let Some(path) = self.made_at else {
            return Ok(());
        };
        if exact::look(root, &path)?.is_none() {
            return Ok(());
        }
        let write = WriteRoot::new(root, token)?;
        let removed = write.remove_file(&path);
        removed.with_context(|| format!("removing {}", encode(&path)))
    }
}
