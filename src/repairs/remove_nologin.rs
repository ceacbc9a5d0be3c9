//! Takes /etc/nologin away, which keeps people out.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "remove-nologin",
    removes: &["reach/nologin-left"],
    plan,
};

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let path = facts.tree.as_ref()?.reach.ssh.as_ref()?.nologin.as_ref()?;
    Some(Outline {
        title: format!("let people log in again: take {path} away"),
        risk: Risk::Safe,
        actions: vec![Action::Quarantine { path: path.into() }],
        ..Outline::default()
    })
}
