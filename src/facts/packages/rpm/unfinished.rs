//! What dnf or yum was doing when it was stopped: dnf's own record of its
//! transactions, yum's lists of what is to be done and what is done, and the
//! link that makes the next boot an update (systemd.offline-updates(7)).

use std::collections::HashSet;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use super::package::Package;
use super::planned;
use crate::facts::database::bytes::Bytes;
use crate::facts::database::sqlite::{Database, Trouble, Value};
use crate::facts::history::commands::without_secrets;
use crate::sys::root_dir::RootDir;

/// Characters of a command that are kept.
const COMMAND_CHARS: usize = 400;

/// A list of yum's.
const LIMIT: u64 = 16 << 20;

const YUM: &str = "/var/lib/yum";

/// A transaction that began and never ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unfinished {
    /// The file that says so.
    pub path: String,
    /// The program: `dnf`, `dnf5` or `yum`.
    pub program: String,
    /// When it began, seconds since 1970, where that is known.
    pub started: Option<i64>,
    /// The command, or the stamp in the name of yum's file.
    pub command: String,
    /// Packages that were to be installed.
    pub planned: usize,
    /// What of it is not done, where that is known: of dnf's packages, those
    /// that rpm's database does not have.
    pub left: Option<usize>,
}

/// An update that the next boot is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OfflineUpdate {
    /// The link.
    pub path: String,
    /// Where it leads.
    pub target: String,
    /// True when something is there.
    pub is_there: bool,
}

/// How a version of dnf keeps its record.
struct Record {
    path: &'static str,
    program: &'static str,
    /// The columns of `trans`: the command and the state.
    command: usize,
    state: usize,
    /// The state of a transaction that began.
    begun: i64,
    /// Actions that install something.
    installs: &'static [i64],
    /// The one that puts in once more what is there: whether it was done does
    /// not show.
    reinstalls: i64,
}

/// dnf's `libdnf/transaction/Types.hpp` and dnf5's
/// `libdnf5/transaction/db/sql/create.sql`.
const RECORDS: [Record; 2] = [
    Record {
        path: "/usr/lib/sysimage/libdnf5/transaction_history.sqlite",
        program: "dnf5",
        command: 7,
        state: 9,
        begun: 1,
        installs: &[1, 2, 3, 4],
        reinstalls: 4,
    },
    Record {
        path: "/var/lib/dnf/history.sqlite",
        program: "dnf",
        command: 7,
        state: 8,
        begun: 0,
        installs: &[1, 2, 6, 9],
        reinstalls: 9,
    },
];

/// The transaction that was begun last and did not end. `installed` are rpm's
/// packages, where all of them are known.
pub(super) fn collect(root: &RootDir, installed: Option<&[Package]>) -> Option<Unfinished> {
    let dnf = RECORDS.iter();
    let dnf = dnf.filter_map(|record| of_dnf(root, record, installed));
    dnf.chain(of_yum(root)).next()
}

fn of_dnf(root: &RootDir, record: &Record, installed: Option<&[Package]>) -> Option<Unfinished> {
    let bytes = Bytes::open(root, record.path).ok()?;
    let log = Bytes::open(root, format!("{}-wal", record.path)).ok();
    let database = Database::open(bytes, log).ok()?;
    let mut trouble = Trouble::default();
    let mut last: Option<(i64, Vec<Value>)> = None;
    database.rows("trans", &mut trouble, &mut |id, row| {
        if last.as_ref().is_none_or(|(before, _)| *before < id) {
            last = Some((id, row));
        }
    });
    let (id, row) = last?;
    let integer = |at: usize| match row.get(at) {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    };
    // id, dt_begin, dt_end, ...
    let is_open = integer(2).is_none_or(|end| end == 0);
    if !is_open || integer(record.state) != Some(record.begun) {
        return None;
    }
    let items = Items::of(&database, record, id);
    let installed = installed.filter(|_| items.are_known);
    let counts =
        installed.and_then(|packages| planned::count(&database, &items.to_install, packages));
    let command = match row.get(record.command) {
        Some(Value::Bytes(text)) => {
            let text = without_secrets(&String::from_utf8_lossy(text));
            text.chars().take(COMMAND_CHARS).collect()
        }
        _ => String::new(),
    };
    Some(Unfinished {
        path: record.path.to_owned(),
        program: record.program.to_owned(),
        started: integer(1),
        command,
        planned: counts.map_or(items.to_install.len(), |(planned, _)| planned),
        left: counts.map(|(_, left)| left),
    })
}

