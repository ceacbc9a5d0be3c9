//! pacman's database: `/var/lib/pacman/local/NAME-VERSION/desc`, its lock, and
//! the end of its log (libalpm's `be_local.c`, `trans.c`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DatabaseFault;
use crate::sys::root_dir::{Kind, RootDir};

/// The database.
pub(crate) const LOCAL: &str = "/var/lib/pacman/local";
const LOCK: &str = "/var/lib/pacman/db.lck";
const LOG: &str = "/var/log/pacman.log";

/// A `desc` file has one or two KiB.
const LIMIT: u64 = 1 << 20;

/// Packages that are read.
const MOST_PACKAGES: usize = 50_000;

/// An installed package of a manager other than dpkg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its version, with the release.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

/// pacman's database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pacman {
    /// The packages that it knows, by name.
    pub packages: Vec<Installed>,
    /// What is wrong with it.
    pub faults: Vec<DatabaseFault>,
    /// Its lock, where one was left behind.
    pub lock: Option<String>,
    /// The last transaction, where it did not end.
    pub unfinished: Option<Transaction>,
}

/// A transaction that began and never ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Transaction {
    /// The time of its beginning, as the log spells it.
    pub started: String,
    /// The command.
    pub command: String,
    /// Packages that it changed.
    pub changed: usize,
    /// The last line of the log.
    pub last: String,
}

impl Pacman {
    /// Names that are there in more than one version: the old one was not yet
    /// taken away when pacman stopped.
    pub fn twice(&self) -> Vec<String> {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in &self.packages {
            versions
                .entry(&package.name)
                .or_default()
                .push(&package.version);
        }
        versions
            .into_iter()
            .filter(|(_, versions)| versions.len() > 1)
            .map(|(name, versions)| format!("{name} ({})", versions.join(" and ")))
            .collect()
    }
}

/// The database, where the root has one.
pub(crate) fn database(root: &RootDir) -> Option<Pacman> {
    root.symlink_metadata(LOCAL).ok().map(|_| collect(root))
}

/// Reads it.
pub(super) fn collect(root: &RootDir) -> Pacman {
    let mut found = Pacman::default();
    let mut fault = |path: &str, what: String| {
        let path = path.to_owned();
        found.faults.push(DatabaseFault { path, what });
    };
    let entries = root.read_dir(LOCAL).unwrap_or_else(|error| {
        fault(LOCAL, format!("cannot be read: {error}"));
        Vec::new()
    });
    let folders = entries.iter().filter(|entry| entry.kind == Kind::Directory);
    for entry in folders.take(MOST_PACKAGES) {
        let folder = format!("{LOCAL}/{}", entry.name.to_string_lossy());
        let path = format!("{folder}/desc");
        match root.read_text(&path, LIMIT) {
            Ok(text) if text.trim().is_empty() => fault(&path, "it is empty".into()),
            Ok(text) => match parse(&text) {
                Some(package) => found.packages.push(package),
                None => fault(&path, "it names no package and version".into()),
            },
            Err(error) => fault(&path, format!("cannot be read: {error}")),
        }
        let files = format!("{folder}/files");
        if root.metadata(&files).is_ok_and(|meta| meta.size == 0) {
            fault(&files, "it is empty".into());
        }
    }
    found.lock = root.symlink_metadata(LOCK).is_ok().then(|| LOCK.to_owned());
    let log = crate::facts::history::end_of(root, LOG).unwrap_or_default();
    found.unfinished = unfinished(&log);
    found
}

/// `%NAME%`, a line, an empty line, and so on.
fn parse(text: &str) -> Option<Installed> {
    let field = |name: &str| {
        let mut lines = text.lines();
        lines.find(|line| line.trim() == name)?;
        lines.next().map(|line| line.trim().to_owned())
    };
    let wanted = |name| field(name).filter(|value| !value.is_empty());
    Some(Installed {
        name: wanted("%NAME%")?,
        version: wanted("%VERSION%")?,
        architecture: field("%ARCH%").unwrap_or_default(),
    })
}

/// The last transaction of a log, when it has no end of any kind.
fn unfinished(log: &str) -> Option<Transaction> {
    let mut open: Option<Transaction> = None;
    let mut command = String::new();
    for line in log.lines() {
        let Some((time, words)) = line.strip_prefix('[').and_then(|l| l.split_once("] ")) else {
            continue;
        };
        if let Some(typed) = words.strip_prefix("[PACMAN] Running '") {
            typed.trim_end_matches('\'').clone_into(&mut command);
        }
        let Some(step) = words.strip_prefix("[ALPM] ") else {
            continue;
        };
        match step {
            "transaction started" => {
                open = Some(Transaction {
                    started: time.to_owned(),
                    command: command.chars().take(200).collect(),
                    changed: 0,
                    last: String::new(),
                });
            }
            "transaction completed" | "transaction failed" | "transaction interrupted" => {
                open = None;
            }
            _ => {}
        }
        if let Some(open) = &mut open {
            let changes = [
                "installed ",
                "upgraded ",
                "removed ",
                "reinstalled ",
                "downgraded ",
            ];
            open.changed += usize::from(changes.iter().any(|word| step.starts_with(word)));
            open.last = line.chars().take(200).collect();
        }
    }
    open
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_transaction_without_any_end_is_unfinished() {
        let begun = "[2026-11-25T02:10:11+0000] [PACMAN] Running 'pacman -Syu'\n\
            [2026-11-25T02:10:12+0000] [ALPM] transaction started\n\
            [2026-11-25T02:10:13+0000] [ALPM] upgraded glibc (2.38-1 -> 2.39-1)\n";
        let found = unfinished(begun).unwrap();
        assert_eq!((found.changed, found.command.as_str()), (1, "pacman -Syu"));
        assert_eq!(found.started, "2026-11-25T02:10:12+0000");
        for end in ["completed", "failed", "interrupted"] {
            let text = format!("{begun}[2026-11-25T02:10:14+0000] [ALPM] transaction {end}\n");
            assert_eq!(unfinished(&text), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "(%NAME%|%VERSION%|\n|\\[x\\] \\[ALPM\\] |transaction started|\\PC){0,40}") {
            parse(&text);
            unfinished(&text);
        }
    }
}
