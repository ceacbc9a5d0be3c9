//! Changes of the patient's tree that can be finished or taken back, whatever
//! interrupts them.
//!
//! A commit is a list of [`Action`]s. What will be done, and what undo needs
//! for it, is on the patient's disk before the first change ([`record`]); each
//! action is one move within one filesystem, so it is done or not done and
//! never half done; and which of the two is decided by looking at the disk, so
//! that [`resume`] and [`undo`] work after a power cut at any moment.
//! `docs/journal.md` tells the format and the order of writes.
//!
//! Reading order: [`Action`], [`record`], `ahead` and `preflight` (conditions),
//! `store` (where it lies), `begin`, `work` (doing and taking back), `areas` (boot
//! areas), `clear`.

mod action;
mod ahead;
mod areas;
mod begin;
mod clear;
mod copy;
pub mod encoded;
mod groups;
mod log;
mod preflight;
pub mod programs;
pub mod record;
mod stock;
mod store;
mod work;
pub mod xattrs;

use std::error::Error;
use std::fmt;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::sys::consent::WriteToken;
use crate::sys::exact::Stamp;
use crate::sys::machine;
use crate::sys::root_dir::RootDir;
use crate::sys::write_root::WriteRoot;

pub use action::Action;
pub use areas::{DiskName, Disks, KnownDisk, digest};
pub use programs::{Ran, programs};
pub use stock::{Changes, Stock};
pub use store::{State, Transaction, list};

use store::Place;
use work::Work;

/// What a transaction is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Header {
    /// The repairs, or the findings they remove, in the operator's words.
    pub what: Vec<String>,
    /// The Lifeboot that did it.
    pub version: String,
    /// When, in seconds since 1970 by the clock of the rescue system.
    pub time: u64,
    /// Who sat at which rescue system, and from where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The findings that they remove, each with what it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
    /// Why it cannot be taken back, for what is done to arrays and not to
    /// files: the journal only notes that it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<String>,
}

impl Header {
    /// A header for now and this Lifeboot.
    pub fn new(what: Vec<String>) -> Self {
        Self {
            removes: Vec::new(),
            lasting: None,
            by: Some(machine::operator()),
            what,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: crate::date::now(),
        }
    }
}

/// An action about to be done or taken back.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Index of the action, from 0.
    pub index: usize,
    /// Number of actions.
    pub total: usize,
    /// What it is.
    pub action: &'a Action,
    /// True when it is taken back.
    pub undo: bool,
}

/// Hears what goes on.
pub type Observer<'a> = &'a mut dyn FnMut(&Progress<'_>);

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All actions stand.
    Committed,
    /// Nothing stands, and nothing of the transaction is left.
    Undone,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// The transaction.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Number of actions done or taken back by this call.
    pub actions: usize,
}

/// A commit that did not come to its end.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub cause: anyhow::Error,
    /// What is left of it.
    pub left: Left,
}

/// What is left of a commit that failed.
#[derive(Debug)]
pub enum Left {
    /// No change was made, or each was taken back.
    Nothing,
    /// Taking back failed too: the transaction is open, `resume` and `undo`
    /// can be tried again.
    Open {
        /// The transaction.
        id: String,
        /// Why it could not be taken back.
        error: anyhow::Error,
    },
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.cause)?;
        match &self.left {
            Left::Nothing => write!(f, "; the tree is as it was"),
            Left::Open { id, error } => write!(
                f,
                "; taking it back failed too: {error:#}; transaction {id} is open: \
                 remove the cause, then undo or resume it"
            ),
        }
    }
}

impl Error for Failed {}

/// What a commit brings to the patient, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Supplies<'a> {
    /// What a rehearsal made.
    pub stock: &'a Stock,
    /// The disks, and what boot areas of them shall hold.
    pub disks: &'a Disks,
    /// What programs said in the rehearsals.
    pub programs: &'a [Ran],
}

impl<'a> Supplies<'a> {
    /// Without a word of programs.
    pub fn new(stock: &'a Stock, disks: &'a Disks) -> Self {
        Self {
            stock,
            disks,
            programs: &[],
        }
    }
}

/// Where the journal of the transaction `id` lies in the patient's tree.
pub fn path_of(id: &str) -> std::path::PathBuf {
    Place::new(id).journal()
}