/// What a transaction was to install.
struct Items {
    to_install: HashSet<i64>,
    /// All of them were read, and it shows whether they were installed.
    are_known: bool,
}

impl Items {
    fn of(database: &Database, record: &Record, transaction: i64) -> Self {
        let mut to_install = HashSet::new();
        let mut reinstalls = false;
        let mut trouble = Trouble::default();
        // id, trans_id, item_id, repo_id, action, ...
        let is_found = database.rows("trans_item", &mut trouble, &mut |_, row| {
            if let [
                _,
                Value::Integer(of),
                Value::Integer(item),
                _,
                Value::Integer(action),
                ..,
            ] = &row[..]
                && *of == transaction
                && record.installs.contains(action)
            {
                to_install.insert(*item);
                reinstalls |= *action == record.reinstalls;
            }
        });
        Self {
            to_install,
            are_known: is_found && trouble.0.is_empty() && !reinstalls,
        }
    }
}

/// `transaction-all.STAMP` and `transaction-done.STAMP`: yum removes both at
/// the end (yum's `misc.find_ts_remaining`).
fn of_yum(root: &RootDir) -> Option<Unfinished> {
    let entries = root.read_dir(YUM).ok()?;
    let names = entries.iter().map(|entry| entry.name.to_string_lossy());
    let stamps = names.filter_map(|name| {
        let stamp = name.strip_prefix("transaction-all.")?;
        (!stamp.ends_with("disabled")).then(|| stamp.to_owned())
    });
    let stamp = stamps.max()?;
    let path = format!("{YUM}/transaction-all.{stamp}");
    let all = root.read_text(&path, LIMIT).ok()?;
    let done = match root.read_text(format!("{YUM}/transaction-done.{stamp}"), LIMIT) {
        Err(error) if error.kind() != ErrorKind::NotFound => return None,
        done => done.unwrap_or_default(),
    };
    let done: HashSet<&str> = done.lines().collect();
    let all: Vec<&str> = all.lines().filter(|line| !line.trim().is_empty()).collect();
    let left = all.iter().filter(|line| !done.contains(*line)).count();
    (left > 0).then(|| Unfinished {
        path,
        program: "yum".into(),
        started: None,
        command: stamp.chars().take(COMMAND_CHARS).collect(),
        planned: all.len(),
        left: Some(left),
    })
}

/// The link that makes the next boot an update.
pub(super) fn offline_update(root: &RootDir) -> Option<OfflineUpdate> {
    ["/system-update", "/etc/system-update"]
        .into_iter()
        .find_map(|path| {
            let target = root.read_link(path).ok()?;
            Some(OfflineUpdate {
                path: path.to_owned(),
                target: target.display().to_string(),
                is_there: root.metadata(path).is_ok(),
            })
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn lists_of_yum() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("var/lib/yum");
        fs::create_dir_all(&home).unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        assert_eq!(collect(&root, None), None);
        let all = "ts_add a\nts_add b\nts_erase c\n";
        fs::write(home.join("transaction-all.2026-11-25.02:10.11"), all).unwrap();
        fs::write(
            home.join("transaction-done.2026-11-25.02:10.11"),
            "ts_add a\n",
        )
        .unwrap();
        let found = collect(&root, None).unwrap();
        assert_eq!((found.planned, found.left), (3, Some(2)));
        fs::write(home.join("transaction-done.2026-11-25.02:10.11"), all).unwrap();
        assert_eq!(collect(&root, None), None);
    }

    #[test]
    fn the_link_of_an_offline_update() {
        let folder = tempfile::tempdir().unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        assert_eq!(offline_update(&root), None);
        let link = folder.path().join("system-update");
        std::os::unix::fs::symlink("/var/lib/system-update", link).unwrap();
        let found = offline_update(&root).unwrap();
        assert_eq!(found.target, "/var/lib/system-update");
        assert!(!found.is_there);
    }
}
