//! The persistent journal: `/var/log/journal/*/system*.journal`. Boots, how far
//! each came, what failed in it, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::file::Journal;
use self::object::Entry;
use super::boots::{Boot, Ending, UnitFailure};
use super::{Clock, Collected, Event, syslog};
use crate::sys::root_dir::{Kind as FileKind, RootDir};

pub(super) mod file;
pub(super) mod object;
#[cfg(test)]
mod tests;

const PLACE: &str = "/var/log/journal";

/// Journal files that are read, the newest.
const MOST_FILES: usize = 16;

/// Entries of one value that are read, the last.
const MOST_ENTRIES: usize = 100;

/// Failures of one boot that are kept, the first.
const MOST_FAILURES: usize = 8;

/// `systemd/sd-messages.h`
const STARTUP_FINISHED: &str = "b07a249cd024414a82dd00cd181378ff";
const JOURNAL_STOPPED: &str = "d93fb3c9c24d451a97cea615ce59c00b";
const SHUTDOWN: &str = "98268866d1d54a499c4e98921d93bc40";
const FAILURES: [&str; 4] = [
    // A job failed; a unit failed; its process ended badly; it was not started.
    "be02cf6855d2428ba40df7e9d022f03d",
    "d9b373ed55a64feb8242e02dbe79a49c",
    "98e322203f7a4ed290d09fe03c09fe15",
    "641257651c1b4ec9a8624d7a40a9e1e7",
];

/// Targets that tell how far a boot came.
const TARGETS: [&str; 12] = [
    "initrd.target",
    "initrd-root-fs.target",
    "local-fs.target",
    "sysinit.target",
    "basic.target",
    "network.target",
    "network-online.target",
    "multi-user.target",
    "graphical.target",
    "emergency.target",
    "rescue.target",
    "system-update.target",
];

/// Targets on the way down.
const DOWN: [&str; 5] = [
    "shutdown.target",
    "umount.target",
    "final.target",
    "reboot.target",
    "poweroff.target",
];

/// Programs whose messages are events.
const PROGRAMS: [&str; 6] = [
    "sudo",
    "sshd",
    "sshd-session",
    "login",
    "systemd-logind",
    "shutdown",
];

/// A boot, while its entries come together from several files.
#[derive(Debug)]
struct Gathered {
    boot: Boot,
    /// Microseconds: of its last entry, and whether that was the journal's end.
    newest: u64,
    ends_with_stop: bool,
    /// With microseconds: several come in one second.
    failures: Vec<(u64, UnitFailure)>,
    reached_at: i64,
    going_down: bool,
}

/// Reads the newest journal files.
pub(super) fn collect(root: &RootDir, out: &mut Collected) {
    let mut boots = BTreeMap::new();
    let mut events = Vec::new();
    for path in files(root) {
        let opened = root.open_file(&path).map_err(|error| error.to_string());
        match opened.and_then(Journal::open) {
            Ok(journal) => {
                out.source(&path, "the journal", None);
                let newest = i64::try_from(journal.newest / 1_000_000);
                out.seen(&path, newest.unwrap_or(0));
                gather(&journal, &path, &mut boots);
                messages(&journal, &path, &mut events);
            }
            Err(why) => out.source(&path, "the journal", Some(why)),
        }
    }
    events.sort_by_key(|event| event.time);
    out.add(events);
    out.boots.extend(boots.into_values().map(finish));
}

/// The newest files of the system's journal, the oldest first.
fn files(root: &RootDir) -> Vec<String> {
    let mut found = Vec::new();
    for machine in root.read_dir(PLACE).unwrap_or_default() {
        let folder = Path::new(PLACE).join(&machine.name);
        if machine.kind != FileKind::Directory {
            continue;
        }
        for entry in root.read_dir(&folder).unwrap_or_default() {
            let name = entry.name.to_string_lossy();
            // "system.journal", "system@...journal", "...journal~" (not closed)
            let ours = name.starts_with("system") && name.contains(".journal");
            if !ours || entry.kind != FileKind::File {
                continue;
            }
            let path = folder.join(&entry.name);
            if let Ok(meta) = root.metadata(&path) {
                found.push((meta.mtime, path.display().to_string()));
            }
        }
    }
    found.sort();
    let surplus = found.len().saturating_sub(MOST_FILES);
    found.drain(..surplus);
    found.into_iter().map(|(_, path)| path).collect()
}

fn finish(gathered: Gathered) -> Boot {
    let mut boot = gathered.boot;
    let mut failures = gathered.failures;
    failures.sort_by_key(|(time, _)| *time);
    let mut seen = BTreeSet::new();
    failures.retain(|(_, failure)| seen.insert(failure.unit.clone()));
    failures.truncate(MOST_FAILURES);
    boot.failures = failures.into_iter().map(|(_, failure)| failure).collect();
    boot.ending = match (gathered.ends_with_stop, gathered.going_down) {
        (true, _) => Ending::Clean,
        (false, true) => Ending::ShuttingDown,
        (false, false) => Ending::CutOff,
    };
    boot
}

