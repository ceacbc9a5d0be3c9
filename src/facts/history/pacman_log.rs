//! `/var/log/pacman.log` (libalpm's `alpm_logaction`).

use super::commands::without_secrets;
use super::{Clock, Collected, Event, Kind, Stamp, Weight, Zone, log};
use crate::sys::root_dir::RootDir;

/// One transaction.
#[derive(Debug, Default)]
struct Transaction {
    started: Option<(i64, Clock)>,
    ended: bool,
    changes: usize,
    last: Option<((i64, Clock), Option<u64>, String)>,
}

/// Reads commands and transactions.
pub(super) fn collect(root: &RootDir, zone: &Zone, out: &mut Collected) {
    for log in log::read(root, "/var/log", "pacman.log", "runs of pacman", out) {
        let mut events = Vec::new();
        let busy = parse(&log, zone, &mut events);
        out.busy.extend(busy);
        if let Some(last) = events.last() {
            out.seen(&log.path, last.time);
        }
        out.add(events);
    }
}

/// Tells the log; answers when pacman worked.
fn parse(log: &log::Log, zone: &Zone, events: &mut Vec<Event>) -> Vec<(i64, i64)> {
    let mut busy = Vec::new();
    let mut open = Transaction::default();
    for (number, line) in log.lines() {
        let Some((when, words)) = entry(line, zone) else {
            continue;
        };
        let event =
            |kind, weight, text: String| Event::new(when, kind, weight, text).at(&log.path, number);
        if let Some(command) = words.strip_prefix("[PACMAN] Running '") {
            let command = command.trim_end_matches('\'');
            let weight = match command.contains("-S") && command.contains('u') {
                true => Weight::Key,
                false => Weight::Usual,
            };
            let text = format!("pacman started: {}", without_secrets(command));
            events.push(event(Kind::PackagesStarted, weight, text));
            continue;
        }
        let Some(step) = words.strip_prefix("[ALPM] ") else {
            continue;
        };
        match step {
            "transaction started" => {
                events.extend(broken_off(&open, &log.path));
                open = Transaction {
                    started: Some(when),
                    ..Transaction::default()
                };
            }
            "transaction completed" => {
                let text = format!("pacman completed a transaction ({} changes)", open.changes);
                events.push(event(Kind::PackagesEnded, Weight::Usual, text));
                busy.extend(open.started.map(|started| (started.0, when.0)));
                open.ended = true;
            }
            "transaction failed" | "transaction interrupted" => {
                let text = format!("pacman: {step} after {} changes", open.changes);
                events.push(event(Kind::PackagesError, Weight::Key, text));
                busy.extend(open.started.map(|started| (started.0, when.0)));
                open.ended = true;
            }
            _ if step.starts_with("error: ") => {
                let text = format!("pacman: {step}");
                events.push(event(Kind::PackagesError, Weight::Key, text));
            }
            _ if is_change(step) => open.changes += 1,
            _ => {}
        }
        open.last = Some((when, number, super::shortened(step, 120)));
    }
    events.extend(broken_off(&open, &log.path));
    busy
}

fn is_change(step: &str) -> bool {
    [
        "installed ",
        "upgraded ",
        "removed ",
        "reinstalled ",
        "downgraded ",
    ]
    .iter()
    .any(|word| step.starts_with(word))
}

/// A transaction that began and did not end.
fn broken_off(open: &Transaction, path: &str) -> Option<Event> {
    open.started.filter(|_| !open.ended)?;
    let (when, line, step) = open.last.as_ref()?;
    let text = format!(
        "pacman's transaction stopped after {} changes; its last entry: {step}",
        open.changes
    );
    let event = Event::new(*when, Kind::PackagesStopped, Weight::Key, text);
    Some(event.at(path, *line))
}

/// `[2026-11-25T02:10:11+0100] words`, or `[2026-11-25 02:10] words`.
fn entry<'a>(line: &'a str, zone: &Zone) -> Option<((i64, Clock), &'a str)> {
    let (stamp, words) = line.strip_prefix('[')?.split_once("] ")?;
    Some((zone.seconds(&Stamp::read(stamp)?.0)?, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_without_completion_is_told() {
        let text = "[2026-11-24T02:10:11+0000] [PACMAN] Running 'pacman -Syu'\n\
            [2026-11-24T02:10:12+0000] [ALPM] transaction started\n\
            [2026-11-24T02:10:13+0000] [ALPM] upgraded linux (6.9-1 -> 6.10-1)\n\
            [2026-11-24T02:10:14+0000] [ALPM] transaction completed\n\
            [2026-11-25 02:10] [ALPM] transaction started\n\
            [2026-11-25 02:11] [ALPM] upgraded glibc (2.38-1 -> 2.39-1)\n";
        let log = log::Log {
            path: "/p".into(),
            mtime: 0,
            text: text.into(),
            whole: true,
        };
        let mut events = Vec::new();
        let busy = parse(&log, &Zone::test_utc(), &mut events);
        assert_eq!(busy.len(), 1);
        let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::PackagesStarted,
                Kind::PackagesEnded,
                Kind::PackagesStopped
            ]
        );
        assert_eq!((events[2].line, events[2].weight), (Some(6), Weight::Key));
    }
}
