//! A gateway that none of the interface's own networks reaches.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/gateway-outside",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/gateway-outside.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let interfaces = tree.reach.network.interfaces.iter();
    for interface in interfaces.filter(|interface| interface.at_boot) {
        let Some(gateway) = &interface.lost_gateway else {
            continue;
        };
        let name = &interface.name;
        let title =
            format!("{name} cannot have the gateway {gateway}: no address of it reaches that");
        let seen = format!("gateway {gateway}, outside of every address of {name}");
        let finding = CHECK
            .finding(Severity::Unreachable, &interface.place, title)
            .with([Evidence::seen(interface.place.as_str(), seen)])
            .because("the kernel refuses a route to what is not on the link")
            .by_hand(format!(
                "correct address, length or gateway in {}; if the provider wants it so: \
                 GatewayOnLink=yes beside Gateway={gateway} in a [Route], in netplan on-link: true",
                interface.place
            ));
        out.push(finding);
    }
}
