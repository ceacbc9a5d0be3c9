//! The configuration is for an interface that this machine will not have.

use super::{Check, on_its_disks, tree_with_usr};
use crate::facts::Facts;
use crate::facts::reach::network::Interface;
use crate::facts::reach::network::names::Names;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::cards::Cards;

pub(super) const CHECK: Check = Check {
    id: "reach/interface-absent",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/interface-absent.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let (Some(cards), true) = (&facts.survey.cards, on_its_disks(facts)) else {
        return;
    };
    let (network, names) = (&tree.reach.network, &tree.reach.network.names);
    // Without a card that is known in all its names, nothing can be said.
    if cards.others || cards.cards.is_empty() || names.is_unclear || !network.judged {
        return;
    }
    let wanted = network
        .interfaces
        .iter()
        .filter(|i| i.at_boot && i.is_card && is_called_like_a_card(&i.name, names));
    let (there, absent): (Vec<&Interface>, Vec<&Interface>) =
        wanted.partition(|i| can_be(&i.name, cards, names));
    // What is found by address or pattern, or made of others, may be a way in.
    let is_absent = |name: &str| absent.iter().any(|i| i.name == name);
    let mut at_boot = network.interfaces.iter().filter(|i| i.at_boot);
    let by_more = at_boot.any(|i| i.name != "lo" && !is_absent(&i.name));
    let alone = there.is_empty() && !by_more && network.others.is_empty();
    let severity = if alone {
        Severity::Unreachable
    } else {
        Severity::Note
    };
    if let Some(first) = absent.first() {
        let will = will_be(cards, names);
        let title = format!("there will be no {}: the card is called {will}", first.name);
        let evidence = absent.iter().take(10).map(|i| {
            let seen = format!("{} is configured", i.name);
            Evidence::seen(i.place.as_str(), seen).expected(will.as_str())
        });
        let finding = CHECK
            .finding(severity, &first.name, title)
            .with(evidence)
            .because("another card or place, or the naming of cards changed")
            .by_hand("put the right name there, or find the card by its MAC address");
        out.push(finding);
    }
}

/// Bridges, bonds and tunnels are called as anybody likes; cards are not,
/// unless a file gives them names.
fn is_called_like_a_card(name: &str, names: &Names) -> bool {
    let usual = ["en", "eth", "wl", "ib"];
    usual.iter().any(|start| name.starts_with(start))
        || names.given.iter().any(|given| given.name == name)
}

/// True when one of the cards may get the name.
fn can_be(name: &str, cards: &Cards, names: &Names) -> bool {
    let given = names.given.iter().filter(|given| given.name == name);
    let mut given = given.map(|given| match &given.address {
        Some(address) => cards.cards.iter().any(|card| {
            // A card without a driver in the rescue does not tell its address.
            card.addresses.is_empty() || card.addresses.contains(address)
        }),
        None => true,
    });
    let of_kernel = names.of_kernel && name.starts_with("eth");
    of_kernel || given.any(|found| found) || cards.cards.iter().any(|card| card.can_be(name))
}

/// What the cards will be called, as far as that is known.
fn will_be(cards: &Cards, names: &Names) -> String {
    if names.of_kernel {
        return "eth0".into();
    }
    let usual = cards.cards.iter().filter_map(|card| {
        // Built in, in a slot, by its place: what udev takes first.
        let of = |start: &str| card.names.iter().find(|name| name.starts_with(start));
        of("eno").or_else(|| of("ens")).or_else(|| of("en"))
    });
    let usual: Vec<String> = usual.cloned().collect();
    super::some(&usual, 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::reach::network::names::Given;
    use crate::survey::cards::Card;

    #[test]
    fn a_name_is_possible_by_place_by_kernel_or_by_rule() {
        let card = Card {
            place: "0000:00:02.0".into(),
            names: vec!["enp0s2".into()],
            addresses: vec!["52:54:00:12:34:56".into()],
        };
        let cards = Cards {
            cards: vec![card],
            others: false,
        };
        let mut names = Names::default();
        assert!(can_be("enp0s2", &cards, &names));
        assert!(can_be("enx525400123456", &cards, &names));
        assert!(!can_be("eth0", &cards, &names));
        let give = |address: &str| Given {
            name: "eth0".into(),
            address: Some(address.into()),
            path: "/etc/udev/rules.d/70-persistent-net.rules".into(),
        };
        names.given = vec![give("00:00:5e:00:53:01")];
        assert!(!can_be("eth0", &cards, &names));
        names.given = vec![give("52:54:00:12:34:56")];
        assert!(can_be("eth0", &cards, &names));
        names = Names {
            of_kernel: true,
            ..Names::default()
        };
        assert!(can_be("eth0", &cards, &names));
        assert_eq!(will_be(&cards, &names), "eth0");
        assert!(is_called_like_a_card("enp0s2", &names));
        assert!(!is_called_like_a_card("br0", &names));
    }
}
