//! The repairs that stand on a patient, for people.

use super::Page;
use crate::facts::history::timeline;
use crate::journal::{Header, State, Transaction};

/// Who, when and what of each transaction, the oldest first; with `steps` also
/// every change. `target` are the words that lead to this patient.
pub fn log(transactions: &[Transaction], steps: bool, target: &str) -> String {
    let mut page = Page::default();
    if transactions.is_empty() {
        page.line("No repair of lifeboot is noted on this system.");
        return page.finish();
    }
    for transaction in transactions {
        one(&mut page, transaction);
        if steps {
            changes(&mut page, transaction);
        }
    }
    page.item("  ", 2, &next(transactions, steps, target));
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

fn changes(page: &mut Page, transaction: &Transaction) {
    for (number, action) in transaction.actions.iter().enumerate() {
        let stands = match number < transaction.done {
            true => "",
            false => " (does not stand)",
        };
        page.item("    ", 6, &format!("{action}{stands}"));
    }
}

fn next(transactions: &[Transaction], steps: bool, target: &str) -> String {
    let id = transactions.last().map_or("", |newest| newest.id.as_str());
    if !steps {
        return format!("Next: lifeboot log {id}{target} shows its changes.");
    }
    match transactions.iter().all(|one| one.lasting().is_none()) {
        true => format!("Next: lifeboot undo {id}{target} takes it back."),
        false => format!("Next: lifeboot diagnose{target}"),
    }
}
