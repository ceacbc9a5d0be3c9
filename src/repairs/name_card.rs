//! Has udev give the one network card of the machine the name that is
//! configured, by its hardware address.
//!
//! Not the configuration is changed: which of its possible names udev would
//! choose depends on its version and on the kernel's command line, and a name
//! may stand in firewalls and scripts as well.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::finding::{Finding, Severity};
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "name-card",
    removes: &["reach/interface-absent"],
    plan,
};

/// Read first: the first file that fits a card decides (systemd.link(5)).
const FOLDER: &str = "/etc/systemd/network";

/// What the kernel takes for a name (`IFNAMSIZ`, with a zero byte).
const NAME_MAX: usize = 15;

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let cards = facts.survey.cards.as_ref()?;
    let names = &facts.tree.as_ref()?.reach.network.names;
    let name = finding.subject.as_str();
    // With a second card, or a second name, it would be a guess.
    let [card] = cards.cards.as_slice() else {
        return None;
    };
    let [address] = card.addresses.as_slice() else {
        return None;
    };
    let of_it = format!("{name} is configured");
    let alone = finding.severity >= Severity::Unreachable
        && finding
            .evidence
            .iter()
            .all(|evidence| evidence.seen == of_it);
    if !alone || cards.others || names.of_kernel || !is_name(name) || !is_address(address) {
        return None;
    }
    let text = format!(
        "# Made by lifeboot: the configuration calls this card {name}.\n\
         [Match]\nMACAddress={address}\n\n[Link]\nName={name}\n"
    );
    Some(Outline {
        title: format!("have udev call the card {address} {name}"),
        risk: Risk::Medium,
        actions: vec![Action::PutFile {
            path: format!("{FOLDER}/00-lifeboot-{name}.link").into(),
            text,
            mode: 0o644,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        }],
        ..Outline::default()
    })
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric();
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(plain)
}

fn is_address(address: &str) -> bool {
    let hex = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit());
    address.split(':').count() == 6 && address.split(':').all(hex)
}
