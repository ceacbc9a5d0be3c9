//! The repairs that stand on a patient, for people.

use super::Page;
use crate::facts::history::timeline;
use crate::journal::{Action, Header, Ran, State, Transaction};

/// Changes of one kind, and lines of a program, that are shown of a repair.
const SHOWN: usize = 20;

/// Who, when and what of each transaction, the oldest first. `target` are the
/// words that lead to this patient.
pub fn log(transactions: &[Transaction], target: &str) -> String {
    let mut page = Page::default();
    let Some(newest) = transactions.last() else {
        page.line("No repair of lifeboot is noted on this system.");
        return page.finish();
    };
    for transaction in transactions {
        one(&mut page, transaction);
    }
    let next = format!(
        "Next: lifeboot log {}{target} shows its changes.",
        newest.id
    );
    page.item("  ", 2, &next);
    page.finish()
}

/// One transaction with what it changed and what programs said before it; with
/// `all` every change and every line.
pub fn shown(
    transaction: &Transaction,
    programs_: Result<&[Ran], &str>,
    all: bool,
    target: &str,
) -> String {
    let most = if all { usize::MAX } else { SHOWN };
    let mut page = Page::default();
    one(&mut page, transaction);
    if let Some(header) = &transaction.header {
        for removed in &header.removes {
            page.item("  removes ", 10, removed);
        }
    }
    changes(&mut page, transaction, most);
    let mut is_short = !all && transaction.actions.len() > SHOWN;
    let mut said = String::new();
    match programs_ {
        Ok(ran) => {
            is_short |= !all && ran.iter().any(|one| one.output.lines().count() > SHOWN);
            said = programs(ran, most);
        }
        Err(why) => page.item("  said    ", 10, &format!("NOT KNOWN: {why}")),
    }
    let id = &transaction.id;
    let mut end = Page::default();
    if is_short {
        end.item(
            "  ",
            2,
            &format!("Everything: lifeboot log {id} --all{target}"),
        );
    }
    end.item(
        "  ",
        2,
        &match transaction.lasting() {
            None => format!("Next: lifeboot undo {id}{target} takes it back."),
            Some(_) => format!("Next: lifeboot diagnose{target}"),
        },
    );
    page.finish() + &said + &end.finish()
}

/// What programs said in rehearsals: of each the last lines, `most` of them.
pub fn programs(ran: &[Ran], most: usize) -> String {
    let mut page = Page::default();
    for one in ran {
        let rehearsal = match one.rehearsal {
            0 | 1 => String::new(),
            later => format!("; rehearsal {later}"),
        };
        page.item("  ran     ", 10, &one.line);
        let when = format!(
            "{}, {} s: {}{rehearsal}",
            timeline::when(i64::try_from(one.started).unwrap_or(i64::MAX)),
            one.seconds,
            one.ended
        );
        page.item("          ", 10, &when);
        let count = one.output.lines().count();
        let left = count.saturating_sub(most);
        match (one.cut, left) {
            (false, 0) => {}
            (false, left) => page.item("    ", 4, &format!("... {left} lines before")),
            (true, _) => page.item("    ", 4, "... the beginning was not kept"),
        }
        for line in one.output.lines().skip(left) {
            page.item("    | ", 6, line);
        }
    }
    page.finish()
}

fn one(page: &mut Page, transaction: &Transaction) {
    page.line(&format!("{}  {}", transaction.id, state(transaction)));
    let Some(header) = &transaction.header else {
        return;
    };
    for what in &header.what {
        page.item("  what    ", 10, what);
    }
    page.item("  when    ", 10, &when(header));
    page.item("  who     ", 10, &who(header, &transaction.consent));
    if let Some(why) = &header.lasting {
        page.item("  lasting ", 10, &format!("it cannot be taken back: {why}"));
    }
}

fn state(transaction: &Transaction) -> String {
    let (done, all) = (transaction.done, transaction.actions.len());
    match &transaction.state {
        State::Unstarted => "never started; nothing was changed".to_owned(),
        State::Open => format!("interrupted: {done} of {all} changes stand"),
        State::Committed if transaction.lasting().is_some() => "begun".to_owned(),
        State::Committed => format!("committed: {all} changes stand"),
        State::UndoStarted => format!("undo interrupted: {done} of {all} changes stand"),
        State::Damaged { why } => format!("damaged: {why}"),
    }
}

fn when(header: &Header) -> String {
    let seconds = i64::try_from(header.time).unwrap_or(i64::MAX);
    format!(
        "{}, by the clock of the rescue system",
        timeline::when(seconds)
    )
}

fn who(header: &Header, consent: &str) -> String {
    let by = header.by.as_deref().unwrap_or("not noted");
    format!("{by}; agreed: {consent}; lifeboot {}", header.version)
}

/// The count, then the first ones; boot areas apart.
fn changes(page: &mut Page, transaction: &Transaction, most: usize) {
    let numbered = || transaction.actions.iter().enumerate();
    let is_area = |action: &Action| matches!(action, Action::BootArea { .. });
    for (what, areas) in [("changes of files", false), ("boot areas", true)] {
        let some = || numbered().filter(|(_, action)| is_area(action) == areas);
        let count = some().count();
        if count == 0 {
            continue;
        }
        page.item("  ", 4, &format!("{count} {what}:"));
        for (number, action) in some().take(most) {
            let stands = match number < transaction.done {
                true => "",
                false => " (does not stand)",
            };
            page.item("    ", 6, &format!("{action}{stands}"));
        }
        if let Some(more) = count.checked_sub(most).filter(|more| *more > 0) {
            page.item("    ", 6, &format!("and {more} more"));
        }
    }
}
