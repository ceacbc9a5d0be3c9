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

/// The last run in the history, when it has no end.
pub(super) fn unfinished_run(root: &RootDir, packages: &[Package]) -> Option<Upgrade> {
    let text = tail(root, "/var/log/apt/history.log")?;
    let last = text.rsplit("\n\n").find(|s| s.contains("Start-Date:"))?;
    let field = |name: &str| {
        last.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    if field("End-Date").is_some() {
        return None;
    }
    let mut upgrade = Upgrade {
        started: field("Start-Date").unwrap_or_default().to_owned(),
        command: field("Commandline").unwrap_or_default().to_owned(),
        ..Upgrade::default()
    };
    let by_name: HashMap<(&str, &str), &Package> = packages
        .iter()
        .map(|p| ((p.name.as_str(), p.architecture.as_str()), p))
        .collect();
    let planned = ["Upgrade", "Install"]
        .iter()
        .flat_map(|name| targets(field(name).unwrap_or_default()));
    for (name, architecture, version) in planned {
        upgrade.planned += 1;
        let package = by_name
            .get(&(name, architecture))
            .or_else(|| by_name.get(&(name, "all")));
        match package {
            Some(p) if p.state == State::HalfInstalled => upgrade.half += 1,
            Some(p) if p.version != version => upgrade.untouched += 1,
            Some(p) if p.unfinished() => upgrade.unpacked += 1,
            Some(p) if p.on_disk() => upgrade.done += 1,
            _ => upgrade.untouched += 1,
        }
    }
    Some(upgrade)
}

/// `name:arch (old, new), name:arch (new, automatic), ...`
fn targets(list: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    list.split("), ").filter_map(|item| {
        let (package, versions) = item.split_once(" (")?;
        let (name, architecture) = package.trim().split_once(':')?;
        let mut versions = versions.trim_end_matches(')').split(", ");
        let first = versions.next()?;
        let version = match versions.next() {
            Some("automatic") | None => first,
            Some(new) => new,
        };
        Some((name, architecture, version))
    })
}

/// The last line of a log.
pub(super) fn last_line(root: &RootDir, path: &str) -> Option<String> {
    let text = tail(root, path)?;
    let line = text.lines().rfind(|line| !line.trim().is_empty())?;
    Some(line.chars().take(200).collect())
}

fn tail(root: &RootDir, path: &str) -> Option<String> {
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
    fn targets_of_upgrade_and_install() {
        let list = "libc6:amd64 (2.36-9, 2.41-12), new:amd64 (1.0, automatic), x:all (3)";
        let found: Vec<_> = targets(list).collect();
        assert_eq!(
            found,
            [
                ("libc6", "amd64", "2.41-12"),
                ("new", "amd64", "1.0"),
                ("x", "all", "3")
            ]
        );
    }
}
