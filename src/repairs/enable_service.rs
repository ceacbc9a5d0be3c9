//! Has the boot start a service again: what forbids it is taken away, and the
//! links are made that `systemctl enable` makes.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::reach::network::Idle;
use crate::facts::reach::ssh::Off;
use crate::facts::units::Enabling;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "enable-service",
    removes: &["reach/sshd-off", "reach/network-none"],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let reach = &facts.tree.as_ref()?.reach;
    if finding.id == "reach/network-none" {
        return network(reach.network.idle.first()?);
    }
    match reach.ssh.as_ref()?.off.as_ref()? {
        Off::Masked { unit, enabling } => enabled(unit, enabling.as_ref()?, "unmask"),
        Off::Disabled { unit, enabling } => enabled(unit, enabling.as_ref()?, "enable"),
        Off::Forbidden { path } => Some(outline(
            format!("let sshd start: take {path} away"),
            vec![Action::Quarantine { path: path.into() }],
        )),
        Off::PassedOver { .. } => None,
    }
}

fn network(idle: &Idle) -> Option<Outline> {
    let how = if idle.masked { "unmask" } else { "enable" };
    enabled(idle.stack.unit(), idle.enabling.as_ref()?, how)
}

fn enabled(unit: &str, enabling: &Enabling, how: &str) -> Option<Outline> {
    let masks = enabling.masks.iter();
    let masks = masks.map(|path| Action::Quarantine { path: path.into() });
    let folders = enabling.folders.iter().map(|path| Action::MakeDirectory {
        path: path.into(),
        mode: 0o755,
        uid: 0,
        gid: 0,
        xattrs: Vec::new(),
    });
    let links = enabling.links.iter().map(|(path, target)| Action::Symlink {
        path: path.into(),
        target: target.into(),
    });
    let actions: Vec<Action> = masks.chain(folders).chain(links).collect();
    let title = format!("have the boot start {unit} again, as systemctl {how} does");
    (!actions.is_empty()).then(|| outline(title, actions))
}

fn outline(title: String, actions: Vec<Action>) -> Outline {
    Outline {
        title,
        // Somebody may have wanted it so.
        risk: Risk::Medium,
        actions,
        ..Outline::default()
    }
}
