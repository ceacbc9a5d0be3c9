//! ifupdown shall ask for an address, and has no program for that.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/dhcp-client-missing",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/dhcp-client-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let network = &tree.reach.network;
    let asks = |i: &&crate::facts::reach::network::Interface| i.dhcp && i.at_boot;
    let Some(first) = network
        .interfaces
        .iter()
        .find(asks)
        .filter(|_| network.no_dhcp_client)
    else {
        return;
    };
    // Another program may ask in its place.
    let severity = if network.others.is_empty() && network.stacks.len() == 1 {
        Severity::Unreachable
    } else {
        Severity::Degraded
    };
    let title = format!(
        "{} gets no address: no DHCP client is installed",
        first.name
    );
    let finding = CHECK
        .finding(severity, &first.name, title)
        .with([
            Evidence::seen(
                first.place.as_str(),
                format!("iface {} inet dhcp", first.name),
            ),
            Evidence::seen("/sbin/dhclient", "missing, as are udhcpc and dhcpcd"),
        ])
        .by_hand("chroot ROOT apt-get install isc-dhcp-client (or dhcpcd-base)");
    out.push(finding);
}
