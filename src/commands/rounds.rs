//! `lifeboot repair --yes` goes on while its repairs bring more to light.

use super::repair::{Done, commit, root_of};
use super::{output, rehearse, say};
use crate::cli::RepairArgs;
use crate::repairs::{Key, Plan};
use crate::report::Report;
use crate::report::document::Round;
use crate::sys::consent::WriteToken;

/// Plans that are done one after the other without a question.
const ROUNDS_MAX: usize = 4;

/// What was done of a plan that was rehearsed.
pub(super) fn round(done: Done, outcome: &rehearse::Outcome) -> Round {
    let repairs = outcome.plan.repairs.iter();
    Round {
        what: repairs.map(|repair| repair.title.clone()).collect(),
        committed: done.files,
        arrays: done.arrays,
        refused: outcome.refused.clone(),
    }
}

/// It in a few words.
pub(super) fn words(round: &Round) -> String {
    let files = round.committed.as_ref();
    let files = files.map(|s| format!("{} changes, journal {}", s.actions, s.id));
    let arrays = match round.arrays.len() {
        0 => None,
        1 => Some("work on 1 array".to_owned()),
        count => Some(format!("work on {count} arrays")),
    };
    let all: Vec<String> = files.into_iter().chain(arrays).collect();
    all.join("; ")
}

/// Where nobody is asked, what only the repairs so far brought to light is
/// repaired as well, each time in a transaction of its own.
pub(super) fn go_on(
    args: &RepairArgs,
    before: &Report,
    first: Round,
    mut after: Report,
    token: &WriteToken,
) -> (Vec<Round>, Report) {
    let keys =
        |plan: &Plan| -> Vec<Key> { plan.repairs.iter().map(|r| r.removes.clone()).collect() };
    let mut tried = keys(&before.plan);
    let mut rounds = vec![first];
    while args.yes && rounds.len() < ROUNDS_MAX {
        let mut plan = after.plan.clone().only(&args.only).revocable();
        plan.repairs
            .retain(|repair| !tried.contains(&repair.removes));
        if plan.repairs.is_empty() {
            break;
        }
        tried.extend(keys(&plan));
        say("lifeboot: now more can be repaired ...");
        let outcome = rehearse::rehearse(args, &after, plan);
        if outcome.plan.repairs.is_empty() {
            output::keep(&outcome.ran);
            break;
        }
        let done = root_of(&after).and_then(|info| commit(args, info, &outcome, token));
        match done {
            Ok((done, report)) => {
                rounds.push(round(done, &outcome));
                after = report;
            }
            // What was repaired before it stands, and is told.
            Err(error) => {
                say(&format!("lifeboot: the rest was not repaired: {error:#}"));
                break;
            }
        }
    }
    (rounds, after)
}
