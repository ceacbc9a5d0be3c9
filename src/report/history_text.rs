//! What happened to the patient, for people.

use super::Page;
use crate::facts::history::timeline::{chosen, summary, when};
use crate::facts::history::{Clock, Event, History};

/// Events that are shown without `--all`.
pub const SHOWN: usize = 25;

/// Sources that could not be read are told, at most so many.
const UNREADABLE: usize = 6;

/// Which events are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection {
    /// All of them.
    pub all: bool,
    /// Only those from this second on.
    pub since: Option<i64>,
}

impl Selection {
    /// The events, in the order of time.
    pub fn of(self, history: &History) -> Vec<&Event> {
        let events = match self.all {
            true => history.events.iter().collect(),
            // What is asked for by date is wanted whole.
            false if self.since.is_some() => chosen(history, usize::MAX),
            false => chosen(history, SHOWN),
        };
        let since = self.since.unwrap_or(i64::MIN);
        events.into_iter().filter(|e| e.time >= since).collect()
    }
}

/// The page.
pub fn history(history: &History, selection: Selection) -> String {
    let mut page = Page::default();
    for line in summary(history) {
        page.item("", 2, &line);
    }
    let events = selection.of(history);
    if !events.is_empty() {
        page.heading("TIMELINE (UTC)");
        for event in &events {
            line(&mut page, event);
        }
    }
    legend(&mut page, history, &events);
    unreadable(&mut page, history);
    page.finish()
}

fn line(page: &mut Page, event: &Event) {
    let mark = match event.clock {
        Clock::Exact | Clock::Zone => ' ',
        Clock::Local => '?',
        Clock::NotAfter => '<',
    };
    let first = format!("{:<16}{mark} ", when(event.time));
    page.item(&first, 18, &event.text);
}

fn legend(page: &mut Page, history: &History, events: &[&Event]) {
    let has = |clock| events.iter().any(|event| event.clock == clock);
    page.line("");
    if has(Clock::NotAfter) {
        page.line("<  at this time or before: the line itself has no time");
    }
    if has(Clock::Local) {
        page.line("?  in local time, whose zone is not known");
    }
    page.line(&format!("Time zone of its logs: {}.", history.zone));
    let more = history.events.len().saturating_sub(events.len());
    if more > 0 {
        page.line(&format!("{more} more events: lifeboot history --all"));
    }
}

fn unreadable(page: &mut Page, history: &History) {
    let failed: Vec<_> = history
        .sources
        .iter()
        .filter_map(|source| Some((source, source.unreadable.as_ref()?)))
        .collect();
    for (source, why) in failed.iter().take(UNREADABLE) {
        page.line(&format!("not read: {}: {why}", source.path));
    }
    if let Some(more) = failed.len().checked_sub(UNREADABLE).filter(|n| *n > 0) {
        page.line(&format!("not read: {more} more files (--json names them)"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::history::{Kind, Source, Weight};

    fn event(time: i64, clock: Clock, text: &str) -> Event {
        Event {
            time,
            clock,
            kind: Kind::Command,
            weight: Weight::Usual,
            text: text.into(),
            path: "/x".into(),
            line: None,
        }
    }

    #[test]
    fn a_narrow_page_with_its_legend_and_what_was_not_read() {
        let found = History {
            events: (0..60)
                .map(|n| event(n * 60, Clock::NotAfter, &"word ".repeat(30)))
                .chain([event(9_999_999, Clock::Local, "a\x1b[2Jb")])
                .collect(),
            sources: vec![Source {
                path: "/var/log/wtmp".into(),
                holds: "logins".into(),
                newest: None,
                unreadable: Some("I/O error".into()),
            }],
            zone: "not known".into(),
            ..History::default()
        };
        let text = history(&found, Selection::default());
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        let told = text.lines().filter(|line| line.contains("1970-")).count();
        assert_eq!(told, SHOWN);
        assert!(text.contains("1970-04-26 17:46? a?[2Jb"), "{text}");
        for words in ["\n<  at", "\n?  in", "36 more events", "wtmp: I/O error"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let since = Selection {
            all: false,
            since: Some(9_000_000),
        };
        assert_eq!(since.of(&found).len(), 1);
    }
}
