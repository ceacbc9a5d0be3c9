//! What syslogd wrote: logins, commands with sudo, starts and stops. Both
//! forms: `Nov 25 07:01:59 host` (RFC 3164, no year) and RFC 3339.

use super::commands::Shell;
use super::{Clock, Collected, Event, Kind, Stamp, Weight, Zone, log};
use crate::sys::root_dir::RootDir;

/// Debian's and Red Hat's names for the same.
const LOGS: [(&str, &str); 5] = [
    ("auth.log", "logins and sudo"),
    ("secure", "logins and sudo"),
    ("syslog", "messages"),
    ("messages", "messages"),
    ("kern.log", "the kernel's messages"),
];

/// Reads the logs.
pub(super) fn collect(root: &RootDir, zone: &Zone, out: &mut Collected) {
    for (name, holds) in LOGS {
        for log in log::read(root, "/var/log", name, holds, out) {
            let (events, newest) = parse(&log, zone);
            if let Some((time, _)) = newest {
                out.seen(&log.path, time);
            }
            out.add(events);
        }
    }
}

/// The events of a log, and the time of its last entry.
fn parse(log: &log::Log, zone: &Zone) -> (Vec<Event>, Option<(i64, Clock)>) {
    let years = Years::of(log, zone);
    let mut events = Vec::new();
    let mut newest = None;
    for (index, (number, line)) in log.lines().enumerate() {
        let stamp = Stamp::read(line).or_else(|| Stamp::read_syslog(line, years.of_line(index)));
        let Some((when, rest)) = stamp.and_then(|(s, rest)| Some((zone.seconds(&s)?, rest))) else {
            continue;
        };
        newest = Some(when);
        let Some((_host, rest)) = rest.trim_start().split_once(' ') else {
            continue;
        };
        let Some((program, message)) = rest.split_once(": ") else {
            continue;
        };
        let program = program.split('[').next().unwrap_or(program);
        if let Some((kind, weight, text)) = classify(program, message) {
            events.push(Event::new(when, kind, weight, text).at(&log.path, number));
        }
    }
    (events, newest)
}

/// What a message of this program means, where that is worth an event.
pub(super) fn classify(program: &str, message: &str) -> Option<(Kind, Weight, String)> {
    let message = message.trim();
    match program {
        "sudo" => sudo(message),
        "sshd" | "sshd-session" => {
            let rest = message.strip_prefix("Accepted ")?;
            let (how, rest) = rest.split_once(" for ")?;
            let (user, rest) = rest.split_once(" from ")?;
            let from = rest.split(' ').next().unwrap_or(rest);
            let text = format!("{user} logged in over ssh from {from} ({how})");
            Some((Kind::Login, Weight::Usual, text))
        }
        "login" if message.contains("LOGIN ON") || message.contains("ROOT LOGIN") => {
            let text = format!("login at the console: {message}");
            Some((Kind::Login, Weight::Usual, text))
        }
        "systemd-logind" => {
            let stops = ["System is ", "The system will ", "Power key pressed"];
            let known = stops.iter().any(|start| message.starts_with(start));
            known.then(|| (Kind::Shutdown, Weight::Key, format!("logind: {message}")))
        }
        "shutdown" => Some((Kind::Shutdown, Weight::Key, format!("shutdown: {message}"))),
        "kernel" => {
            let (_, version) = message.split_once("Linux version ")?;
            let version = version.split(' ').next().unwrap_or(version);
            let text = format!("the kernel {version} started");
            Some((Kind::Boot, Weight::Usual, text))
        }
        _ => None,
    }
}

/// `anna : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/mv a b`
fn sudo(message: &str) -> Option<(Kind, Weight, String)> {
    let (user, rest) = message.split_once(" : ")?;
    let (context, command) = rest.split_once("COMMAND=")?;
    let place = context
        .split(" ; ")
        .find_map(|part| part.trim().strip_prefix("PWD="));
    let (weight, command) = Shell::in_directory(place.unwrap_or("/"))
        .line(command)
        .into_iter()
        .max_by_key(|(weight, _)| *weight)?;
    let text = format!("{} ran with sudo: {command}", user.trim());
    Some((Kind::Command, weight, text))
}

