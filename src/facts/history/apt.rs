//! `/var/log/apt/history.log`: the runs of apt (`apt-pkg/history.cc` and
//! `pkgDPkgPM::OpenLog` of apt write it).

use serde::{Deserialize, Serialize};

use super::commands::without_secrets;
use super::{Clock, Collected, Event, Kind, Stamp, Weight, Zone, log};
use crate::sys::root_dir::RootDir;

/// Runs that are kept.
const MOST_RUNS: usize = 50;

/// One run of apt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// When it ended; none when it did not write that.
    pub ended: Option<i64>,
    /// How these times were come by.
    pub clock: Clock,
    /// The command, as it was typed.
    pub command: String,
    /// Who asked for it, where that was not root itself.
    pub asked_by: Option<String>,
    /// Packages that were to be installed.
    pub install: usize,
    /// Packages that were to be upgraded.
    pub upgrade: usize,
    /// Packages that were to be removed or purged.
    pub remove: usize,
    /// What apt said at the end.
    pub error: Option<String>,
    /// The releases between which it upgraded: `bookworm`, `trixie`.
    pub releases: Option<(String, String)>,
    /// The file.
    pub path: String,
    /// The line of its beginning.
    pub line: Option<u64>,
}

impl Run {
    /// `upgrade bookworm to trixie (159 to upgrade, 30 new, 21 to remove)`.
    pub fn what(&self) -> String {
        let counts = [
            (self.upgrade, "to upgrade"),
            (self.install, "new"),
            (self.remove, "to remove"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let counts = match counts.is_empty() {
            true => String::new(),
            false => format!(" ({})", counts.join(", ")),
        };
        match &self.releases {
            Some((from, to)) => format!("upgrade {from} to {to}{counts}"),
            None => format!("{:?}{counts}", super::shortened(&self.command, 100)),
        }
    }

    /// True when much changed at once.
    fn is_big(&self) -> bool {
        self.releases.is_some() || self.upgrade + self.install + self.remove > 50
    }
}

/// Reads the runs and tells them as events.
pub(super) fn collect(root: &RootDir, zone: &Zone, out: &mut Collected) {
    let logs = log::read(root, "/var/log/apt", "history.log", "runs of apt", out);
    let mut runs: Vec<Run> = Vec::new();
    for log in &logs {
        let found = parse(log, zone);
        if let Some(last) = found.last() {
            out.seen(&log.path, last.ended.unwrap_or(last.started));
        }
        runs.extend(found);
    }
    let surplus = runs.len().saturating_sub(MOST_RUNS);
    runs.drain(..surplus);
    let last = runs.len().saturating_sub(1);
    let mut events = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        tell(run, index == last, &mut events);
        if let Some(ended) = run.ended {
            out.busy.push((run.started, ended));
        }
    }
    out.add(events);
    out.runs = runs;
}

fn tell(run: &Run, is_last: bool, events: &mut Vec<Event>) {
    let weight = match run.ended {
        None if is_last => Weight::Key,
        _ if run.is_big() || run.error.is_some() => Weight::Key,
        _ => Weight::Usual,
    };
    let by = match &run.asked_by {
        Some(user) => format!(", asked for by {user}"),
        None => String::new(),
    };
    let never = match run.ended {
        None => "; its end was never written",
        Some(_) => "",
    };
    let when = (run.started, run.clock);
    let text = format!("apt started: {}{by}{never}", run.what());
    events.push(Event::new(when, Kind::PackagesStarted, weight, text).at(&run.path, run.line));
    let Some(ended) = run.ended else { return };
    let (kind, text) = match &run.error {
        Some(error) => (Kind::PackagesError, format!("apt ended: {error}")),
        None => (Kind::PackagesEnded, "apt ended".to_owned()),
    };
    let weight = match run.error {
        None if !run.is_big() => Weight::Detail,
        _ => weight,
    };
    events.push(Event::new((ended, run.clock), kind, weight, text).at(&run.path, run.line));
}

/// The stanzas of a log.
fn parse(log: &log::Log, zone: &Zone) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (number, line) in log.lines() {
        let Some((field, value)) = line.split_once(": ") else {
            continue;
        };
        let time = || zone.seconds(&Stamp::read(value.trim())?.0);
        if field == "Start-Date" {
            let Some((started, clock)) = time() else {
                continue;
            };
            runs.push(Run {
                started,
                ended: None,
                clock,
                command: String::new(),
                asked_by: None,
                install: 0,
                upgrade: 0,
                remove: 0,
                error: None,
                releases: None,
                path: log.path.clone(),
                line: number,
            });
            continue;
        }
        let Some(run) = runs.last_mut() else { continue };
        match field {
            "Commandline" => run.command = super::shortened(&without_secrets(value), 400),
            "Requested-By" => run.asked_by = Some(super::shortened(value, 60)),
            "Install" | "Reinstall" => run.install += count(value),
            "Upgrade" | "Downgrade" => {
                run.upgrade += count(value);
                run.releases = run.releases.take().or_else(|| releases(value));
            }
            "Remove" | "Purge" => run.remove += count(value),
            "Error" => run.error = Some(super::shortened(value, 160)),
            "End-Date" => run.ended = time().map(|(ended, _)| ended),
            _ => {}
        }
    }
    runs
}

