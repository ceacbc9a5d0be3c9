//! Gives sshd's keys the mode that sshd insists on, and makes them anew where
//! there are none.

use super::{Kind, Outline, Program, Risk};
use crate::facts::Facts;
use crate::facts::place::Place;
use crate::facts::reach::ssh::{HostKey, KeyFault, USUAL_KEYS};
use crate::finding::{Finding, Severity};
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-host-keys",
    removes: &["reach/host-keys-unusable", "packages/permissions-changed"],
    plan,
};

/// What ssh-keygen gives them.
const MODE: u32 = 0o600;

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let ssh = facts.tree.as_ref()?.reach.ssh.as_ref()?;
    // Of what else lost its mode there, that is told and left.
    let of_keys = finding.id == "reach/host-keys-unusable";
    let locked_out = finding.severity >= Severity::Unreachable;
    let open: Vec<&Place> = ssh.host_keys.iter().filter_map(open).collect();
    let actions: Vec<Action> = open.iter().map(|place| closed(place)).collect();
    let lost = ssh.host_keys.iter().filter(|key| key.fault.is_some());
    let usable = actions.len() + ssh.host_keys.len() - lost.count();
    if usable > 0 {
        if !of_keys && !locked_out {
            return None;
        }
        let first = open.first()?;
        return Some(Outline {
            title: match open.len() {
                1 => format!("give {} mode 0600", first.path),
                count => format!("give {count} keys of sshd mode 0600"),
            },
            risk: Risk::Safe,
            actions,
            ..Outline::default()
        });
    }
    (of_keys && locked_out)
        .then(|| anew(&ssh.host_keys))
        .flatten()
}

fn open(key: &HostKey) -> Option<&Place> {
    match &key.fault {
        Some(KeyFault::Open { .. }) => key.place.as_ref(),
        _ => None,
    }
}

fn closed(place: &Place) -> Action {
    Action::Attributes {
        path: (&place.path).into(),
        mode: MODE,
        uid: place.uid,
        gid: place.gid,
        xattrs: Vec::new(),
    }
}

/// ssh-keygen(1), -A: makes the usual keys that are missing or empty.
fn anew(keys: &[HostKey]) -> Option<Outline> {
    let usual = |key: &HostKey| USUAL_KEYS.contains(&key.path.as_str());
    // A damaged one may be mended by hand, or be in a backup.
    let lost = |key: &HostKey| matches!(key.fault, Some(KeyFault::Missing | KeyFault::Empty));
    if !keys.iter().all(lost) {
        return None;
    }
    (!keys.is_empty() && keys.iter().all(usual)).then(|| Outline {
        title: "make new keys for sshd: every client will warn that they changed".to_owned(),
        risk: Risk::Medium,
        programs: vec![Program::new(&["ssh-keygen", "-A"])],
        ..Outline::default()
    })
}
