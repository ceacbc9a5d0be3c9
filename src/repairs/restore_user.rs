//! Puts the user of sshd back into passwd, as the copies of passwd have it.

use super::Risk;
use super::edit::{Edit, EditKind, Edits};
use crate::facts::Facts;
use crate::facts::reach::ssh::Separation;
use crate::finding::Finding;

pub(super) const KIND: EditKind = EditKind {
    name: "restore-user",
    removes: &["reach/privilege-separation-missing"],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Edits> {
    let ssh = facts.tree.as_ref()?.reach.ssh.as_ref()?;
    let (user, file, line) = ssh.separation.iter().find_map(|fault| match fault {
        Separation::NoUser {
            user,
            may_be_made: false,
            saved: Some((file, line)),
        } if file.path == finding.subject => Some((user, file, line)),
        _ => None,
    })?;
    Some(Edits {
        title: format!("put the user {user} back into {}", file.path),
        risk: Risk::Safe,
        lines: vec![Edit::added(file, line.clone())?.unkept()],
    })
}
