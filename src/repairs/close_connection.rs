//! Gives a connection of NetworkManager the owner and the mode without which it
//! is passed over.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::place::Place;
use crate::facts::reach::network::Stack;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "close-connection",
    removes: &["reach/network-config-invalid"],
    plan,
};

/// What NetworkManager itself gives them.
const MODE: u32 = 0o600;

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let network = &facts.tree.as_ref()?.reach.network;
    let first = network.invalid.first()?;
    if first.stack != Stack::NetworkManager || first.path != finding.subject {
        return None;
    }
    // All of them, or the finding would stay.
    let places = network.invalid.iter().map(|one| one.rights.as_ref());
    let places: Vec<&Place> = places.collect::<Option<_>>()?;
    let actions: Vec<Action> = places.iter().map(|place| closed(place)).collect();
    let title = match actions.len() {
        1 => format!("give {} to root, mode 0600", first.path),
        count => format!("give {count} connections of NetworkManager to root, mode 0600"),
    };
    let is_roots = places.iter().all(|place| place.uid == 0);
    Some(Outline {
        title,
        risk: if is_roots { Risk::Safe } else { Risk::Medium },
        actions,
        ..Outline::default()
    })
}

fn closed(place: &Place) -> Action {
    Action::Attributes {
        path: (&place.path).into(),
        mode: MODE,
        uid: 0,
        gid: 0,
        xattrs: Vec::new(),
    }
}
