//! Takes from others the right to write where a user's keys lie, so that sshd
//! takes the keys.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "trust-keys",
    removes: &["reach/authorized-keys-refused"],
    plan,
};

/// The group and others may not write (misc.c of OpenSSH, `safe_path`).
const WRITE: u32 = 0o022;

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let ssh = facts.tree.as_ref()?.reach.ssh.as_ref()?;
    let mut refused = ssh.accounts.iter().filter_map(|account| {
        let place = account.keys_refused.as_ref()?;
        (place.file == finding.subject).then_some((account, place))
    });
    let (account, place) = refused.next()?;
    let actions = place.way.iter().map(|place| {
        // Whoever could write there may have; root's and his own stay.
        let owner = if place.uid == 0 || place.uid == account.uid {
            place.uid
        } else {
            account.uid
        };
        Action::Attributes {
            path: (&place.path).into(),
            mode: place.mode & !WRITE,
            uid: owner,
            gid: place.gid,
            xattrs: Vec::new(),
        }
    });
    let actions: Vec<Action> = actions.collect();
    let first = place.way.first()?;
    let more = match place.way.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    Some(Outline {
        title: format!(
            "let nobody but {} and root write to {}{more}",
            account.name, first.path
        ),
        risk: Risk::Medium,
        actions,
        ..Outline::default()
    })
}