/// The years of lines that have none: the last one was written when the file
/// was, and the others before it.
pub(super) struct Years(Vec<i16>);

impl Years {
    pub(super) fn of(log: &log::Log, zone: &Zone) -> Self {
        let months: Vec<Option<Stamp>> = log
            .lines()
            .map(|(_, line)| Stamp::read_syslog(line, 2000).map(|(stamp, _)| stamp))
            .collect();
        let mut year = zone.year(log.mtime);
        let mut later: Option<i64> = None;
        let mut years = vec![year; months.len()];
        for (stamp, place) in months.iter().zip(years.iter_mut()).rev() {
            // Within the year 2000, thus comparable.
            let Some((at, _)) = stamp.as_ref().and_then(|stamp| zone.seconds(stamp)) else {
                *place = year;
                continue;
            };
            const HALF: i64 = 183 * 86_400;
            let turned = match later {
                Some(later) => at > later.saturating_add(HALF),
                None => {
                    let start = zone.year_start(year);
                    let since = at.saturating_sub(zone.year_start(2000));
                    start.saturating_add(since) > log.mtime.saturating_add(2 * 86_400)
                }
            };
            if turned {
                year = year.saturating_sub(1);
            }
            later = Some(at);
            *place = year;
        }
        Self(years)
    }

    pub(super) fn of_line(&self, index: usize) -> i16 {
        self.0.get(index).copied().unwrap_or(1970)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn log(text: &str) -> log::Log {
        log::Log {
            path: "/var/log/auth.log".into(),
            // 2026-01-02 00:00 UTC
            mtime: 1_767_312_000,
            text: text.into(),
            whole: true,
        }
    }

    #[test]
    fn the_year_is_that_of_the_file_and_turns_at_new_year() {
        let text = "Dec 31 23:59:59 web sshd[77]: Accepted publickey for root from 192.0.2.7 \
            port 50022 ssh2: ED25519 SHA256:x\n\
            Jan  1 00:00:01 web sudo:     anna : TTY=pts/0 ; PWD=/usr ; USER=root ; \
            COMMAND=/usr/bin/mv sbin sbin.backup\n";
        let (events, newest) = parse(&log(text), &Zone::test_utc());
        assert_eq!(events[0].time, 1_767_225_599);
        assert_eq!(events[1].time, 1_767_225_601);
        assert_eq!(newest.unwrap().0, 1_767_225_601);
        let login = "root logged in over ssh from 192.0.2.7 (publickey)";
        assert_eq!(events[0].text, login);
        let ran = "anna ran with sudo: /usr/bin/mv sbin sbin.backup";
        assert_eq!(
            (events[1].text.as_str(), events[1].weight),
            (ran, Weight::Key)
        );
    }

    #[test]
    fn the_new_form_and_what_does_not_matter() {
        let text = "2026-01-01T07:01:59.123456+01:00 web systemd-logind[5]: System is rebooting.\n\
            2026-01-01T07:02:00+01:00 web kernel: [    0.000000] Linux version 6.1.0-9 (x) #1\n\
            2026-01-01T07:02:01+01:00 web sudo: anna : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls\n";
        let (events, _) = parse(&log(text), &Zone::test_utc());
        let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [Kind::Shutdown, Kind::Boot]);
        assert_eq!(events[0].clock, Clock::Exact);
        assert_eq!(events[1].text, "the kernel 6.1.0-9 started");
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "((Jan|Dec|Feb) [ 0-9][0-9] 0[0-9]:10:11 h |sudo: |a : PWD=|COMMAND=|[a-z'\";&| \n/]|\\PC){0,60}") {
            parse(&log(&text), &Zone::test_utc());
        }
    }
}
