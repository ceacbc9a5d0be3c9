//! /etc/nologin is there: only root gets in.

use super::Check;
use super::sshd::started;
use crate::facts::Facts;
use crate::facts::reach::ssh::Ssh;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/nologin-left",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/nologin-left.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(ssh) = started(facts) else { return };
    let Some(path) = &ssh.nologin else { return };
    let (severity, title) = if root_gets_in(ssh) {
        (Severity::Degraded, "keeps everybody but root out")
    } else {
        (
            Severity::Unreachable,
            "keeps everybody out, and root may not come by ssh",
        )
    };
    let finding = CHECK
        .finding(severity, path, format!("{path} {title}"))
        .with([Evidence::seen(path.as_str(), "it is there").expected("no such file")])
        .because("a shutdown or an upgrade makes it, and it was left behind")
        .by_hand(format!("rm ROOT{path}"));
    out.push(finding);
}

fn root_gets_in(ssh: &Ssh) -> bool {
    let mut accounts = ssh.accounts.iter();
    accounts.any(|account| account.name == "root" && account.shut.is_none())
}
