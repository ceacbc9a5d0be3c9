//! What happened to the patient, as its logs and the times of its inodes tell
//! (docs/history.md).
//!
//! Each kind of log has a file here. Everything is bounded: the ends of logs
//! are read, and of each source the newest events are kept.

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::packages::Ownership;
use crate::sys::root_dir::RootDir;

mod apt;
mod boots;
mod changes;
mod clock;
pub(in crate::facts) mod commands;
mod dist_upgrade;
mod dnf;
mod dpkg_log;
mod journal;
mod log;
mod marks;
mod pacman_log;
mod shell;
mod syslog;
mod term;
pub mod timeline;
mod wtmp;
mod wtmpdb;

pub use apt::Run;
pub use boots::{Boot, Ending, UnitFailure};
pub use clock::Clock;
use clock::{Stamp, Zone};
pub use journal::file::Journal;
pub use journal::object::{Data as JournalValue, Entry as JournalEntry};

/// Events of one source that are kept, the newest.
const MOST_EVENTS: usize = 100;

/// Characters of a sentence that are kept.
const MOST_TEXT: usize = 240;

/// What happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct History {
    /// Everything, in the order of time.
    pub events: Vec<Event>,
    /// Where it was looked for.
    pub sources: Vec<Source>,
    /// The patient's starts, in the order of time.
    pub boots: Vec<Boot>,
    /// The runs of apt, in the order of time.
    pub runs: Vec<Run>,
    /// The zone in which its logs tell the time.
    pub zone: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// When, in seconds since 1970 (UTC).
    pub time: i64,
    /// How the time was come by.
    pub clock: Clock,
    /// What kind of thing it is.
    pub kind: Kind,
    /// How much it matters.
    pub weight: Weight,
    /// It, in one sentence.
    pub text: String,
    /// The file that tells it.
    pub path: String,
    /// The line of that file, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u64>,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A package manager began.
    PackagesStarted,
    /// It came to its end.
    PackagesEnded,
    /// It never came to its end: the last that it wrote.
    PackagesStopped,
    /// It complained.
    PackagesError,
    /// It worked.
    PackagesWork,
    /// Somebody logged in.
    Login,
    /// Somebody typed a command.
    Command,
    /// The system started.
    Boot,
    /// A unit did not start.
    UnitFailed,
    /// The system was asked to stop.
    Shutdown,
    /// The system stopped.
    BootEnded,
    /// A system directory was renamed or replaced.
    Replaced,
    /// Many files changed owner, mode or name at once.
    Changed,
}

/// How much an event matters, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Only in the whole list.
    Detail,
    /// Where there is room.
    Usual,
    /// Always.
    Key,
}

/// A file that history was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source {
    /// The file.
    pub path: String,
    /// What it tells.
    pub holds: String,
    /// The time of its newest entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub newest: Option<i64>,
    /// Why it could not be read, wholly or in part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unreadable: Option<String>,
}

/// What the collectors bring together.
#[derive(Debug, Default)]
struct Collected {
    events: Vec<Event>,
    sources: Vec<Source>,
    boots: Vec<Boot>,
    runs: Vec<Run>,
    /// When package managers worked: from, to.
    busy: Vec<(i64, i64)>,
}

impl Collected {
    fn source(&mut self, path: &str, holds: &str, unreadable: Option<String>) {
        self.sources.push(Source {
            path: path.to_owned(),
            holds: holds.to_owned(),
            newest: None,
            unreadable,
        });
    }

    /// Notes that the file at `path` has an entry of this time.
    fn seen(&mut self, path: &str, time: i64) {
        if let Some(source) = self.sources.iter_mut().rfind(|s| s.path == path) {
            source.newest = source.newest.max(Some(time));
        }
    }

    /// Adds the newest of `events`, which are in the order of time.
    fn add(&mut self, mut events: Vec<Event>) {
        let surplus = events.len().saturating_sub(MOST_EVENTS);
        self.events.extend(events.drain(..).skip(surplus));
    }
}

impl Event {
    fn new(when: (i64, Clock), kind: Kind, weight: Weight, text: impl AsRef<str>) -> Self {
        Self {
            time: when.0,
            clock: when.1,
            kind,
            weight,
            text: shortened(text.as_ref(), MOST_TEXT),
            path: String::new(),
            line: None,
        }
    }

    /// Says which line of which file tells it.
    #[must_use]
    fn at(mut self, path: &str, line: Option<u64>) -> Self {
        path.clone_into(&mut self.path);
        self.line = line;
        self
    }
}

/// At most `most` characters of `text`, on one line.
fn shortened(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most).collect();
    format!("{cut} ...")
}

/// Journal and syslog tell the same, at most a second apart.
fn without_echoes(events: &mut Vec<Event>) {
    let mut kept: Vec<Event> = Vec::with_capacity(events.len());
    for event in events.drain(..) {
        let near = kept
            .iter()
            .rev()
            .take_while(|e| event.time.saturating_sub(e.time) <= 1);
        let echo = |e: &Event| e.kind == event.kind && e.text == event.text;
        // The same command may be typed twice in a second.
        let same_file = |e: &Event| e.path == event.path && event.line.is_some();
        if !near.into_iter().any(|e| echo(e) && !same_file(e)) {
            kept.push(event);
        }
    }
    *events = kept;
}

/// A date in UTC, `2026-11-25` or `2026-11-25 02:10`, in seconds since 1970.
pub fn since(text: &str) -> Option<i64> {
    let whole = match text.len() {
        10 => format!("{text} 00:00"),
        _ => text.to_owned(),
    };
    let (stamp, rest) = Stamp::read(&whole)?;
    let seconds = Zone::utc("UTC").seconds(&stamp)?.0;
    rest.is_empty().then_some(seconds)
}

/// The end of a log, for who reads but one of them.
pub(super) fn end_of(root: &RootDir, path: &str) -> std::io::Result<String> {
    log::text(root, path).map(|(text, _)| text)
}

/// The history of an open tree.
pub fn of(root: &RootDir) -> History {
    let (_, owners) = super::packages::collect(root, super::packages::Depth::Usual);
    let layout = super::layout::collect(root, &owners);
    collect(root, &owners, &layout)
}

/// Reads all sources.
pub(super) fn collect(root: &RootDir, owners: &Ownership, layout: &Layout) -> History {
    let zone = Zone::of(root);
    let mut out = Collected::default();
    dpkg_log::collect(root, &zone, &mut out);
    apt::collect(root, &zone, &mut out);
    term::collect(root, &zone, &mut out);
    dist_upgrade::collect(root, &zone, &mut out);
    dnf::collect(root, &zone, &mut out);
    pacman_log::collect(root, &zone, &mut out);
    syslog::collect(root, &zone, &mut out);
    wtmp::collect(root, &mut out);
    wtmpdb::collect(root, &mut out);
    journal::collect(root, &mut out);
    shell::collect(root, &mut out);
    marks::collect(root, layout, &mut out);
    changes::collect(root, owners, &mut out);
    boots::merge(&mut out);
    let Collected {
        mut events,
        sources,
        boots,
        runs,
        ..
    } = out;
    // What has no time of its own keeps its order in the file.
    events.sort_by_key(|event| event.time);
    without_echoes(&mut events);
    History {
        events,
        sources,
        boots,
        runs,
        zone: zone.what,
    }
}
