//! `/var/log/dpkg.log`: every step of dpkg (dpkg(1), `--log`).

use super::{Clock, Collected, Event, Kind, Stamp, Weight, Zone, log};
use crate::sys::root_dir::RootDir;

/// A pause this long, in seconds, ends a spell of work.
const PAUSE: i64 = 300;

/// A spell of work: entries without a long pause between them.
#[derive(Debug)]
struct Spell {
    first: (i64, Clock),
    last: (i64, Clock),
    unpacked: usize,
    configured: usize,
    removed: usize,
    last_words: String,
    path: String,
    line: Option<u64>,
}

/// Reads the spells of work and tells them.
pub(super) fn collect(root: &RootDir, zone: &Zone, out: &mut Collected) {
    let logs = log::read(root, "/var/log", "dpkg.log", "steps of dpkg", out);
    let mut spells: Vec<Spell> = Vec::new();
    for log in &logs {
        read(log, zone, &mut spells);
        if let Some(last) = spells.last() {
            out.seen(&log.path, last.last.0);
        }
    }
    out.busy
        .extend(spells.iter().map(|spell| (spell.first.0, spell.last.0)));
    let last = spells.len().saturating_sub(1);
    let events = spells.iter().enumerate().map(|(index, spell)| {
        let event = match index == last {
            true => ending(spell),
            false => Event::new(
                spell.first,
                Kind::PackagesWork,
                Weight::Detail,
                work(spell, "dpkg began a spell of work"),
            ),
        };
        event.at(&spell.path, spell.line)
    });
    out.add(events.collect());
}

/// What dpkg did last, and whether a step was open then.
fn ending(spell: &Spell) -> Event {
    let (text, open) = match step(&spell.last_words) {
        Some((text, open)) => (text, open),
        None => (spell.last_words.clone(), false),
    };
    let (kind, weight) = match open {
        true => (Kind::PackagesStopped, Weight::Key),
        false => (Kind::PackagesWork, Weight::Usual),
    };
    let text = format!("last entry of dpkg: {text}");
    Event::new(spell.last, kind, weight, work(spell, &text))
}

fn work(spell: &Spell, what: &str) -> String {
    let counts = [
        (spell.unpacked, "unpacked"),
        (spell.configured, "configured"),
        (spell.removed, "removed"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match counts.is_empty() {
        true => what.to_owned(),
        false => format!("{what} ({})", counts.join(", ")),
    }
}

/// `status half-installed libc6:amd64 2.41-12` in words; true when dpkg had
/// more to do with this package.
fn step(words: &str) -> Option<(String, bool)> {
    let mut words = words.split(' ');
    let first = words.next()?;
    let (state, package, version) = match first {
        "status" => (words.next()?, words.next()?, words.next().unwrap_or("")),
        _ => (first, words.next()?, words.next().unwrap_or("")),
    };
    let package = format!("{package} {version}");
    let package = package.trim();
    Some(match state {
        "half-installed" => (format!("unpacking or removing {package}"), true),
        "unpacked" => (format!("{package} unpacked, not yet configured"), true),
        "half-configured" => (format!("configuring {package}"), true),
        "triggers-awaited" | "triggers-pending" => (format!("{package} waits for triggers"), true),
        "installed" => (format!("{package} installed"), false),
        "config-files" | "not-installed" => (format!("{package} removed"), false),
        "install" | "upgrade" | "configure" | "trigproc" | "remove" | "purge" | "disappear" => {
            (format!("{state} {package}"), true)
        }
        _ => return None,
    })
}

fn read(log: &log::Log, zone: &Zone, spells: &mut Vec<Spell>) {
    for (number, line) in log.lines() {
        let Some((stamp, rest)) = Stamp::read(line) else {
            continue;
        };
        let Some(when) = zone.seconds(&stamp) else {
            continue;
        };
        let words = rest.trim();
        let goes_on = spells
            .last()
            .is_some_and(|spell| (0..=PAUSE).contains(&when.0.saturating_sub(spell.last.0)));
        if !goes_on {
            spells.push(Spell {
                first: when,
                last: when,
                unpacked: 0,
                configured: 0,
                removed: 0,
                last_words: String::new(),
                path: String::new(),
                line: None,
            });
        }
        let Some(spell) = spells.last_mut() else {
            continue;
        };
        spell.last = when;
        spell.last_words = super::shortened(words, 160);
        spell.path.clone_from(&log.path);
        spell.line = number;
        let mut words = words.split(' ');
        match words.next() {
            Some("install" | "upgrade") => spell.unpacked += 1,
            Some("configure") => spell.configured += 1,
            Some("remove" | "purge") => spell.removed += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn log(text: &str) -> log::Log {
        log::Log {
            path: "/var/log/dpkg.log".into(),
            mtime: 0,
            text: text.into(),
            whole: true,
        }
    }

    fn spells(text: &str) -> Vec<Spell> {
        let mut spells = Vec::new();
        read(&log(text), &Zone::test_utc(), &mut spells);
        spells
    }

    #[test]
    fn a_pause_parts_spells_and_the_last_step_is_told() {
        let text = "2026-11-25 02:10:11 startup archives unpack\n\
            2026-11-25 02:10:11 upgrade base-files:amd64 12.4 13.8\n\
            2026-11-25 02:10:12 status half-configured base-files:amd64 12.4\n\
            2026-11-25 02:10:12 configure base-files:amd64 13.8 <none>\n\
            2026-11-25 02:41:00 upgrade libc6:amd64 2.36-9 2.41-12\n\
            2026-11-25 02:41:01 status half-installed libc6:amd64 2.36-9\n";
        let spells = spells(text);
        assert_eq!(spells.len(), 2);
        assert_eq!((spells[0].unpacked, spells[0].configured), (1, 1));
        let event = ending(&spells[1]);
        assert_eq!(event.weight, Weight::Key);
        let said = "last entry of dpkg: unpacking or removing libc6:amd64 2.36-9 (1 unpacked)";
        assert_eq!(event.text, said);
    }

    #[test]
    fn a_finished_step_is_no_alarm() {
        let event = ending(&spells("2026-11-25 02:10:11 status installed htop:amd64 3\n")[0]);
        assert_eq!(event.weight, Weight::Usual);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "(2026-11-25 0[0-9]:10:11 |status |unpacked |[a-z:0-9 \n]){0,80}") {
            for spell in spells(&text) {
                ending(&spell);
            }
        }
    }
}
