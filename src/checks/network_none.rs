//! Nothing sets up a network interface at the next boot.

use super::bios_boot::boots_itself;
use super::sshd::started;
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::reach::network::{Idle, Stack};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/network-none",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/network-none.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let network = &tree.reach.network;
    let quiet = !network.judged || !network.stacks.is_empty() || !network.others.is_empty();
    // A container's network is set up from outside, and a machine without sshd
    // was not reached over one.
    if quiet
        || !network.unreadable.is_empty()
        || !boots_itself(facts, tree)
        || started(facts).is_none()
    {
        return;
    }
    // Where its own configuration is refused, that is told.
    if !network.invalid.is_empty() {
        return;
    }
    let (subject, title, advice) = match network.idle.first() {
        Some(idle) => (
            idle.path.as_str(),
            format!("no network: nothing that is started reads {}", idle.path),
            match idle {
                Idle { absent: true, .. } => format!("install {} again", program(idle.stack)),
                Idle {
                    masked: true,
                    stack,
                    ..
                } => {
                    format!(
                        "chroot ROOT systemctl unmask {0}; systemctl enable {0}",
                        stack.unit()
                    )
                }
                idle => format!("chroot ROOT systemctl enable {}", idle.stack.unit()),
            },
        ),
        None => (
            "network",
            "no network: no interface is configured".to_owned(),
            "configure one: docs of interfaces(5) or systemd.network(5)".to_owned(),
        ),
    };
    let mut evidence: Vec<Evidence> = network.idle.iter().map(evidence).collect();
    if evidence.is_empty() {
        evidence.push(Evidence::seen(
            "/etc/network/interfaces",
            "no interface but lo, here or for another program",
        ));
    }
    let finding = CHECK.finding(Severity::Unreachable, subject, title);
    out.push(finding.with(evidence).by_hand(advice));
}

fn program(stack: Stack) -> &'static str {
    match stack {
        Stack::Ifupdown => "ifupdown",
        Stack::Networkd => "systemd-networkd",
        Stack::NetworkManager => "network-manager",
    }
}

fn evidence(idle: &Idle) -> Evidence {
    let unit = idle.stack.unit();
    let seen = match idle {
        Idle { absent: true, .. } => format!("read by {unit}, which is not there"),
        Idle { masked: true, .. } => format!("read by {unit}, which is masked"),
        _ => format!("read by {unit}, which nothing starts"),
    };
    Evidence::seen(idle.path.as_str(), seen)
}
