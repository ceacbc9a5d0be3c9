//! How far the last run of apt came: `/var/log/apt/history.log`, `dpkg.log`.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use super::{Package, State};
use crate::sys::root_dir::RootDir;

/// Bytes of a log that are read from its end.
const TAIL_BYTES: u64 = 4 << 20;

/// A run of apt that wrote its beginning and never its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Upgrade {
    /// `Start-Date`, as apt wrote it.
    pub started: String,
    /// The command, as the operator typed it.
    pub command: String,
    /// Packages that it was to upgrade or install.
    pub planned: usize,
    /// Of those, at their new version and configured.
    pub done: usize,
    /// Of those, at their new version, not yet configured.
    pub unpacked: usize,
    /// Of those, cut off in the middle.
    pub half: usize,
    /// Of those, not begun.
    pub untouched: usize,
}

/// A run of apt, as `history.log` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// `Start-Date`, as apt wrote it.
    pub(super) started: String,
    /// The command, as the operator typed it.
    pub(super) command: String,
    /// True when its end was written.
    pub(super) ended: bool,
    /// True when apt says that it failed.
    pub(super) failed: bool,
    /// What it was to change.
    pub(super) items: Vec<Item>,
}

/// A package that a run was to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) architecture: String,
    /// The version before; none where it was not there.
    pub(super) old: Option<String>,
    /// The version after; none where it was to be removed.
    pub(super) new: Option<String>,
}

/// The runs in the history, the oldest first.
pub(super) fn runs(root: &RootDir) -> Vec<Run> {
    let text = tail(root, "/var/log/apt/history.log").unwrap_or_default();
    let stanzas = text.split("\n\n").filter(|s| s.contains("Start-Date:"));
    stanzas.map(run).collect()
}

fn run(stanza: &str) -> Run {
    let field = |name: &str| {
        stanza
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let mut items = Vec::new();
    for action in [
        "Upgrade",
        "Install",
        "Downgrade",
        "Reinstall",
        "Remove",
        "Purge",
    ] {
        let list = field(action).unwrap_or_default();
        items.extend(targets(list).map(|(name, architecture, first, second)| {
            let (old, new) = match (action, second) {
                ("Remove" | "Purge", _) => (Some(first), None),
                (_, Some(second)) => (Some(first), Some(second)),
                _ => (None, Some(first)),
            };
            Item {
                name: name.to_owned(),
                architecture: architecture.to_owned(),
                old: old.map(str::to_owned),
                new: new.map(str::to_owned),
            }
        }));
    }
    Run {
        started: field("Start-Date").unwrap_or_default().to_owned(),
        command: field("Commandline").unwrap_or_default().to_owned(),
        ended: field("End-Date").is_some(),
        failed: field("Error").is_some(),
        items,
    }
}

/// The last run in the history, when it has no end.
pub(super) fn unfinished_run(runs: &[Run], packages: &[Package]) -> Option<Upgrade> {
    let last = runs.last().filter(|run| !run.ended)?;
    let mut upgrade = Upgrade {
        started: last.started.clone(),
        command: last.command.clone(),
        ..Upgrade::default()
    };
    let by_name: HashMap<(&str, &str), &Package> = packages
        .iter()
        .map(|p| ((p.name.as_str(), p.architecture.as_str()), p))
        .collect();
    for item in &last.items {
        let Some(version) = &item.new else { continue };
        upgrade.planned += 1;
        let package = by_name
            .get(&(item.name.as_str(), item.architecture.as_str()))
            .or_else(|| by_name.get(&(item.name.as_str(), "all")));
        match package {
            Some(p) if p.state == State::HalfInstalled || p.broken => upgrade.half += 1,
            Some(p) if p.version != *version => upgrade.untouched += 1,
            Some(p) if p.unfinished() => upgrade.unpacked += 1,
            Some(p) if p.on_disk() => upgrade.done += 1,
            _ => upgrade.untouched += 1,
        }
    }
    Some(upgrade)
}

/// `name:arch (old, new), name:arch (new, automatic), ...`: the name, the
/// architecture, the first version and the second, if there is one.
fn targets(list: &str) -> impl Iterator<Item = (&str, &str, &str, Option<&str>)> {
    list.split("), ").filter_map(|item| {
        let (package, versions) = item.split_once(" (")?;
        let (name, architecture) = package.trim().split_once(':')?;
        let mut versions = versions.trim_end_matches(')').split(", ");
        let first = versions.next()?;
        let second = versions.next().filter(|second| *second != "automatic");
        Some((name, architecture, first, second))
    })
}

/// The last line of a log.
pub(super) fn last_line(root: &RootDir, path: &str) -> Option<String> {
    last_written(&tail(root, path)?)
}

/// After a power cut a file has its new length, and NUL bytes where its last
/// lines were not written.
fn last_written(text: &str) -> Option<String> {
    let mut written = text.lines().map(|line| line.trim_matches('\0').trim());
    let line = written.rfind(|line| !line.is_empty())?;
    Some(line.chars().take(200).collect())
}

/// The end of a log.
pub(super) fn tail(root: &RootDir, path: &str) -> Option<String> {
    let mut file = root.open_file(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_was_written() {
        let last = |text: &str| last_written(text);
        assert_eq!(last("one\ntwo\n\n").as_deref(), Some("two"));
        assert_eq!(last("one\ntwo\n\0\0\0\0").as_deref(), Some("two"));
        assert_eq!(last("one\ntw\0\0").as_deref(), Some("tw"));
        assert_eq!(last("\0\0"), None);
    }

    #[test]
    fn what_a_run_was_to_do() {
        let run = run(
            "Start-Date: 2026-11-27  10:12:45\nCommandline: apt full-upgrade\n\
            Install: new:amd64 (1.0, automatic), x:all (3)\n\
            Upgrade: libc6:amd64 (2.36-9, 2.41-12)\nRemove: gone:amd64 (1)\n\
            Error: Sub-process /usr/bin/dpkg returned an error code (1)\n",
        );
        assert!(run.failed && !run.ended);
        let told: Vec<_> = run
            .items
            .iter()
            .map(|item| (item.name.as_str(), item.old.as_deref(), item.new.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("libc6", Some("2.36-9"), Some("2.41-12")),
                ("new", None, Some("1.0")),
                ("x", None, Some("3")),
                ("gone", Some("1"), None),
            ]
        );
    }
}
