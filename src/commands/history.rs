//! `lifeboot history`: what happened to the patient.

use anyhow::{Result, bail};

use super::patient::{Patient, no_root};
use super::{print, print_json};
use crate::cli::HistoryArgs;
use crate::facts::history;
use crate::outcome::Outcome;
use crate::report::document::{self, Document};
use crate::report::history_text::{self, Selection};

pub(super) fn run(args: &HistoryArgs) -> Result<Outcome> {
    let since = args.since.as_deref().map(seconds).transpose()?;
    let patient = Patient::look_at_tree(&args.target)?;
    let answer = match patient.sysroot() {
        Some(sysroot) => Ok(history::of(&sysroot.root)),
        None => Err(no_root(patient.search())),
    };
    patient.close()?;
    let found = answer?;
    let selection = Selection {
        all: args.all,
        since,
    };
    if args.json {
        let events = Selection { all: true, since };
        print_json(&Document {
            schema: document::HISTORY,
            body: document::Timeline {
                summary: history::timeline::summary(&found),
                zone: &found.zone,
                boots: &found.boots,
                runs: &found.runs,
                events: events.of(&found),
                sources: &found.sources,
            },
        })?;
    } else {
        print(&history_text::history(&found, selection))?;
    }
    Ok(Outcome::Boots)
}

/// `2026-11-25`, or with a time after it.
fn seconds(text: &str) -> Result<i64> {
    match history::since(text) {
        Some(seconds) => Ok(seconds),
        None => bail!("--since wants a date in UTC, such as 2026-11-25 or \"2026-11-25 02:00\""),
    }
}
