//! `/var/log/dnf.rpm.log`, `dnf.log`, `dnf5.log`, and `yum.log` before them.

use super::commands::without_secrets;
use super::{Clock, Collected, Event, Kind, Stamp, Weight, Zone, log};
use crate::sys::root_dir::RootDir;

/// A pause this long, in seconds, ends a spell of work.
const PAUSE: i64 = 600;

/// Reads the commands and the packages that changed.
pub(super) fn collect(root: &RootDir, zone: &Zone, out: &mut Collected) {
    for name in ["dnf.log", "dnf5.log"] {
        for log in log::read(root, "/var/log", name, "runs of dnf", out) {
            let events = commands(&log, zone);
            seen(out, &log, &events);
            out.add(events);
        }
    }
    for name in ["dnf.rpm.log", "yum.log"] {
        for log in log::read(root, "/var/log", name, "packages that dnf changed", out) {
            let spells = spells(&log, zone);
            out.busy
                .extend(spells.iter().map(|s| (s.first.0, s.last.0)));
            let events: Vec<Event> = spells.iter().map(|s| s.tell(&log.path)).collect();
            seen(out, &log, &events);
            out.add(events);
        }
    }
}

fn seen(out: &mut Collected, log: &log::Log, events: &[Event]) {
    if let Some(last) = events.last() {
        out.seen(&log.path, last.time);
    }
}

/// `2026-11-25T02:10:11+0000 DDEBUG Command: dnf upgrade`
fn commands(log: &log::Log, zone: &Zone) -> Vec<Event> {
    let mut events = Vec::new();
    for (number, line) in log.lines() {
        let entry = Stamp::read(line).and_then(|(stamp, rest)| Some((zone.seconds(&stamp)?, rest)));
        let Some((when, rest)) = entry else { continue };
        let mut add = |kind, weight, text: String| {
            events.push(Event::new(when, kind, weight, text).at(&log.path, number));
        };
        if let Some((_, command)) = rest.split_once("DEBUG Command: ") {
            let weight = match command.contains("upgrade") || command.contains("distro-sync") {
                true => Weight::Key,
                false => Weight::Usual,
            };
            add(
                Kind::PackagesStarted,
                weight,
                format!("dnf started: {}", without_secrets(command)),
            );
        } else if let Some((_, text)) = rest.split_once("CRITICAL ") {
            add(Kind::PackagesError, Weight::Key, format!("dnf: {text}"));
        }
    }
    events
}

/// Changes without a long pause between them.
#[derive(Debug)]
struct Spell {
    first: (i64, Clock),
    last: (i64, Clock),
    changes: usize,
    last_words: String,
    line: Option<u64>,
}

impl Spell {
    fn tell(&self, path: &str) -> Event {
        let minutes = self.last.0.saturating_sub(self.first.0) / 60;
        let text = format!(
            "dnf changed {} packages in {minutes} min; the last entry: {}",
            self.changes, self.last_words
        );
        Event::new(self.last, Kind::PackagesWork, Weight::Usual, text).at(path, self.line)
    }
}

fn spells(log: &log::Log, zone: &Zone) -> Vec<Spell> {
    let mut spells: Vec<Spell> = Vec::new();
    let years = super::syslog::Years::of(log, zone);
    for (index, (number, line)) in log.lines().enumerate() {
        let stamp = Stamp::read(line).or_else(|| Stamp::read_syslog(line, years.of_line(index)));
        let entry = stamp.and_then(|(stamp, rest)| Some((zone.seconds(&stamp)?, rest)));
        let Some((when, rest)) = entry else { continue };
        // "SUBDEBUG Upgrade: glibc-2.34-1.x86_64", "Updated: glibc-..."
        let words = rest.trim().trim_start_matches("SUBDEBUG ");
        let Some((action, package)) = words.split_once(": ") else {
            continue;
        };
        let known = [
            "Upgrade",
            "Upgraded",
            "Installed",
            "Erase",
            "Erased",
            "Cleanup",
            "Downgrade",
            "Downgraded",
            "Reinstall",
            "Reinstalled",
            "Obsoleted",
            "Updated",
            "Installing",
        ];
        if !known.contains(&action) {
            continue;
        }
        let goes_on = spells
            .last()
            .is_some_and(|spell| (0..=PAUSE).contains(&when.0.saturating_sub(spell.last.0)));
        if !goes_on {
            spells.push(Spell {
                first: when,
                last: when,
                changes: 0,
                last_words: String::new(),
                line: None,
            });
        }
        let Some(spell) = spells.last_mut() else {
            continue;
        };
        spell.last = when;
        spell.changes += 1;
        spell.last_words = super::shortened(&format!("{action} {package}"), 120);
        spell.line = number;
    }
    spells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> log::Log {
        log::Log {
            path: "/l".into(),
            mtime: 1_795_590_119,
            text: text.into(),
            whole: true,
        }
    }

    #[test]
    fn commands_and_changes_of_dnf_and_yum() {
        let zone = Zone::test_utc();
        let text = "2026-11-25T02:10:11+0000 DDEBUG Command: dnf system-upgrade reboot\n\
            2026-11-25T02:10:12+0000 INFO nothing\n\
            2026-11-25T02:10:13+0000 CRITICAL Error: it failed\n";
        let events = commands(&log(text), &zone);
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].text, "dnf started: dnf system-upgrade reboot");
        let text = "2026-11-25T02:10:11+0000 INFO --- logging initialized ---\n\
            2026-11-25T02:10:12+0000 SUBDEBUG Upgrade: glibc-2.39-1.fc40.x86_64\n\
            2026-11-25T02:12:12+0000 SUBDEBUG Upgraded: glibc-2.38-1.fc39.x86_64\n";
        let found = spells(&log(text), &zone);
        assert_eq!((found.len(), found[0].changes), (1, 2));
        let text =
            "Nov 24 10:11:12 Installed: htop-3.x86_64\nNov 25 07:00:00 Updated: a-1.x86_64\n";
        let found = spells(&log(text), &zone);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].last.0, 1_795_590_000);
    }
}
