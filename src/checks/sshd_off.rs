//! sshd is installed, and the boot does not start it.

use super::Check;
use super::sshd::ssh;
use crate::facts::Facts;
use crate::facts::reach::ssh::{KeyFault, Off};
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/sshd-off",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/sshd-off.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(ssh) = ssh(facts) else { return };
    // Fedora and Arch install it for everybody; keys show that it was used.
    // A key with a fault shows it as well.
    let used = ssh
        .host_keys
        .iter()
        .any(|key| key.fault != Some(KeyFault::Missing));
    let Some(off) = ssh.off.as_ref().filter(|_| used) else {
        return;
    };
    out.push(finding(off));
}

fn finding(off: &Off) -> Finding {
    let (subject, seen, advice) = match off {
        Off::Masked { unit, .. } => (
            unit.clone(),
            Evidence::seen(format!("/etc/systemd/system/{unit}"), "masked"),
            format!("rm ROOT/etc/systemd/system/{unit}, then enable the service"),
        ),
        Off::Disabled { unit, .. } => (
            unit.clone(),
            Evidence::seen(unit.as_str(), "nothing that the boot starts wants it"),
            format!("chroot ROOT systemctl enable {unit}"),
        ),
        Off::Forbidden { path } => (
            path.clone(),
            Evidence::seen(path.as_str(), "it is there: sshd shall not run"),
            format!("rm ROOT{path}"),
        ),
        Off::PassedOver { unit, path } => (
            unit.clone(),
            Evidence::seen(path.as_str(), "a Condition of it does not hold"),
            format!("look at the Condition lines of {path}"),
        ),
    };
    CHECK
        .finding(
            Severity::Unreachable,
            &subject,
            format!("sshd is not started at the next boot: {subject}"),
        )
        .with([seen])
        .by_hand(advice)
}
