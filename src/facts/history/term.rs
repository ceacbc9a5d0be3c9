//! `/var/log/apt/term.log`: what dpkg and the packages' scripts printed.

use super::{Clock, Collected, Event, Kind, Stamp, Weight, Zone, log};
use crate::sys::root_dir::RootDir;

/// Errors of one session that are told.
const MOST_ERRORS: usize = 4;

/// One session on apt's terminal.
#[derive(Debug)]
struct Session<'a> {
    started: (i64, Clock),
    ended: Option<(i64, Clock)>,
    errors: Vec<(Option<u64>, &'a str)>,
    last: (Option<u64>, &'a str),
}

/// Reads the sessions and tells their errors.
pub(super) fn collect(root: &RootDir, zone: &Zone, out: &mut Collected) {
    let logs = log::read(root, "/var/log/apt", "term.log", "what dpkg printed", out);
    let newest = logs.len().saturating_sub(1);
    for (index, log) in logs.iter().enumerate() {
        let sessions = parse(log, zone);
        if let Some(last) = sessions.last() {
            out.seen(&log.path, last.ended.unwrap_or(last.started).0);
        }
        let is_newest = index == newest;
        let mut events = Vec::new();
        for (index, session) in sessions.iter().enumerate() {
            let is_last = is_newest && index + 1 == sessions.len();
            events.extend(tell(session, is_last, &log.path));
        }
        out.add(events);
    }
}

fn tell(session: &Session<'_>, is_last: bool, path: &str) -> Vec<Event> {
    // Lines have no times: they are between the two that the session has.
    let when = session.ended.unwrap_or(session.started);
    let weight = if is_last { Weight::Key } else { Weight::Usual };
    let surplus = session.errors.len().saturating_sub(MOST_ERRORS);
    let mut events: Vec<Event> = session
        .errors
        .iter()
        .skip(surplus)
        .map(|(line, text)| {
            Event::new(when, Kind::PackagesError, weight, format!("dpkg: {text}")).at(path, *line)
        })
        .collect();
    if is_last && session.ended.is_none() && !session.last.1.is_empty() {
        let text = format!(
            "the run of apt broke off after printing: {}",
            session.last.1
        );
        let event = Event::new(when, Kind::PackagesStopped, Weight::Usual, text);
        events.push(event.at(path, session.last.0));
    }
    events
}

fn parse<'a>(log: &'a log::Log, zone: &Zone) -> Vec<Session<'a>> {
    let mut sessions: Vec<Session<'a>> = Vec::new();
    for (number, line) in log.lines() {
        let time = |text: &str| zone.seconds(&Stamp::read(text.trim())?.0);
        if let Some(text) = line.strip_prefix("Log started: ") {
            if let Some(started) = time(text) {
                sessions.push(Session {
                    started,
                    ended: None,
                    errors: Vec::new(),
                    last: (None, ""),
                });
            }
            continue;
        }
        let Some(session) = sessions.last_mut() else {
            continue;
        };
        if let Some(text) = line.strip_prefix("Log ended: ") {
            session.ended = time(text);
            continue;
        }
        // A progress bar overwrites its own line.
        let line = line.rsplit('\r').next().unwrap_or(line).trim();
        if line.is_empty() {
            continue;
        }
        session.last = (number, line);
        if is_error(line) {
            session.errors.push((number, line));
        }
    }
    sessions
}

fn is_error(line: &str) -> bool {
    let begins = ["dpkg: error", "E: ", "dpkg-deb: error", "tar: "];
    let holds = [
        "error while loading shared libraries",
        "No space left on device",
        "returned error exit status",
        "Segmentation fault",
        "cannot execute",
    ];
    begins.iter().any(|word| line.starts_with(word)) || holds.iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn errors_of_the_last_session_matter() {
        let text = "Log started: 2026-11-24  22:01:02\n\
            Setting up htop ...\nLog ended: 2026-11-24  22:01:05\n\n\
            Log started: 2026-11-25  02:10:11\n\
            (Reading database ... 5%\r(Reading database ... 100%\n\
            dpkg: error processing package libc6:amd64 (--configure):\n\
            Unpacking libc6\n";
        let log = log::Log {
            path: "/t".into(),
            mtime: 0,
            text: text.into(),
            whole: true,
        };
        let sessions = parse(&log, &Zone::test_utc());
        assert_eq!(sessions.len(), 2);
        assert!(sessions[0].ended.is_some() && sessions[1].ended.is_none());
        let events = tell(&sessions[1], true, "/t");
        assert_eq!(events.len(), 2);
        assert_eq!((events[0].line, events[0].weight), (Some(7), Weight::Key));
        assert!(events[1].text.ends_with("Unpacking libc6"));
        assert!(tell(&sessions[0], false, "/t").is_empty());
    }
}
