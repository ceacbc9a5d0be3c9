//! What a path should have.

use super::Says;
use crate::facts::integrity::accounts::Accounts;
use crate::facts::integrity::rights::{Rights, Shown};
use crate::sys::root_dir::Kind;

/// What a path should have; what nobody says is left out.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) mode: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) is_file: bool,
    pub(super) says: Says,
}

impl Want {
    pub(super) fn of(says: Says) -> Self {
        Self {
            mode: None,
            uid: None,
            gid: None,
            is_file: false,
            says,
        }
    }

    pub(super) fn exactly(rights: &Rights, kind: Kind, says: Says) -> Self {
        Self {
            mode: Some(rights.mode),
            uid: Some(rights.uid),
            gid: Some(rights.gid),
            is_file: kind == Kind::File,
            says,
        }
    }

    pub(super) fn fits(&self, have: &Rights) -> bool {
        let is = |want: Option<u32>, have: u32| want.is_none_or(|want| want == have);
        is(self.mode, have.mode) && is(self.uid, have.uid) && is(self.gid, have.gid)
    }

    pub(super) fn shown(&self, accounts: &Accounts) -> Shown {
        Shown {
            mode: self.mode,
            user: self.uid.map(|uid| accounts.user_name(uid)),
            group: self.gid.map(|gid| accounts.group_name(gid)),
        }
    }
}