/// Adds what one file knows of each boot.
fn gather(journal: &Journal, path: &str, boots: &mut BTreeMap<String, Gathered>) {
    for value in journal.values("_BOOT_ID") {
        let first = journal.entry(value.first_entry());
        let last = journal.last_entries(&value, 1);
        let last = last.last().and_then(|offset| journal.entry(*offset));
        let (Some(first), Some(last)) = (first, last) else {
            continue;
        };
        let id = value.value().to_owned();
        let known = boots.entry(id.clone()).or_insert_with(|| Gathered {
            boot: Boot {
                id: Some(id),
                ..Boot::new(first.seconds(), path)
            },
            newest: 0,
            ends_with_stop: false,
            failures: Vec::new(),
            reached_at: 0,
            going_down: false,
        });
        if first.seconds() <= known.boot.started {
            known.boot.started = first.seconds();
            let kernel = journal
                .text(&first, "MESSAGE")
                .as_deref()
                .and_then(kernel_of);
            known.boot.kernel = known.boot.kernel.take().or(kernel);
        }
        if last.realtime >= known.newest {
            known.newest = last.realtime;
            known.boot.last = last.seconds();
            path.clone_into(&mut known.boot.path);
            let id = journal.text(&last, "MESSAGE_ID");
            known.ends_with_stop = id.as_deref() == Some(JOURNAL_STOPPED);
        }
    }
    by_message_id(journal, boots);
    targets(journal, boots);
}

fn kernel_of(message: &str) -> Option<String> {
    let (_, version) = message.split_once("Linux version ")?;
    version.split(' ').next().map(str::to_owned)
}

fn by_message_id(journal: &Journal, boots: &mut BTreeMap<String, Gathered>) {
    for value in journal.values("MESSAGE_ID") {
        let id = value.value();
        let failure = FAILURES.contains(&id);
        if !failure && id != STARTUP_FINISHED && id != SHUTDOWN {
            continue;
        }
        for entry in entries(journal, &value) {
            let Some(known) = boots.get_mut(&entry.boot) else {
                continue;
            };
            match id {
                STARTUP_FINISHED => known.boot.finished = true,
                SHUTDOWN => known.going_down = true,
                _ => {
                    let failure = failed(journal, &entry);
                    known.failures.extend(failure.map(|f| (entry.realtime, f)));
                }
            }
        }
    }
}

/// A failure of a unit of the system; those of users' own are none.
fn failed(journal: &Journal, entry: &Entry) -> Option<UnitFailure> {
    let unit = journal.text(entry, "UNIT")?;
    let message = journal.text(entry, "MESSAGE")?;
    // A process that was told to stop ends badly, too.
    let own_end = message.contains("code=exited, status=0") || message.contains("status=15/TERM");
    (!own_end).then(|| UnitFailure {
        time: entry.seconds(),
        unit: super::shortened(&unit, 80),
        message: super::shortened(&message, 160),
    })
}

fn targets(journal: &Journal, boots: &mut BTreeMap<String, Gathered>) {
    for value in journal.values("UNIT") {
        let target = value.value();
        let down = DOWN.contains(&target);
        if !down && !TARGETS.contains(&target) {
            continue;
        }
        for entry in entries(journal, &value) {
            let Some(known) = boots.get_mut(&entry.boot) else {
                continue;
            };
            let message = journal.text(&entry, "MESSAGE").unwrap_or_default();
            if !message.starts_with("Reached target") {
                continue;
            }
            if down {
                known.going_down = true;
            } else if entry.seconds() >= known.reached_at {
                known.reached_at = entry.seconds();
                known.boot.reached = Some(target.to_owned());
            }
        }
    }
}

fn entries(journal: &Journal, value: &object::Data) -> Vec<Entry> {
    let offsets = journal.last_entries(value, MOST_ENTRIES);
    let entries = offsets.iter().filter_map(|offset| journal.entry(*offset));
    entries.collect()
}

/// Logins, commands with sudo and the like.
fn messages(journal: &Journal, path: &str, events: &mut Vec<Event>) {
    for value in journal.values("SYSLOG_IDENTIFIER") {
        let program = value.value();
        if !PROGRAMS.contains(&program) {
            continue;
        }
        for entry in entries(journal, &value) {
            let Some(message) = journal.text(&entry, "MESSAGE") else {
                continue;
            };
            let Some((kind, weight, text)) = syslog::classify(program, &message) else {
                continue;
            };
            let when = (entry.seconds(), Clock::Exact);
            events.push(Event::new(when, kind, weight, text).at(path, None));
        }
    }
}
