//! What of the history matters: a few sentences, and a list that fits a screen.

use super::boots::{Boot, Ending};
use super::{Event, History, Kind, Run, Weight};
use crate::date::date;

/// What happened last, the most telling first.
pub fn summary(history: &History) -> Vec<String> {
    let mut lines = vec![last_boot(history)];
    lines.extend(unfinished(history));
    let replaced: Vec<&Event> = of_kind(history, Kind::Replaced);
    let links = replaced
        .iter()
        .filter(|event| !event.text.contains("last changed"));
    lines.extend(
        links
            .take(2)
            .map(|event| format!("{}: {}.", date_of(event), event.text)),
    );
    let changed = of_kind(history, Kind::Changed);
    let changed = changed.iter().rfind(|event| event.weight == Weight::Key);
    lines.extend(changed.map(|event| format!("{}: {}.", date_of(event), event.text)));
    lines
}

/// True when something out of the ordinary is in it.
pub fn is_telling(history: &History) -> bool {
    let odd = |event: &Event| {
        matches!(
            event.kind,
            Kind::Replaced | Kind::PackagesStopped | Kind::Changed
        ) && event.weight == Weight::Key
    };
    !history.boots.is_empty()
        || history.events.iter().any(odd)
        || history.runs.last().is_some_and(|run| run.ended.is_none())
}

/// At most `most` events, in the order of time: those that matter most, and of
/// these the newest.
pub fn chosen(history: &History, most: usize) -> Vec<&Event> {
    let mut order: Vec<(usize, &Event)> = history
        .events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.weight > Weight::Detail)
        .collect();
    order.sort_by_key(|(index, event)| (event.weight, *index));
    let surplus = order.len().saturating_sub(most);
    order.drain(..surplus);
    order.sort_by_key(|(index, _)| *index);
    order.into_iter().map(|(_, event)| event).collect()
}

fn of_kind(history: &History, kind: Kind) -> Vec<&Event> {
    history
        .events
        .iter()
        .filter(|event| event.kind == kind)
        .collect()
}

fn date_of(event: &Event) -> String {
    when(event.time)
}

/// A time in UTC, to the minute.
pub fn when(seconds: i64) -> String {
    u64::try_from(seconds).map_or_else(|_| "before 1970".to_owned(), date)
}

fn last_boot(history: &History) -> String {
    let Some(boot) = history.boots.last() else {
        let journal = history.sources.iter().any(|s| s.path.ends_with(".journal"));
        let why = match journal {
            true => "journal and wtmp hold none that can be read",
            false => "there is no journal on disk, and wtmp has none",
        };
        return format!("No boot is recorded: {why}.");
    };
    if boot.ending == Ending::Running {
        return format!("The system runs since {}.", when(boot.started));
    }
    let (from, to) = (when(boot.started), when(boot.last));
    let end = match boot.ending {
        Ending::Unknown => format!("its last record is of {to}"),
        ending => format!("it {} at {to}", ending.words()),
    };
    let failed = match boot.failures.first() {
        Some(first) if !boot.finished => {
            format!(
                " First failure: {}: {}.",
                first.unit,
                first.message.trim_end_matches('.')
            )
        }
        _ => String::new(),
    };
    format!(
        "The last recorded boot began {from}{}; {end}. None is recorded since.{failed}",
        far(boot)
    )
}

fn far(boot: &Boot) -> String {
    match (&boot.reached, boot.finished) {
        (_, true) => " and started all it should".to_owned(),
        (Some(target), false) => format!(" and came to {target}"),
        (None, false) if boot.id.is_some() => " and reached no target".to_owned(),
        (None, false) => String::new(),
    }
}

/// The package work that never came to its end.
fn unfinished(history: &History) -> Option<String> {
    let stopped = stopped(history);
    match stopped.run {
        Some(run) => {
            let after = match stopped.last {
                Some(event) => format!("; {}: {}", date_of(event), event.text),
                None => String::new(),
            };
            Some(format!(
                "{}: apt started, {}, and never wrote its end{after}.",
                when(run.started),
                run.what()
            ))
        }
        None => {
            let event = stopped.last?;
            Some(format!("{}: {}.", date_of(event), event.text))
        }
    }
}

