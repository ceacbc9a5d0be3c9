//! sshd runs, and there is no account that it would let in.

use super::Check;
use super::sshd::started;
use crate::facts::Facts;
use crate::facts::reach::ssh::{Account, Obstacle, Ssh};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/nobody-can-log-in",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/nobody-can-log-in.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(ssh) = started(facts) else { return };
    // Keys that are refused are a finding of their own.
    if !is_shut(ssh) || ssh.accounts.iter().any(|a| a.keys_refused.is_some()) {
        return;
    }
    let mut names = ssh.accounts.iter().map(|account| account.name.as_str());
    let title = match (names.next(), names.next()) {
        (Some(only), None) => format!("nobody can log in through ssh, not even {only}"),
        _ => "nobody can log in through ssh: every account is shut".to_owned(),
    };
    let finding = CHECK
        .finding(Severity::Unreachable, &ssh.config, title)
        .with(ssh.accounts.iter().take(10).filter_map(evidence))
        .by_hand(advice(ssh));
    out.push(finding);
}

/// True when no account gets in, and not because it was never meant to.
pub(super) fn is_shut(ssh: &Ssh) -> bool {
    let reason = |account: &Account| match &account.shut {
        // A shell that is missing is told as a program of the login.
        None | Some(Obstacle::NoCredential | Obstacle::Shell { .. }) => false,
        Some(_) => true,
    };
    !ssh.accounts_unclear
        && !ssh.accounts.is_empty()
        && ssh.accounts.iter().all(|account| account.shut.is_some())
        && ssh.accounts.iter().any(reason)
}

/// What opens one account: root's, where that is among them. Which one, and
/// whether at all, is the operator's to say.
fn advice(ssh: &Ssh) -> String {
    let mut accounts = ssh.accounts.iter();
    let root = accounts.find(|account| account.uid == 0);
    let Some(account) = root.or(ssh.accounts.first()) else {
        return String::new();
    };
    let name = &account.name;
    match &account.shut {
        Some(Obstacle::Shell { .. }) => format!("chroot ROOT usermod -s /bin/bash {name}"),
        Some(Obstacle::Expired { .. }) => format!("chroot ROOT chage -E -1 {name}"),
        Some(Obstacle::Configured { place, text }) => {
            format!("change {text:?} in ROOT{place}, then: chroot ROOT sshd -t")
        }
        Some(Obstacle::NoCredential) => format!(
            "chroot ROOT passwd {name}; or put a key into ~{name}/.ssh/authorized_keys there"
        ),
        Some(Obstacle::Keys) | None => {
            format!("chroot ROOT chmod -R go-w ~{name}/.ssh")
        }
    }
}

fn evidence(account: &Account) -> Option<Evidence> {
    let name = &account.name;
    Some(match account.shut.as_ref()? {
        Obstacle::Shell { path } => Evidence::seen(
            "/etc/passwd",
            format!("{name}: the shell {path} cannot be started"),
        ),
        Obstacle::Expired { day } => Evidence::seen(
            "/etc/shadow",
            format!("{name}: expired on day {day} since 1970"),
        ),
        Obstacle::Configured { place, text } => {
            Evidence::seen(place.as_str(), format!("{text}, which keeps {name} out"))
        }
        Obstacle::Keys => Evidence::seen("/etc/passwd", format!("{name}: its keys are refused")),
        Obstacle::NoCredential => Evidence::seen(
            "/etc/shadow",
            format!("{name}: no key, and no password that sshd would take"),
        ),
    })
}
