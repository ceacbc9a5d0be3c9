//! `/var/lib/wtmpdb/wtmp.db`: starts, stops and logins since Debian 13 (the table
//! of wtmpdb's `lib/sqlite.c`, the types of its `wtmpdb.h`).

use std::collections::VecDeque;
use std::io::ErrorKind;

use super::boots::{Boot, Ending};
use super::{Clock, Collected, Event, Kind, Weight};
use crate::facts::database::bytes::Bytes;
use crate::facts::database::sqlite::{Database, Trouble, Value};
use crate::sys::root_dir::RootDir;

const PLACE: &str = "/var/lib/wtmpdb";

/// Bytes of a database that is read: ten million logins have as many.
const BYTES_MAX: u64 = 1 << 30;

/// Rows that are kept, the newest.
const ROWS_MAX: usize = 20_000;

/// Databases that are read, the newest: `wtmpdb rotate` makes one each time.
const FILES_MAX: usize = 4;

/// Characters of a name that are kept.
const NAME_CHARS: usize = 100;

const BOOT_TIME: i64 = 1;
const USER_PROCESS: i64 = 3;

const MICROSECONDS: i64 = 1_000_000;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    kind: i64,
    user: String,
    login: i64,
    logout: Option<i64>,
    tty: String,
    host: String,
}

/// Reads starts, stops and logins.
pub(super) fn collect(root: &RootDir, out: &mut Collected) {
    for path in paths(root) {
        let holds = "starts, stops and logins";
        match rows(root, &path) {
            Ok((rows, trouble)) => {
                out.source(&path, holds, trouble);
                let times = rows.iter().map(|row| row.logout.unwrap_or(row.login));
                if let Some(newest) = times.max() {
                    out.seen(&path, newest);
                }
                let logins = rows
                    .iter()
                    .filter_map(|row| Some(login(row)?.at(&path, None)));
                out.add(logins.collect());
                out.boots.extend(boots(&rows, &path));
            }
            Err(why) => out.source(&path, holds, Some(why)),
        }
    }
}

/// The databases, the oldest first: `wtmp_20261125.db` and the like, `wtmp.db`.
fn paths(root: &RootDir) -> Vec<String> {
    let entries = root.read_dir(PLACE).unwrap_or_default();
    let names = entries.iter().filter_map(|entry| entry.name.to_str());
    let is_one = |name: &&str| {
        let inner = name
            .strip_prefix("wtmp")
            .and_then(|n| n.strip_suffix(".db"));
        inner.is_some_and(|inner| inner.is_empty() || inner.starts_with('_'))
    };
    let mut names: Vec<&str> = names.filter(is_one).collect();
    // The one without a date is the newest.
    names.sort_by_key(|name| (*name == "wtmp.db", *name));
    let surplus = names.len().saturating_sub(FILES_MAX);
    let names = names.into_iter().skip(surplus);
    names.map(|name| format!("{PLACE}/{name}")).collect()
}

/// The rows, in the order of time, and what of the database could not be read.
fn rows(root: &RootDir, path: &str) -> Result<(Vec<Row>, Option<String>), String> {
    let open = |path: &str| Bytes::open(root, path);
    let bytes = open(path).map_err(|error| error.to_string())?;
    if bytes.size() > BYTES_MAX {
        return Err(format!("larger than {BYTES_MAX} bytes"));
    }
    let log = match open(&format!("{path}-wal")) {
        Ok(log) if log.size() > BYTES_MAX => return Err("its log is too large".into()),
        Ok(log) => Some(log),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(format!("its log cannot be read: {error}")),
    };
    let database = Database::open(bytes, log)?;
    let mut trouble = Trouble(database.trouble().into_iter().collect());
    let mut rows = VecDeque::new();
    let found = database.rows("wtmp", &mut trouble, &mut |_, values| {
        rows.extend(Row::of(&values));
        if rows.len() > ROWS_MAX {
            rows.pop_front();
        }
    });
    if !found {
        return Err("it has no table of logins".into());
    }
    // SQLite takes what stands there back when it opens the database next.
    let journal = root.metadata(format!("{path}-journal"));
    if journal.is_ok_and(|meta| meta.size > 0) {
        trouble.0.push("its last write was cut off".into());
    }
    let mut rows = Vec::from(rows);
    rows.sort_by_key(|row| row.login);
    let trouble = (!trouble.0.is_empty()).then(|| trouble.0.join("; "));
    Ok((rows, trouble))
}

impl Row {
    /// ID, Type, User, Login, Logout, TTY, RemoteHost, Service.
    fn of(values: &[Value]) -> Option<Self> {
        let integer = |at: usize| match values.get(at) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        };
        let text = |at: usize| match values.get(at) {
            Some(Value::Bytes(text)) => {
                let text = String::from_utf8_lossy(text);
                text.chars().take(NAME_CHARS).collect()
            }
            _ => String::new(),
        };
        Some(Self {
            kind: integer(1)?,
            user: text(2),
            login: integer(3)? / MICROSECONDS,
            logout: integer(4).map(|time| time / MICROSECONDS),
            tty: text(5),
            host: text(6),
        })
    }
}

fn login(row: &Row) -> Option<Event> {
    if row.kind != USER_PROCESS || row.user.is_empty() {
        return None;
    }
    let from = match row.host.as_str() {
        "" => String::new(),
        host => format!(" from {host}"),
    };
    let text = format!("{} logged in on {}{from}", row.user, row.tty);
    let when = (row.login, Clock::Exact);
    Some(Event::new(when, Kind::Login, Weight::Detail, text))
}

/// A start, all until the next one, and the stop where one is recorded: it is
/// the logout of the start.
fn boots(rows: &[Row], path: &str) -> Vec<Boot> {
    let mut boots: Vec<Boot> = Vec::new();
    for row in rows {
        if row.kind == BOOT_TIME {
            if let Some(boot) = boots.last_mut().filter(|b| b.ending == Ending::Unknown) {
                boot.ending = Ending::CutOff;
            }
            let mut boot = Boot::new(row.login, path);
            boot.kernel = Some(row.host.clone()).filter(|host| !host.is_empty());
            if let Some(stopped) = row.logout {
                boot.ending = Ending::Clean;
                boot.last = boot.last.max(stopped);
            }
            boots.push(boot);
        } else if let Some(boot) = boots.last_mut().filter(|b| b.ending == Ending::Unknown) {
            let last = row.logout.unwrap_or(row.login).max(row.login);
            boot.last = boot.last.max(last);
        }
    }
    boots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: i64, login: i64, logout: Option<i64>) -> Row {
        Row {
            kind,
            user: "root".into(),
            login,
            logout,
            tty: "pts/0".into(),
            host: "192.0.2.7".into(),
        }
    }

    #[test]
    fn a_start_without_an_end_was_cut_off_by_the_next() {
        let rows = [
            row(BOOT_TIME, 100, Some(200)),
            row(USER_PROCESS, 150, None),
            row(BOOT_TIME, 300, None),
            row(USER_PROCESS, 310, Some(350)),
            row(BOOT_TIME, 400, None),
        ];
        let boots = boots(&rows, "/w");
        let found: Vec<_> = boots.iter().map(|b| (b.ending, b.last)).collect();
        let wanted = [
            (Ending::Clean, 200),
            (Ending::CutOff, 350),
            (Ending::Unknown, 400),
        ];
        assert_eq!(found, wanted);
        let said = login(&rows[1]).map(|event| event.text);
        let wanted = "root logged in on pts/0 from 192.0.2.7";
        assert_eq!(said.as_deref(), Some(wanted));
    }
}
