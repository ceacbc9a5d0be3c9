//! A mode with an owner and a group.

use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use crate::sys::root_dir::Meta;

/// By numbers, to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// By names, to show. What nobody asks for is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shown {
    /// All twelve bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// The owner's name, or the number of one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Rights {
    pub(super) fn of(meta: &Meta) -> Self {
        Self {
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
        }
    }

    pub(super) fn shown(&self, accounts: &Accounts) -> Shown {
        Shown {
            mode: Some(self.mode),
            user: Some(accounts.user_name(self.uid)),
            group: Some(accounts.group_name(self.gid)),
        }
    }
}

impl Shown {
    /// What is the same in both is not worth a word.
    pub(super) fn without(&self, other: &Self) -> Self {
        let differs = |own: &Option<String>, other: &Option<String>| {
            own.clone().filter(|_| own != other && other.is_some())
        };
        Self {
            mode: self
                .mode
                .filter(|_| self.mode != other.mode && other.mode.is_some()),
            user: differs(&self.user, &other.user),
            group: differs(&self.group, &other.group),
        }
    }

    /// `mode 0755, owner root, group adm`
    pub fn words(&self) -> String {
        let mode = self.mode.map(|mode| format!("mode {mode:04o}"));
        let user = self.user.as_ref().map(|user| format!("owner {user}"));
        let group = self.group.as_ref().map(|group| format!("group {group}"));
        let words: Vec<String> = [mode, user, group].into_iter().flatten().collect();
        words.join(", ")
    }
}
