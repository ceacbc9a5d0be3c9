//! The confusion table: each server of `tests/cases` is broken, diagnosed,
//! really booted, repaired, and booted again.

mod lab;

use std::fs;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use libtest_mimic::Arguments;

use lab::base::Kind;
use lab::case::{Case, Other};
use lab::confusion::{Row, table};
use lab::{program, progress, work_folder};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let all = program::is_corpus();
    let named = arguments.filter.is_some();
    let ignored = !all && !named;
    let rows = Arc::new(Mutex::new(Vec::new()));
    let trials = Case::all().map(|cases| {
        let trials = with_others(cases).into_iter().map(|(case, often)| {
            let rows = Arc::clone(&rows);
            let (name, work) = (case.name.clone(), case.name.replace("::", "-"));
            let trial = program::trial(name, format!("corpus-{work}"), move |work| {
                let row = Row::of(&case, work)?;
                progress::line(&row.line());
                rows.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(row.clone());
                row.expect()
            });
            trial.with_ignored_flag(ignored || !(often || named))
        });
        trials.collect()
    });
    let code = program::run_trials(arguments, trials);
    let rows = std::mem::take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner));
    if rows.is_empty() {
        return code;
    }
    match keep(rows) {
        Ok(()) => code,
        Err(error) => {
            progress::line(&format!("the table: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The cases, and each of them on other machines. Those with a boot of their own
/// are run on all of them; the others when they are named.
fn with_others(cases: Vec<Case>) -> Vec<(Case, bool)> {
    // A lab server of OpenRC exists as a tree only.
    let cases = cases
        .into_iter()
        .filter(|case| case.server != Kind::OpenRc && case.sign_only.is_none());
    let mut all = Vec::new();
    for case in cases {
        let others = Other::ALL
            .iter()
            .filter_map(|(name, other)| case.on_another(name, *other));
        all.extend(others.map(|other| (other, case.machine.is_some())));
        all.push((case, true));
    }
    all
}

/// Writes the table for people, and says where.
fn keep(rows: Vec<Row>) -> Result<()> {
    let path = work_folder().join("corpus.md");
    fs::write(&path, table(rows)?)?;
    progress::line(&format!("the table: {}", path.display()));
    Ok(())
}
