//! The newest traces of life in a tree: logs, package work, logins.

use std::io::{Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::{Kind, RootDir};

/// Text logs whose last line tells what happened last.
const LOGS: [&str; 10] = [
    "syslog",
    "messages",
    "kern.log",
    "auth.log",
    "secure",
    "dpkg.log",
    "apt/history.log",
    "pacman.log",
    "dnf.rpm.log",
    "boot.log",
];

/// Binary files whose time alone tells something.
const RECORDS: [&str; 2] = ["wtmp", "lastlog"];

/// Bytes at the end of a log that are searched for its last line.
const TAIL_BYTES: u64 = 4096;

/// Characters of a last line that are kept.
const LINE_CHARS: usize = 160;

/// Journal directories and files looked at.
const MOST_JOURNALS: usize = 200;

/// One trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trace {
    /// The file.
    pub path: String,
    /// When it was last changed, seconds since 1970.
    pub time: i64,
    /// Its last line, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// The traces in the tree, the newest first. `/var` may be the root of the
/// tree itself, where it is a filesystem of its own.
pub fn collect(root: &RootDir) -> Vec<Trace> {
    let mut found = Vec::new();
    for base in ["/var", ""] {
        let logs = LOGS.iter().map(|log| (format!("{base}/log/{log}"), true));
        let records = RECORDS
            .iter()
            .map(|log| (format!("{base}/log/{log}"), false));
        let status = (format!("{base}/lib/dpkg/status"), false);
        for (path, text) in logs.chain(records).chain([status]) {
            let Some(time) = file_time(root, &path) else {
                continue;
            };
            let line = text.then(|| last_line(root, &path)).flatten();
            found.push(Trace { path, time, line });
        }
        found.extend(newest_journal(root, &format!("{base}/log/journal")));
    }
    found.sort_by_key(|trace| std::cmp::Reverse(trace.time));
    found
}

fn file_time(root: &RootDir, path: &str) -> Option<i64> {
    let meta = root.metadata(path).ok()?;
    (meta.kind == Kind::File && meta.size > 0).then_some(meta.mtime)
}

fn last_line(root: &RootDir, path: &str) -> Option<String> {
    let mut file = root.open_file(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
    let text = String::from_utf8_lossy(&tail);
    let line = text.lines().rfind(|line| !line.trim().is_empty())?;
    Some(line.trim().chars().take(LINE_CHARS).collect())
}

/// The newest file of the systemd journal; each machine has a directory.
fn newest_journal(root: &RootDir, base: &str) -> Option<Trace> {
    let machines = root.read_dir(base).ok()?;
    let files = machines.iter().take(MOST_JOURNALS).flat_map(|machine| {
        let dir = format!("{base}/{}", machine.name.to_string_lossy());
        let entries = root.read_dir(&dir).unwrap_or_default();
        entries
            .into_iter()
            .take(MOST_JOURNALS)
            .filter_map(move |entry| {
                let path = format!("{dir}/{}", entry.name.to_string_lossy());
                Some((file_time(root, &path)?, path))
            })
    });
    let (time, path) = files.max()?;
    Some(Trace {
        path,
        time,
        line: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn the_newest_comes_first_with_its_last_line() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("var/log");
        fs::create_dir_all(log.join("journal/0123")).unwrap();
        let age = |path: &std::path::Path, time: u64| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        fs::write(
            log.join("dpkg.log"),
            "old\n2026-11-01 status installed tool\n\n",
        )
        .unwrap();
        age(&log.join("dpkg.log"), 2000);
        fs::write(log.join("syslog"), vec![0xFF; 10_000]).unwrap();
        age(&log.join("syslog"), 1000);
        fs::write(log.join("journal/0123/system.journal"), "LPKSHHRH").unwrap();
        age(&log.join("journal/0123/system.journal"), 3000);
        fs::write(log.join("messages"), "").unwrap();
        let found = collect(&RootDir::open(dir.path()).unwrap());
        let times: Vec<i64> = found.iter().map(|trace| trace.time).collect();
        assert_eq!(times, [3000, 2000, 1000]);
        assert_eq!(
            found[1].line.as_deref(),
            Some("2026-11-01 status installed tool")
        );
        assert!(found[2].line.as_ref().unwrap().chars().count() <= LINE_CHARS);
    }
}