/// Checks all that can be known about `actions` before the first change.
/// Reads only.
///
/// # Errors
/// The first condition that does not hold, with its path.
pub fn preflight(root: &RootDir, actions: &[Action]) -> Result<()> {
    let place = Place::new("preflight");
    let (stock, disks) = (&Stock::default(), &Disks::default());
    preflight::plan(root, &place, actions, Supplies::new(stock, disks)).map(drop)
}

/// Does `actions` in their order, or none of them.
///
/// # Errors
/// [`Failed`], with what is left.
pub fn commit(
    root: &RootDir,
    token: &WriteToken,
    header: Header,
    actions: &[Action],
    observer: Observer<'_>,
) -> Result<Summary, Failed> {
    commit_from(root, token, header, actions, &Stock::default(), observer)
}

/// The same, with what was made by a rehearsal.
///
/// # Errors
/// [`Failed`], with what is left.
pub fn commit_from(
    root: &RootDir,
    token: &WriteToken,
    header: Header,
    actions: &[Action],
    stock: &Stock,
    observer: Observer<'_>,
) -> Result<Summary, Failed> {
    let disks = &Disks::default();
    let supplies = Supplies::new(stock, disks);
    commit_with(root, token, header, actions, supplies, observer)
}

/// The same, with what boot areas shall hold.
///
/// # Errors
/// [`Failed`], with what is left.
pub fn commit_with(
    root: &RootDir,
    token: &WriteToken,
    header: Header,
    actions: &[Action],
    supplies: Supplies<'_>,
    observer: Observer<'_>,
) -> Result<Summary, Failed> {
    let nothing = |cause| Failed {
        cause,
        left: Left::Nothing,
    };
    let write = open(root, token).map_err(nothing)?;
    let place = ready(&write, &header, actions).map_err(nothing)?;
    let planned = preflight::plan(root, &place, actions, supplies).map_err(nothing)?;
    let root_mtime = begin::root_mtime(root).map_err(nothing)?;
    let log = begin::begin(&write, &place, header, planned, supplies);
    let disks = supplies.disks;
    let (cause, taken_back) = match log {
        Ok(log) => {
            let mut work = Work::new(&write, &place, log, (disks, observer));
            match work.forward() {
                Ok(actions) => return Ok(summary(&place, Outcome::Committed, actions)),
                Err(cause) => (cause, work.roll_back().and_then(|_| work.finish())),
            }
        }
        Err(cause) => (
            cause,
            call_off(&write, &place, root_mtime, (disks, observer)),
        ),
    };
    let left = match taken_back {
        Ok(()) => Left::Nothing,
        Err(error) => Left::Open {
            id: place.id().to_owned(),
            error,
        },
    };
    Err(Failed { cause, left })
}

/// Notes that something was begun which no journal can take back: work on an
/// array. Written before the work, so that whoever comes later finds it.
///
/// # Errors
/// The note cannot be written; then the work must not begin.
pub fn note(
    root: &RootDir,
    token: &WriteToken,
    what: String,
    why_lasting: &str,
) -> Result<Summary> {
    let header = Header {
        lasting: Some(why_lasting.to_owned()),
        ..Header::new(vec![what])
    };
    Ok(commit(root, token, header, &[], &mut |_| {})?)
}

/// The disks of boot areas, and who hears what goes on.
type With<'d, 'o> = (&'d Disks, Observer<'o>);

/// Removes what a beginning left that failed.
fn call_off(
    write: &WriteRoot<'_>,
    place: &Place,
    root_mtime: Stamp,
    with: With<'_, '_>,
) -> Result<()> {
    // Once the journal has its name, only an undo may remove what it explains.
    if store::load(write.root(), place)?.is_some() {
        return take_back(write, place, with).map(drop);
    }
    clear::clear(write, place, Some(root_mtime))
}

/// Brings an interrupted commit, or an interrupted undo, to its end.
///
/// # Errors
/// What stands in the way; nothing is lost, and it can be tried again.
pub fn resume(
    root: &RootDir,
    token: &WriteToken,
    id: &str,
    observer: Observer<'_>,
) -> Result<Summary> {
    resume_with(root, token, id, (&Disks::default(), observer))
}

