//! sshd has no key that it would take.

use super::Check;
use super::sshd::started;
use crate::facts::Facts;
use crate::facts::reach::ssh::{HostKey, KeyFault};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/host-keys-unusable",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/host-keys-unusable.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(ssh) = started(facts) else { return };
    let faulty = |key: &&HostKey| match &key.fault {
        None => false,
        // ssh-keygen -A makes those without content anew as well.
        Some(KeyFault::Missing | KeyFault::Empty) => !ssh.makes_keys,
        Some(_) => true,
    };
    let bad: Vec<&HostKey> = ssh.host_keys.iter().filter(faulty).collect();
    if bad.len() < ssh.host_keys.len() {
        // A kind of key that was never made is none the worse.
        let broken = |key: &&&HostKey| key.fault != Some(KeyFault::Missing);
        let broken: Vec<&HostKey> = bad.iter().filter(broken).copied().collect();
        if let Some(first) = broken.first() {
            let title = format!("sshd does not take one of its keys: {}", first.path);
            push(Severity::Note, title, &broken, out);
        }
        return;
    }
    let unread = |key: &&&HostKey| matches!(key.fault, Some(KeyFault::Unreadable { .. }));
    if let Some(key) = bad.iter().find(unread) {
        out.could_not_tell(Stage::Reach, key.path.as_str(), "it cannot be read");
    } else if let Some(first) = bad.first() {
        let what = first.fault.as_ref().map(seen).unwrap_or_default();
        let title = format!("sshd has no key that it takes: {} {what}", first.path);
        push(Severity::Unreachable, title, &bad, out);
    }
}

fn push(severity: Severity, title: String, keys: &[&HostKey], out: &mut Findings) {
    let subject = keys
        .first()
        .map(|key| key.path.as_str())
        .unwrap_or_default();
    let evidence = keys.iter().filter_map(|key| {
        let fault = key.fault.as_ref()?;
        let evidence = Evidence::seen(key.path.as_str(), seen(fault));
        Some(match fault {
            KeyFault::Open { .. } => evidence.expected("mode 0600"),
            _ => evidence,
        })
    });
    let open = |key: &&HostKey| matches!(key.fault, Some(KeyFault::Open { .. }));
    let advice = if keys.iter().all(open) {
        "chmod 600 ROOT/etc/ssh/ssh_host_*_key"
    } else {
        "put the key back from a backup; else: chroot ROOT ssh-keygen -A"
    };
    let finding = CHECK
        .finding(severity, subject, title)
        .with(evidence)
        .by_hand(advice);
    out.push(finding);
}

fn seen(fault: &KeyFault) -> String {
    match fault {
        KeyFault::Missing => "is missing".into(),
        KeyFault::Empty => "is empty".into(),
        KeyFault::Open { mode } => format!("can be read by others, mode {mode:04o}"),
        KeyFault::Damaged { why } => format!("is damaged: {why}"),
        KeyFault::Unreadable { why } => format!("cannot be read: {why}"),
    }
}
