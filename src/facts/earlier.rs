//! Earlier repairs by Lifeboot, as their journal on the patient tells.

use serde::{Deserialize, Serialize};

use crate::journal::{self, State};
use crate::sys::root_dir::RootDir;

/// One earlier repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Repair {
    /// Its name in the journal.
    pub id: String,
    /// What it was for.
    pub what: String,
    /// Changes that stand.
    pub done: usize,
    /// Changes in all.
    pub changes: usize,
    /// True when it, or its undo, did not come to its end.
    pub interrupted: bool,
    /// Why its journal cannot be understood, where it cannot.
    pub damaged: Option<String>,
}

/// All of them, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Earlier {
    /// The repairs.
    pub repairs: Vec<Repair>,
    /// Why the journal could not be read.
    pub unreadable: Option<String>,
}

pub(super) fn collect(root: &RootDir) -> Earlier {
    let transactions = match journal::list(root) {
        Ok(transactions) => transactions,
        Err(error) => {
            return Earlier {
                repairs: Vec::new(),
                unreadable: Some(format!("{error:#}")),
            };
        }
    };
    let repairs = transactions
        .into_iter()
        // Nothing of the tree was changed by these; the next commit clears
        // what is left of them.
        .filter(|transaction| transaction.state != State::Unstarted)
        .map(|transaction| Repair {
            what: transaction
                .header
                .map(|header| header.what.join("; "))
                .unwrap_or_default(),
            done: transaction.done,
            changes: transaction.actions.len(),
            interrupted: matches!(transaction.state, State::Open | State::UndoStarted),
            damaged: match transaction.state {
                State::Damaged { why } => Some(why),
                _ => None,
            },
            id: transaction.id,
        })
        .collect();
    Earlier {
        repairs,
        unreadable: None,
    }
}
