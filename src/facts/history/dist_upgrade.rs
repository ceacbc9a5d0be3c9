//! `/var/log/dist-upgrade/main.log`: Ubuntu's `do-release-upgrade`
//! (`DistUpgradeMain.py` sets its format up).

use std::path::Path;

use super::{Clock, Collected, Event, Kind, Stamp, Weight, Zone, log};
use crate::sys::root_dir::{Kind as FileKind, RootDir};

const PLACE: &str = "/var/log/dist-upgrade";

/// Earlier runs whose logs were put into a folder with their date.
const MOST_EARLIER: usize = 2;

/// Errors of a run that are told.
const MOST_ERRORS: usize = 3;

/// Reads the newest runs.
pub(super) fn collect(root: &RootDir, zone: &Zone, out: &mut Collected) {
    let entries = root.read_dir(PLACE).unwrap_or_default();
    let mut folders: Vec<String> = entries
        .iter()
        .filter(|entry| entry.kind == FileKind::Directory)
        .map(|entry| Path::new(PLACE).join(&entry.name).display().to_string())
        .collect();
    // They are called by date.
    let surplus = folders.len().saturating_sub(MOST_EARLIER);
    folders.drain(..surplus);
    folders.push(PLACE.to_owned());
    for folder in folders {
        let holds = "the release upgrade";
        for log in log::read(root, &folder, "main.log", holds, out) {
            let events = parse(&log, zone);
            if let Some(last) = events.last() {
                out.seen(&log.path, last.time);
            }
            out.add(events);
        }
    }
}

fn parse(log: &log::Log, zone: &Zone) -> Vec<Event> {
    let mut events = Vec::new();
    let mut errors = Vec::new();
    let mut last: Option<((i64, Clock), Option<u64>, &str)> = None;
    for (number, line) in log.lines() {
        let entry = Stamp::read(line).and_then(|(stamp, rest)| Some((zone.seconds(&stamp)?, rest)));
        let Some((when, rest)) = entry else { continue };
        let (level, text) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let event =
            |kind, weight, text: String| Event::new(when, kind, weight, text).at(&log.path, number);
        if text.starts_with("release-upgrader version") {
            let text = format!("do-release-upgrade started ({text})");
            events.push(event(Kind::PackagesStarted, Weight::Key, text));
        } else if matches!(level, "ERROR" | "CRITICAL") {
            let text = format!("do-release-upgrade: {text}");
            errors.push(event(Kind::PackagesError, Weight::Key, text));
        }
        last = Some((when, number, text));
    }
    let surplus = errors.len().saturating_sub(MOST_ERRORS);
    events.extend(errors.drain(..).skip(surplus));
    if let Some((when, line, text)) = last {
        let text = format!("last entry of do-release-upgrade: {text}");
        events.push(Event::new(when, Kind::PackagesWork, Weight::Usual, text).at(&log.path, line));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_errors_and_the_last_entry() {
        let text = "2026-11-25 02:00:01,123 INFO Using config files '['./DistUpgrade.cfg']'\n\
            2026-11-25 02:00:02,000 INFO release-upgrader version '17.10.7' started\n\
            2026-11-25 02:40:00,000 ERROR Exception during pm.DoInstall()\n\
            Traceback (most recent call last):\n\
            2026-11-25 02:41:00,000 DEBUG running apport_crash()\n";
        let log = log::Log {
            path: "/m".into(),
            mtime: 0,
            text: text.into(),
            whole: true,
        };
        let events = parse(&log, &Zone::test_utc());
        let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
        let expected = [
            Kind::PackagesStarted,
            Kind::PackagesError,
            Kind::PackagesWork,
        ];
        assert_eq!(kinds, expected);
        assert_eq!(events[1].line, Some(3));
    }
}
