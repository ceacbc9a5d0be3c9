//! The journal file: one record per line, each with its checksum.
//!
//! A line is eight hex digits (CRC-32 of the rest), a space, one JSON object,
//! a line feed. Only the end of the file can be torn by a power cut, because
//! each record was on the disk before the next was begun.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Action, Header, encoded};
use crate::sys::exact::{self, Object, Stamp};
use crate::sys::write_root;

/// The only format so far.
pub const FORMAT: u32 = 1;

/// No time on any filesystem has more.
const NSEC_PER_SEC: i64 = 1_000_000_000;

/// One action as it will be done: an object moves from one exact path to
/// another on the same filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What was asked for.
    pub action: Action,
    /// Where the object is before. Exact: no link in it.
    #[serde(with = "encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub from: PathBuf,
    /// Where it is after. Exact.
    #[serde(with = "encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub to: PathBuf,
    /// What it is before.
    pub object: Object,
}

/// A directory that a step touches, with the time that undo gives back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Touched {
    /// Its path before the first change. Exact, or `/`.
    #[serde(with = "encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PathBuf,
    /// Its inode number.
    pub ino: u64,
    /// Its modification time before the first change.
    pub mtime: Stamp,
}

/// The first record: all that will be done, and what undo needs for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Intent {
    /// [`FORMAT`] of the Lifeboot that wrote it.
    pub format: u32,
    /// The transaction's name.
    pub id: String,
    /// Who, when and what for.
    pub header: Header,
    /// What the operator agreed to.
    pub consent: String,
    /// The time of `/` before the journal's own directory was made there.
    pub root_mtime: Stamp,
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// Directories whose time undo gives back.
    pub touched: Vec<Touched>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// Written before the first change.
    Intent(Box<Intent>),
    /// This step, counted from 0, is done and on the disk.
    Done {
        /// Index of the step.
        step: usize,
    },
    /// All steps are done.
    Committed,
    /// From here on steps are taken back, the last one first.
    UndoStarted {
        /// What the operator agreed to.
        consent: String,
    },
    /// This step is taken back.
    Undone {
        /// Index of the step.
        step: usize,
    },
    /// All steps are taken back, times included.
    Reverted,
}

impl Record {
    /// The line for this record.
    ///
    /// # Errors
    /// Never for records made by this program.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        Ok(format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes())
    }

    /// The record in a line (without its line feed), if it is whole.
    pub fn from_line(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(checked_json(line)?).ok()
    }
}

/// The JSON of a line whose checksum fits.
pub(super) fn checked_json(line: &[u8]) -> Option<&[u8]> {
    let (sum, json) = (line.get(..8)?, line.get(9..)?);
    let sum = std::str::from_utf8(sum).ok()?;
    let fits = line[8] == b' ' && u32::from_str_radix(sum, 16).ok()? == crc32fast::hash(json);
    fits.then_some(json)
}

/// What a journal file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The first record.
    pub intent: Intent,
    /// What the others say.
    pub course: Course,
    /// Bytes of whole records; the rest is a torn tail.
    pub whole: usize,
}

/// How far a transaction got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// Number of steps.
    pub steps: usize,
    /// Steps recorded as done and not as taken back: always the first ones.
    pub standing: usize,
    /// The commit came to its end.
    pub committed: bool,
    /// An undo was begun.
    pub undo_started: bool,
    /// The undo came to its end.
    pub reverted: bool,
}

/// Reads a journal file.
///
/// # Errors
/// Why it is damaged, in the operator's words. A torn tail is no damage.
pub fn read_story(bytes: &[u8]) -> Result<Story, String> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let intent = read_intent(first)?;
    let mut story = Story {
        course: Course::new(intent.steps.len()),
        intent,
        whole: first.len(),
    };
    let mut torn_at = None;
    for (index, line) in lines.enumerate() {
        let number = index + 2;
        let record = whole_line(line).and_then(Record::from_line);
        match (record, torn_at) {
            (None, None) => torn_at = Some(number),
            (None, Some(_)) => {}
            (Some(_), Some(bad)) => {
                return Err(format!("line {bad} is damaged, and more follows it"));
            }
            (Some(record), None) => {
                story
                    .course
                    .add(&record)
                    .ok_or_else(|| format!("line {number} is out of order"))?;
                story.whole += line.len();
            }
        }
    }
    Ok(story)
}

fn whole_line(line: &[u8]) -> Option<&[u8]> {
    line.strip_suffix(b"\n")
}

fn read_intent(line: &[u8]) -> Result<Intent, String> {
    let json = whole_line(line)
        .and_then(checked_json)
        .ok_or("its first line is damaged")?;
    let format = serde_json::from_slice::<FormatOnly>(json).map_err(|e| e.to_string())?;
    if format.format != FORMAT {
        let format = format.format;
        return Err(format!("format {format} is of a newer Lifeboot"));
    }
    let intent = match serde_json::from_slice(json) {
        Ok(Record::Intent(intent)) => *intent,
        Ok(_) => return Err("its first line is no intent".into()),
        Err(error) => return Err(format!("its first line: {error}")),
    };
    for step in &intent.steps {
        // The root itself can get other attributes, and never move.
        let stays = matches!(step.action, Action::Attributes { .. });
        let is_top = |path: &Path| stays && path == Path::new("/");
        let mut paths = [step.from.as_path(), step.to.as_path()].into_iter();
        if let Some(path) = paths.find(|path| !exact::is_exact(path) && !is_top(path)) {
            return Err(format!("{} is no exact path", encoded::encode(path)));
        }
    }
    for Touched { path, mtime, .. } in &intent.touched {
        let known = exact::is_exact(path) || path.as_os_str() == "/";
        if !known || !is_time(*mtime) {
            let path = encoded::encode(path);
            return Err(format!("{path} or its time is not valid"));
        }
    }
    if !is_time(intent.root_mtime) {
        return Err("the time of / is not valid".into());
    }
    Ok(intent)
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

pub(super) fn is_time(stamp: Stamp) -> bool {
    (0..NSEC_PER_SEC).contains(&stamp.nsec)
}

impl Course {
    /// Nothing done yet of so many steps.
    pub(super) fn new(steps: usize) -> Self {
        Self {
            steps,
            standing: 0,
            committed: false,
            undo_started: false,
            reverted: false,
        }
    }

    /// Adds a record; `None` when it cannot follow what came before.
    pub(super) fn add(&mut self, record: &Record) -> Option<()> {
        let fits = match record {
            Record::Intent(_) => false,
            Record::Done { step } => {
                !self.committed
                    && !self.undo_started
                    && *step == self.standing
                    && *step < self.steps
            }
            Record::Committed => {
                !self.committed && !self.undo_started && self.standing == self.steps
            }
            Record::UndoStarted { .. } => !self.undo_started,
            Record::Undone { step } => {
                self.undo_started && step.checked_add(1) == Some(self.standing)
            }
            Record::Reverted => self.undo_started && self.standing == 0 && !self.reverted,
        };
        match record {
            _ if !fits => return None,
            Record::Intent(_) => {}
            Record::Done { .. } => self.standing += 1,
            Record::Committed => self.committed = true,
            Record::UndoStarted { .. } => self.undo_started = true,
            Record::Undone { .. } => self.standing -= 1,
            Record::Reverted => self.reverted = true,
        }
        Some(())
    }
}

/// True when a link may say this.
pub(super) fn is_link_text(target: &Path) -> bool {
    write_root::is_link_text(target)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