/// When package work stopped that never came to its end.
#[derive(Debug, Clone, Copy)]
pub struct Stopped<'a> {
    /// The run of apt that it was.
    pub run: Option<&'a Run>,
    /// The last that dpkg wrote.
    pub last: Option<&'a Event>,
}

/// The package work that never came to its end.
pub fn stopped(history: &History) -> Stopped<'_> {
    let run = history.runs.last().filter(|run| run.ended.is_none());
    let of_kind = |kind: Kind| history.events.iter().filter(move |e| e.kind == kind);
    let last = match run {
        Some(run) => of_kind(Kind::PackagesStopped)
            .chain(of_kind(Kind::PackagesWork))
            .filter(|event| event.time >= run.started)
            .filter(|event| event.text.starts_with("last entry of dpkg"))
            .max_by_key(|event| event.time),
        None => of_kind(Kind::PackagesStopped).max_by_key(|event| event.time),
    };
    Stopped { run, last }
}

/// Whether the system was started after `time`, as far as its records go, and
/// the file that tells; none where no boot is recorded at all.
pub fn started_since(history: &History, time: i64) -> Option<(String, &str)> {
    let boots = &history.boots;
    let after = boots.iter().filter(|boot| boot.started > time).count();
    let last = boots.last()?;
    let began = when(last.started);
    let said = match (after, last.ending) {
        // A live system is looked at.
        (0, Ending::Running) => return None,
        (0, _) => format!("the last recorded boot began {began} UTC: none is recorded since"),
        (1, _) => format!("one boot is recorded since, begun {began} UTC"),
        _ => format!("{after} boots are recorded since, the last begun {began} UTC"),
    };
    Some((said, &last.path))
}

#[cfg(test)]
mod tests {
    use super::super::Clock;
    use super::*;

    fn event(time: i64, kind: Kind, weight: Weight, text: &str) -> Event {
        Event::new((time, Clock::Exact), kind, weight, text)
    }

    #[test]
    fn what_matters_is_kept_and_stays_in_order() {
        let mut history = History::default();
        for time in 0..100 {
            history
                .events
                .push(event(time, Kind::Login, Weight::Usual, "login"));
        }
        history
            .events
            .insert(3, event(2, Kind::Replaced, Weight::Key, "replaced"));
        history
            .events
            .insert(50, event(49, Kind::Login, Weight::Detail, "no"));
        let chosen = chosen(&history, 10);
        assert_eq!(chosen.len(), 10);
        assert_eq!(chosen[0].text, "replaced");
        assert!(chosen.is_sorted_by_key(|event| event.time));
        assert_eq!(chosen[9].time, 99);
    }

    #[test]
    fn boots_after_a_moment_are_counted() {
        let boot = |started| Boot {
            ending: Ending::CutOff,
            ..Boot::new(started, "/var/log/wtmp")
        };
        let mut history = History::default();
        assert!(started_since(&history, 5_000).is_none());
        history.boots = vec![boot(1_000), boot(4_000)];
        let said = |time| started_since(&history, time).map(|(said, _)| said);
        assert_eq!(
            said(5_000).as_deref(),
            Some("the last recorded boot began 1970-01-01 01:06 UTC: none is recorded since")
        );
        assert_eq!(
            said(4_000),
            said(5_000),
            "the boot during which it happened"
        );
        assert_eq!(
            said(2_000).as_deref(),
            Some("one boot is recorded since, begun 1970-01-01 01:06 UTC")
        );
        assert_eq!(
            said(0).as_deref(),
            Some("2 boots are recorded since, the last begun 1970-01-01 01:06 UTC")
        );
        history.boots[1].ending = Ending::Running;
        assert!(started_since(&history, 5_000).is_none());
    }

    #[test]
    fn without_any_record_that_is_said() {
        let lines = summary(&History::default());
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("No boot is recorded"));
        assert!(!is_telling(&History::default()));
    }
}
