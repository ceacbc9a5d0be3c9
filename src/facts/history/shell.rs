//! Histories of shells: `.bash_history` (with `#seconds` lines where
//! HISTTIMEFORMAT was set, bash(1)) and `.zsh_history` (`: seconds:0;line`).

use std::path::Path;

use super::commands::Shell;
use super::{Clock, Collected, Event, Kind, Weight, log};
use crate::sys::root_dir::{Kind as FileKind, RootDir};

/// Users whose history is read.
const MOST_USERS: usize = 20;

/// Commands without a time that are kept: the last ones.
const MOST_UNTIMED: usize = 20;

/// Reads the histories of root and of the users in `/home`.
pub(super) fn collect(root: &RootDir, out: &mut Collected) {
    let mut homes = vec![("root".to_owned(), "/root".to_owned())];
    let entries = root.read_dir("/home").unwrap_or_default();
    let users = entries.iter().filter(|e| e.kind == FileKind::Directory);
    homes.extend(users.take(MOST_USERS).map(|entry| {
        let home = Path::new("/home").join(&entry.name);
        let user = entry.name.to_string_lossy().into_owned();
        (user, home.display().to_string())
    }));
    for (user, home) in homes {
        for name in [".bash_history", ".zsh_history"] {
            let path = format!("{home}/{name}");
            // What is left of it if it is not even a file is no history.
            let Ok(meta) = root.metadata(&path) else {
                continue;
            };
            let holds = format!("what {user} typed");
            match log::text(root, &path) {
                Ok((text, whole)) => {
                    out.source(&path, &holds, None);
                    out.seen(&path, meta.mtime);
                    out.add(parse(&text, whole, meta.mtime, (&user, &home, &path)));
                }
                Err(error) => out.source(&path, &holds, Some(error.to_string())),
            }
        }
    }
}

fn parse(
    text: &str,
    whole: bool,
    mtime: i64,
    (user, home, path): (&str, &str, &str),
) -> Vec<Event> {
    let mut shell = Shell::in_directory(home);
    let mut timed = Vec::new();
    let mut untimed = Vec::new();
    let mut next: Option<i64> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(seconds) = line.strip_prefix('#').and_then(|n| n.parse().ok()) {
            next = Some(seconds);
            continue;
        }
        let (zsh, line) = zsh(line);
        let time = zsh.or(next.take());
        let when = time.map_or((mtime, Clock::NotAfter), |time| (time, Clock::Exact));
        for (weight, command) in shell.line(line) {
            // Without a time it is not known what belongs to the outage.
            let weight = match time {
                Some(_) => weight,
                None => weight.min(Weight::Usual),
            };
            let text = format!("{user} typed: {command}");
            let event =
                Event::new(when, Kind::Command, weight, text).at(path, whole.then_some(number));
            match time {
                Some(_) => timed.push(event),
                None => untimed.push(event),
            }
        }
    }
    let surplus = untimed.len().saturating_sub(MOST_UNTIMED);
    timed.extend(untimed.drain(..).skip(surplus));
    timed
}

/// `: 1795590119:0;mv a b`
fn zsh(line: &str) -> (Option<i64>, &str) {
    let parsed = || {
        let (seconds, rest) = line.strip_prefix(": ")?.split_once(':')?;
        let (_, command) = rest.split_once(';')?;
        Some((Some(seconds.parse().ok()?), command))
    };
    parsed().unwrap_or((None, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_where_there_are_any_and_the_files_own_where_not() {
        let text = "ls\n#1795590119\nmv /usr/sbin /usr/sbin.backup\nmysql -psecret\n\
            : 1795590200:0;ln -s /usr/bin /usr/sbin\ncd /usr\nrm -r lib\n";
        let events = parse(text, true, 1_795_600_000, ("root", "/root", "/root/.h"));
        let told: Vec<_> = events
            .iter()
            .map(|event| (event.time, event.clock, event.line, event.text.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    1_795_590_119,
                    Clock::Exact,
                    Some(3),
                    "root typed: mv /usr/sbin /usr/sbin.backup"
                ),
                (
                    1_795_590_200,
                    Clock::Exact,
                    Some(5),
                    "root typed: ln -s /usr/bin /usr/sbin"
                ),
                (
                    1_795_600_000,
                    Clock::NotAfter,
                    Some(7),
                    "root typed: rm -r lib"
                ),
            ]
        );
    }
}
