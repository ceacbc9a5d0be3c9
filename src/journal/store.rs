//! Where the journal lies on the patient's disk, and what lies there.

use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::record::{self, Course, Story};
use super::{Action, Header, encoded};
use crate::sys::exact::{self, Stamp};
use crate::sys::root_dir::RootDir;
use crate::sys::write_root;

/// All that Lifeboot ever leaves on a patient's disk.
pub(super) const HOME: &str = "/.lifeboot";

/// One directory per transaction.
pub(super) const JOURNAL: &str = "/.lifeboot/journal";

/// A journal larger than this is not ours: 100 000 actions need about 50 MiB.
const JOURNAL_BYTES: u64 = 256 << 20;

/// Hardly more than one filesystem: a path and a time for each.
const FURTHER_BYTES: u64 = 1 << 20;

/// A day.
const DAY_SECONDS: u64 = 86_400;

/// The last second whose year has four digits.
const LAST_SECOND: u64 = 253_402_300_799;

/// The directory of one transaction.
#[derive(Debug, Clone)]
pub(super) struct Place {
    id: String,
    path: PathBuf,
}

impl Place {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            path: Path::new(JOURNAL).join(id),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The journal itself.
    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// The journal while its first record is being written.
    pub(super) fn draft(&self) -> PathBuf {
        self.path.join("journal.new")
    }

    /// What was taken away.
    pub(super) fn quarantine(&self) -> PathBuf {
        self.path.join("quarantine")
    }

    /// What was made and is not in its place (any more).
    pub(super) fn new_objects(&self) -> PathBuf {
        self.path.join("new")
    }

    /// What boot areas held, and what they shall hold.
    pub(super) fn areas(&self) -> PathBuf {
        self.path.join("areas")
    }

    /// What programs said in the rehearsals before it.
    pub(super) fn programs(&self) -> PathBuf {
        self.path.join("programs")
    }

    /// Which other filesystems have a place of this transaction.
    pub(super) fn further(&self) -> PathBuf {
        self.path.join("further")
    }

    /// The place of the same transaction on the filesystem whose top is at
    /// `top`: things move within a filesystem only.
    pub(super) fn beside(&self, top: &Path) -> Self {
        Self {
            id: self.id.clone(),
            path: top.join(&JOURNAL[1..]).join(&self.id),
        }
    }
}

/// A filesystem other than that of `/` on which a transaction has a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Further {
    /// Its top in the tree. Exact.
    #[serde(with = "encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) top: PathBuf,
    /// The time of its top before that.
    pub(super) mtime: Stamp,
}

impl Further {
    /// The lines of the file [`Place::further`].
    pub(super) fn to_bytes(all: &[Self]) -> Result<Vec<u8>> {
        let json = serde_json::to_string(all)?;
        Ok(format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes())
    }

    /// The filesystems that `place` tells of; none where the file is not there.
    pub(super) fn read(root: &RootDir, place: &Place) -> Result<Vec<Self>> {
        let path = place.further();
        let bytes = match exact::read(root, &path, FURTHER_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context(format!("reading {}", path.display())),
        };
        // A torn file was not on the disk when anything was made elsewhere.
        let Some(json) = bytes.strip_suffix(b"\n").and_then(record::checked_json) else {
            return Ok(Vec::new());
        };
        let all: Vec<Self> = serde_json::from_slice(json)?;
        if let Some(bad) = all
            .iter()
            .find(|f| !exact::is_exact(&f.top) || !record::is_time(f.mtime))
        {
            bail!("{} is no exact path", encoded::encode(&bad.top));
        }
        Ok(all)
    }
}

/// How far a transaction got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Nothing of the tree was changed; only the journal's own directory is
    /// left to be removed, which `resume` and `undo` do.
    Unstarted,
    /// The commit was interrupted.
    Open,
    /// All actions stand.
    Committed,
    /// The undo was interrupted.
    UndoStarted,
    /// The journal cannot be understood; nothing is done with it.
    Damaged {
        /// In the operator's words.
        why: String,
    },
}

/// A transaction found on a patient's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Transaction {
    /// Its name: the newest sorts last.
    pub id: String,
    /// How far it got.
    #[serde(flatten)]
    pub state: State,
    /// Who, when and what for; unknown when unstarted or damaged.
    pub header: Option<Header>,
    /// What the operator agreed to.
    pub consent: String,
    /// Its actions in their order.
    pub actions: Vec<Action>,
    /// How many of them were recorded as standing.
    pub done: usize,
}

impl Transaction {
    /// Why it cannot be taken back, where it is only a note of such work.
    pub fn lasting(&self) -> Option<&str> {
        self.header.as_ref()?.lasting.as_deref()
    }

    fn bare(id: String, state: State) -> Self {
        Self {
            id,
            state,
            header: None,
            consent: String::new(),
            actions: Vec::new(),
            done: 0,
        }
    }
}

