//! A program lost the right to act for another user.

use super::{Check, some, tree_with_usr};
use crate::facts::Facts;
use crate::facts::integrity::{Lone, Permissions};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/setuid-lost",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/setuid-lost.md"),
    run,
};

/// Programs that people get along with: without them nobody becomes root or
/// logs in anew.
const NEEDED: [&str; 5] = [
    "/su",
    "/sudo",
    "/passwd",
    "/unix_chkpwd",
    "/dbus-daemon-launch-helper",
];

/// Programs that are named.
const NAMED_MAX: usize = 12;

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let permissions = &tree.integrity.permissions;
    let lost: Vec<&Lone> = permissions.lone.iter().filter(|l| l.is_powerless).collect();
    let bare = &permissions.without_capability;
    let names: Vec<String> = lost.iter().map(|lone| lone.path.clone()).collect();
    let names: Vec<String> = names.into_iter().chain(bare.iter().cloned()).collect();
    let Some(first) = names.first() else { return };
    let needed = |lone: &&Lone| NEEDED.iter().any(|name| lone.path.ends_with(name));
    let severity = match lost.iter().any(needed) {
        true => Severity::Degraded,
        false => Severity::Note,
    };
    let title = match names.len() {
        1 => format!("{first} can no longer act for another user"),
        _ => format!(
            "programs can no longer act for another user: {}",
            some(&names, 3)
        ),
    };
    let commands = lost.iter().take(NAMED_MAX).map(|lone| lone.command());
    let commands: Vec<String> = commands.collect();
    let advice = match commands.is_empty() {
        true => "in a chroot: apt-get install --reinstall the package".to_owned(),
        false => commands.join("; "),
    };
    let finding = CHECK
        .finding(severity, "programs", title)
        .with(evidence(permissions, &lost))
        .because("a chmod or chown: chown takes the set-user-id bit as well")
        .by_hand(advice);
    out.push(finding);
}

fn evidence(permissions: &Permissions, lost: &[&Lone]) -> Vec<Evidence> {
    let shown = lost.iter().take(NAMED_MAX).map(|lone| lone.evidence());
    let bare = permissions.without_capability.iter().map(|path| {
        Evidence::seen(path, "has no capability and no set-user-id bit")
            .expected("cap_net_raw+ep, as its package's postinst sets it")
    });
    shown.chain(bare).collect()
}