/// The same, where it may be about boot areas of these disks.
///
/// # Errors
/// Like [`resume`].
pub fn resume_with(
    root: &RootDir,
    token: &WriteToken,
    id: &str,
    (disks, observer): With<'_, '_>,
) -> Result<Summary> {
    let write = open(root, token)?;
    let found = store::find(root, id)?;
    let place = Place::new(id);
    match found.state {
        State::Unstarted => {
            clear::clear(&write, &place, None)?;
            Ok(summary(&place, Outcome::Undone, 0))
        }
        State::Damaged { why } => bail!("transaction {id} is damaged: {why}"),
        State::Committed => Ok(summary(&place, Outcome::Committed, 0)),
        State::Open => {
            let mut work = Work::new(
                &write,
                &place,
                log::Log::open(&write, &place)?,
                (disks, observer),
            );
            let actions = work.forward()?;
            Ok(summary(&place, Outcome::Committed, actions))
        }
        State::UndoStarted => take_back(&write, &place, (disks, observer)),
    }
}

/// Takes the newest transaction back and removes it.
///
/// # Errors
/// What stands in the way. Nothing was changed if that was there from the
/// beginning; else it can be tried again.
pub fn undo(
    root: &RootDir,
    token: &WriteToken,
    id: &str,
    observer: Observer<'_>,
) -> Result<Summary> {
    undo_with(root, token, id, (&Disks::default(), observer))
}

/// The same, where it may be about boot areas of these disks.
///
/// # Errors
/// Like [`undo`].
pub fn undo_with(
    root: &RootDir,
    token: &WriteToken,
    id: &str,
    with: With<'_, '_>,
) -> Result<Summary> {
    let write = open(root, token)?;
    let found = store::find(root, id)?;
    let place = Place::new(id);
    match found.state {
        State::Unstarted => {
            clear::clear(&write, &place, None)?;
            return Ok(summary(&place, Outcome::Undone, 0));
        }
        State::Damaged { why } => bail!("transaction {id} is damaged: {why}"),
        _ => {}
    }
    if let Some(why) = found.lasting() {
        bail!("transaction {id} cannot be taken back: {why}");
    }
    for other in list(root)? {
        let newer = other.id.as_str() > id && other.lasting().is_none();
        match other.state {
            State::Damaged { why } => bail!("transaction {} is damaged: {why}", other.id),
            State::Unstarted => {}
            _ if newer => bail!(
                "transaction {} is newer and may stand on {id}: undo it first",
                other.id
            ),
            _ => {}
        }
    }
    take_back(&write, &place, with)
}

fn take_back(write: &WriteRoot<'_>, place: &Place, with: With<'_, '_>) -> Result<Summary> {
    let mut work = Work::new(write, place, log::Log::open(write, place)?, with);
    let actions = work.backward()?;
    work.finish()?;
    Ok(summary(place, Outcome::Undone, actions))
}

fn open<'a>(root: &'a RootDir, token: &'a WriteToken) -> Result<WriteRoot<'a>> {
    WriteRoot::new(root, token)
        .with_context(|| format!("{} cannot be changed", root.path().display()))
}

/// Refuses to start on top of something unfinished; chooses the name.
fn ready(write: &WriteRoot<'_>, header: &Header, actions: &[Action]) -> Result<Place> {
    if actions.is_empty() && header.lasting.is_none() {
        bail!("there is nothing to do");
    }
    let earlier = list(write.root())?;
    for Transaction { id, state, .. } in &earlier {
        match state {
            State::Committed | State::Unstarted => {}
            State::Open | State::UndoStarted => {
                bail!("transaction {id} was interrupted: resume or undo it first")
            }
            State::Damaged { why } => bail!("transaction {id} is damaged: {why}"),
        }
    }
    for left in earlier.iter().filter(|t| t.state == State::Unstarted) {
        clear::clear(write, &Place::new(&left.id), None)?;
    }
    let newest = earlier.last().map(|t| t.id.as_str());
    Ok(Place::new(&store::new_id(header.time, newest)?))
}

fn summary(place: &Place, outcome: Outcome, actions: usize) -> Summary {
    Summary {
        id: place.id().to_owned(),
        outcome,
        actions,
    }
}

#[cfg(test)]
mod area_tests;
#[cfg(test)]
mod attribute_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod manifest_for_tests;
#[cfg(test)]
mod put_tests;
#[cfg(test)]
mod tests;
