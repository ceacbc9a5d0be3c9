//! Has the boot go to the services again.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-default-target",
    removes: &["services/default-target-wrong"],
    plan,
};

const LINK: &str = "/etc/systemd/system/default.target";

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let target = facts.tree.as_ref()?.reach.default_target.as_ref()?;
    let wanted = target.wanted.as_ref()?;
    let own = target.own.iter();
    let own = own.map(|(path, _)| Action::Quarantine { path: path.into() });
    let link = Action::Symlink {
        path: LINK.into(),
        target: wanted.into(),
    };
    Some(Outline {
        title: format!("have the boot go to {wanted}"),
        risk: Risk::Safe,
        actions: own.chain([link]).collect(),
        ..Outline::default()
    })
}