/// The transactions on this root, the oldest first. Reads only.
///
/// # Errors
/// When `/.lifeboot` cannot be read, or is no directory of Lifeboot's.
pub fn list(root: &RootDir) -> Result<Vec<Transaction>> {
    let names = match exact::names(root, Path::new(JOURNAL)) {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(left_mark(root).into_iter().collect());
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            bail!("{JOURNAL} of the patient is no plain directory: it is not Lifeboot's")
        }
        Err(error) => return Err(error).context(format!("reading {JOURNAL} of the patient")),
    };
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.push(examine(root, &name));
    }
    if found.is_empty() {
        found.extend(left_mark(root));
    }
    Ok(found)
}

/// The transaction `id`.
pub(super) fn find(root: &RootDir, id: &str) -> Result<Transaction> {
    let found = list(root)?.into_iter().find(|t| t.id == id);
    found.with_context(|| format!("there is no transaction {id} on {}", root.path().display()))
}

fn examine(root: &RootDir, name: &OsStr) -> Transaction {
    let text = encoded::encode(Path::new(name));
    let damaged = |why| Transaction::bare(text.clone(), State::Damaged { why });
    if !is_id(&text) {
        return damaged(format!("{JOURNAL}/{text} is not Lifeboot's"));
    }
    match load(root, &Place::new(&text)) {
        Ok(Some(story)) => Transaction {
            id: text,
            state: state_of(story.course),
            header: Some(story.intent.header),
            consent: story.intent.consent,
            actions: story.intent.steps.into_iter().map(|s| s.action).collect(),
            done: story.course.standing,
        },
        Ok(None) => Transaction::bare(text, State::Unstarted),
        Err(error) => damaged(format!("{error:#}")),
    }
}

fn state_of(course: Course) -> State {
    if course.undo_started {
        State::UndoStarted
    } else if course.committed {
        State::Committed
    } else {
        State::Open
    }
}

/// Reads a journal; `None` when the first change was never begun.
pub(super) fn load(root: &RootDir, place: &Place) -> Result<Option<Story>> {
    let path = place.journal();
    let bytes = match exact::read(root, &path, JOURNAL_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match exact::names(root, &place.quarantine()) {
                Ok(names) if !names.is_empty() => {
                    bail!("its journal is gone, but files are in its quarantine")
                }
                _ => Ok(None),
            };
        }
        Err(error) => return Err(error).context(format!("reading {}", path.display())),
    };
    let story = record::read_story(&bytes).map_err(anyhow::Error::msg)?;
    if story.intent.id != place.id() {
        bail!("its journal is that of transaction {:?}", story.intent.id);
    }
    Ok(Some(story))
}

/// What lies beside `/` while `/.lifeboot` exists: the last thing to go.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Mark {
    /// The transaction that made `/.lifeboot`.
    pub(super) id: String,
    /// The time of `/` before that.
    pub(super) root_mtime: Stamp,
}

impl Mark {
    pub(super) fn read(root: &RootDir) -> Option<Self> {
        let bytes = write_root::mark(root)?;
        let mark: Self = serde_json::from_slice(record::checked_json(&bytes)?).ok()?;
        (record::is_time(mark.root_mtime) && is_id(&mark.id)).then_some(mark)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_string(self)?;
        Ok(format!("{:08x} {json}", crc32fast::hash(json.as_bytes())).into_bytes())
    }
}

/// The rest of an undo, or a beginning, that was cut off at its very edge.
fn left_mark(root: &RootDir) -> Option<Transaction> {
    Mark::read(root).map(|mark| Transaction::bare(mark.id, State::Unstarted))
}

/// A name that sorts after `newest`, even when the clock went backwards.
pub(super) fn new_id(time: u64, newest: Option<&str>) -> Result<String> {
    let mut moment = utc(time.min(LAST_SECOND));
    let before = newest.and_then(|id| id.get(..16)).unwrap_or("");
    if moment.as_str() <= before {
        moment = next_moment(before).context("the names of transactions are used up")?;
    }
    let random = RandomState::new().build_hasher().finish() & 0xffff_ffff;
    Ok(format!("{moment}-{random:08x}"))
}

/// `20260729T121314Z`.
fn utc(time: u64) -> String {
    let (days, second) = (time / DAY_SECONDS, time % DAY_SECONDS);
    // Days to a date: the year begins in March, eras have 400 years.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The moment as a number, one more, and as a moment again: it need not be a
/// time on any clock, it only has to sort.
fn next_moment(moment: &str) -> Option<String> {
    let digits: String = moment.chars().filter(char::is_ascii_digit).collect();
    let next = digits.parse::<u64>().ok()?.checked_add(1)?;
    let next = format!("{next:014}");
    (next.len() == 14).then(|| format!("{}T{}Z", &next[..8], &next[8..]))
}

fn is_id(name: &str) -> bool {
    let shape = "00000000T000000Z-";
    name.len() == shape.len() + 8
        && name.is_ascii()
        && name
            .chars()
            .zip(shape.chars())
            .all(|(letter, wanted)| match wanted {
                '0' => letter.is_ascii_digit(),
                _ => letter == wanted,
            })
        && name[shape.len()..].chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
