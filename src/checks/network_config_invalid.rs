//! The program in charge of the network refuses its configuration.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::reach::network::{Invalid, Network, Stack};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/network-config-invalid",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/network-config-invalid.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let network = &tree.reach.network;
    for why in network.unreadable.iter().take(3) {
        out.could_not_tell(
            Stage::Reach,
            "a file of the network's configuration",
            why.as_str(),
        );
    }
    let Some(first) = network.invalid.first() else {
        return;
    };
    let title = format!("{} is refused: {}", place(first), first.why);
    let finding = CHECK
        .finding(severity(network, first), &first.path, title)
        .with(network.invalid.iter().take(10).map(evidence))
        .by_hand(advice(first));
    out.push(finding);
}

fn place(invalid: &Invalid) -> String {
    match invalid.line {
        0 => invalid.path.clone(),
        line => format!("{} line {line}", invalid.path),
    }
}

fn evidence(invalid: &Invalid) -> Evidence {
    Evidence::seen(place(invalid), invalid.why.as_str())
}

/// The file of ifupdown that draws in the others.
const MAIN: &str = "/etc/network/interfaces";

/// With one bad line, ifupdown and netplan use nothing at all; NetworkManager
/// leaves out the file and makes connections by itself, and ifupdown leaves out
/// a file that was drawn in.
fn severity(network: &Network, first: &Invalid) -> Severity {
    let alone = network.stacks.iter().all(|stack| *stack == first.stack);
    let goes_on = first.stack == Stack::NetworkManager || has_more(network);
    if goes_on || !alone || !network.others.is_empty() {
        Severity::Degraded
    } else {
        Severity::Unreachable
    }
}

/// True when only drawn-in files of ifupdown are refused, and a card is
/// configured in another one.
fn has_more(network: &Network) -> bool {
    let invalid = || network.invalid.iter();
    let drawn_in = |one: &Invalid| one.stack == Stack::Ifupdown && one.path != MAIN;
    let refused = |place: &str| {
        let file = place.split_once(" line ").map_or(place, |(file, _)| file);
        invalid().any(|one| one.path == file)
    };
    let mut cards = network.interfaces.iter();
    invalid().all(drawn_in)
        && cards.any(|card| card.is_card && card.at_boot && !refused(&card.place))
}

fn advice(first: &Invalid) -> String {
    match first.stack {
        Stack::Ifupdown => "correct the line, then: chroot ROOT ifquery --list -a".into(),
        Stack::NetworkManager if first.line == 0 => {
            format!(
                "chroot ROOT sh -c 'chown root:root {0}; chmod 600 {0}'",
                first.path
            )
        }
        _ => "correct the line, then: chroot ROOT netplan generate".into(),
    }
}