/// `name:arch (old, new), name:arch (new, automatic), ...`
fn count(list: &str) -> usize {
    list.matches(" (").count()
}

/// The releases before and after, where base-files changes its major version
/// (Debian numbers it as the release).
fn releases(list: &str) -> Option<(String, String)> {
    let item = list
        .split("), ")
        .find(|item| item.starts_with("base-files:"))?;
    let (_, versions) = item.split_once(" (")?;
    let (old, new) = versions.trim_end_matches(')').split_once(", ")?;
    let (old, new) = (release(old)?, release(new)?);
    (old != new).then(|| (old.to_owned(), new.to_owned()))
}

fn release(version: &str) -> Option<&'static str> {
    if version.contains("ubuntu") {
        return None;
    }
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some(match major.as_str() {
        "8" => "jessie",
        "9" => "stretch",
        "10" => "buster",
        "11" => "bullseye",
        "12" => "bookworm",
        "13" => "trixie",
        "14" => "forky",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// As apt 2.6 and 3.0 wrote it on the lab's servers, shortened.
    const LOG: &str = "\nStart-Date: 2026-11-24  22:01:02\n\
        Commandline: apt install -y htop\n\
        Requested-By: anna (1000)\n\
        Install: htop:amd64 (3.2.2-2)\n\
        End-Date: 2026-11-24  22:01:05\n\
        \nStart-Date: 2026-11-25  02:10:11\n\
        Commandline: apt full-upgrade\n\
        Install: libssl3t64:amd64 (3.5.4-1, automatic)\n\
        Upgrade: dpkg:amd64 (1.21.23, 1.22.22), base-files:amd64 (12.4+deb12u15, 13.8+deb13u8)\n\
        Remove: libssl3:amd64 (3.0.20-1~deb12u2)\n";

    fn log(text: &str) -> log::Log {
        log::Log {
            path: "/var/log/apt/history.log".into(),
            mtime: 0,
            text: text.into(),
            whole: true,
        }
    }

    #[test]
    fn runs_are_counted_and_the_one_without_an_end_is_told() {
        let runs = parse(&log(LOG), &Zone::test_utc());
        assert_eq!(runs.len(), 2);
        assert_eq!(runs[0].ended, Some(runs[0].started + 3));
        assert_eq!(runs[0].asked_by.as_deref(), Some("anna (1000)"));
        assert_eq!((runs[1].ended, runs[1].line), (None, Some(8)));
        let what = "upgrade bookworm to trixie (2 to upgrade, 1 new, 1 to remove)";
        assert_eq!(runs[1].what(), what);
        let mut events = Vec::new();
        tell(&runs[0], false, &mut events);
        tell(&runs[1], true, &mut events);
        assert_eq!(events.len(), 3);
        assert!(events[2].text.ends_with("its end was never written"));
        assert_eq!(events[2].weight, Weight::Key);
    }

    #[test]
    fn an_error_at_the_end_matters() {
        let text = LOG.replace(
            "End-Date",
            "Error: Sub-process /usr/bin/dpkg failed\nEnd-Date",
        );
        let mut events = Vec::new();
        tell(
            &parse(&log(&text), &Zone::test_utc())[0],
            false,
            &mut events,
        );
        assert_eq!(events[1].kind, Kind::PackagesError);
        assert_eq!(events[1].weight, Weight::Key);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "(Start-Date: |End-Date: |Upgrade: |base-files:|[(),:0-9 \n-]|\\PC){0,60}") {
            parse(&log(&text), &Zone::test_utc());
        }
    }
}
