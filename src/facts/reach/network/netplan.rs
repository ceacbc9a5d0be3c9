//! netplan(5): YAML that is turned into networkd's or NetworkManager's files
//! at each boot.
//!
//! The YAML is read by the same parser as netplan's own, libyaml, in Rust.

use serde_yaml_ng::Value;

use super::address::{self, Address};
use super::{Interface, Said, Stack, drop_ins};
use crate::sys::root_dir::RootDir;

const FOLDERS: [&str; 2] = ["/etc/netplan", "/usr/lib/netplan"];

/// Kinds of devices that are made, and not found.
const MADE: [&str; 8] = [
    "bonds",
    "bridges",
    "vlans",
    "tunnels",
    "vrfs",
    "dummy-devices",
    "nm-devices",
    "virtual-ethernets",
];

/// What else stands below `network:`.
const OTHERS: [&str; 6] = [
    "version",
    "renderer",
    "ethernets",
    "wifis",
    "modems",
    "openvswitch",
];

/// More is no plan that somebody wrote, and a parser's time grows with it.
const PLAN_BYTES_MAX: usize = 64 << 10;
const NESTED_MAX: usize = 256;

/// Reads every plan of a root.
pub(super) fn read(root: &RootDir) -> Said {
    let mut said = Said::default();
    let mut renderer = Stack::Networkd;
    let mut plans = Vec::new();
    for path in drop_ins(root, &FOLDERS, ".yaml") {
        let Some(text) = said.read(root, &path) else {
            continue;
        };
        let nested = text.bytes().filter(|byte| matches!(byte, b'[' | b'{'));
        if text.len() > PLAN_BYTES_MAX || nested.count() > NESTED_MAX {
            said.unreadable
                .push(format!("{path}: larger than any plan"));
            continue;
        }
        match plan(&text) {
            Ok(Plan::Repeats) => {
                let why = "it repeats a key, which this version does not read";
                said.unreadable.push(format!("{path}: {why}"));
            }
            Ok(Plan::Network(network)) => {
                renderer = renderer_of(&network).unwrap_or(renderer);
                plans.push((path, network));
            }
            Ok(Plan::Empty) => {}
            Err((line, why)) => said.refuse(renderer, &path, line, why),
        }
    }
    for (path, network) in &plans {
        interfaces(path, network, renderer, &mut said);
    }
    said
}

/// What a file says, where netplan takes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Nothing about a network.
    Empty,
    /// A key twice, which netplan takes and this parser does not.
    Repeats,
    /// What stands below `network:`.
    Network(Value),
}

/// Reads a plan.
///
/// # Errors
/// The line and the reason for which netplan refuses the file, and with it all
/// others.
pub fn plan(text: &str) -> Result<Plan, (usize, String)> {
    let whole: Value = match serde_yaml_ng::from_str(text) {
        Ok(whole) => whole,
        Err(error) if error.to_string().contains("duplicate entry") => return Ok(Plan::Repeats),
        Err(error) => {
            let line = error.location().map_or(0, |place| place.line());
            return Err((line, error.to_string()));
        }
    };
    if whole.is_null() {
        return Ok(Plan::Empty);
    }
    let Some(top) = whole.as_mapping() else {
        return Err((0, "expected mapping".into()));
    };
    for key in top.keys().filter_map(Value::as_str) {
        if key != "network" {
            return Err((line_of(text, key), format!("unknown key '{key}'")));
        }
    }
    let Some(network) = whole.get("network").filter(|n| !n.is_null()) else {
        return Ok(Plan::Empty);
    };
    let Some(map) = network.as_mapping() else {
        return Err((line_of(text, "network"), "expected mapping".into()));
    };
    for key in map.keys().filter_map(Value::as_str) {
        if !MADE.contains(&key) && !OTHERS.contains(&key) {
            return Err((line_of(text, key), format!("unknown key '{key}'")));
        }
    }
    addresses_of(network, text)?;
    Ok(Plan::Network(network.clone()))
}

/// Every address must have its length.
fn addresses_of(network: &Value, text: &str) -> Result<(), (usize, String)> {
    for (_, device) in devices(network, "ethernets") {
        let listed = device.get("addresses").and_then(Value::as_sequence);
        for entry in listed.into_iter().flatten() {
            // An entry with a label is a mapping of the address.
            let Some(address) = entry.as_str() else {
                continue;
            };
            let whole = address.contains('/');
            if !whole || Address::parse(address, None).is_none() {
                let why = format!("malformed address '{address}', must be ADDRESS/LENGTH");
                return Err((line_of(text, address), why));
            }
        }
    }
    Ok(())
}

/// The line that a word stands in, from 1.
fn line_of(text: &str, word: &str) -> usize {
    let mut lines = text.lines();
    lines
        .position(|line| line.contains(word))
        .map_or(0, |at| at + 1)
}

fn renderer_of(value: &Value) -> Option<Stack> {
    match value.get("renderer")?.as_str()? {
        "NetworkManager" => Some(Stack::NetworkManager),
        _ => Some(Stack::Networkd),
    }
}

fn devices<'v>(network: &'v Value, kind: &str) -> Vec<(&'v str, &'v Value)> {
    let map = network.get(kind).and_then(Value::as_mapping);
    let named = map.into_iter().flatten();
    named
        .filter_map(|(id, device)| Some((id.as_str()?, device)))
        .collect()
}

fn interfaces(path: &str, network: &Value, renderer: Stack, said: &mut Said) {
    let cards = devices(network, "ethernets");
    let made = MADE.iter().flat_map(|kind| devices(network, kind));
    let made: Vec<_> = made.collect();
    let all = cards.iter().map(|device| (device, true));
    for ((id, device), is_card) in all.chain(made.iter().map(|device| (device, false))) {
        let found = device.get("match").is_some();
        said.interfaces.push(Interface {
            name: (*id).to_owned(),
            place: path.to_owned(),
            stack: renderer_of(device).unwrap_or(renderer),
            at_boot: true,
            // With `match`, the id is a name for people.
            is_card: is_card && !found,
            dhcp: is_true(device, "dhcp4"),
            lost_gateway: lost_gateway(device),
        });
    }
}

fn is_true(device: &Value, key: &str) -> bool {
    match device.get(key) {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => matches!(text.as_str(), "yes" | "on" | "true" | "y"),
        _ => false,
    }
}

fn lost_gateway(device: &Value) -> Option<String> {
    if is_true(device, "dhcp4") || is_true(device, "dhcp6") {
        return None;
    }
    let listed = device.get("addresses").and_then(Value::as_sequence);
    let texts = listed.into_iter().flatten().filter_map(Value::as_str);
    let addresses: Vec<Address> = texts.filter_map(|t| Address::parse(t, None)).collect();
    let routes: Vec<&Value> = device
        .get("routes")
        .and_then(Value::as_sequence)
        .into_iter()
        .flatten()
        .collect();
    // A route on the link, or to the gateway itself, leads there as well.
    let more = |route: &&&Value| {
        let to = route.get("to").and_then(Value::as_str);
        let default = matches!(to, Some("default" | "0.0.0.0/0" | "::/0"));
        is_true(route, "on-link") || route.get("scope").is_some() || !default
    };
    if routes.iter().any(|route| more(&route)) {
        return None;
    }
    let named = ["gateway4", "gateway6"]
        .into_iter()
        .filter_map(|key| device.get(key));
    let via = routes.iter().filter_map(|route| route.get("via"));
    let mut gateways = named.chain(via).filter_map(Value::as_str);
    gateways.find_map(|gateway| address::lost(gateway, &addresses))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    enp1s0:\n\
        \x20     addresses: [192.0.2.10/24]\n      routes:\n        - to: default\n          via: 192.0.3.1\n";

    #[test]
    fn a_plan_names_cards_and_gateways() {
        let Plan::Network(network) = plan(GOOD).unwrap() else {
            unreachable!()
        };
        let mut said = Said::default();
        interfaces("/etc/netplan/a.yaml", &network, Stack::Networkd, &mut said);
        let [card] = said.interfaces.as_slice() else {
            unreachable!()
        };
        assert!(card.is_card && card.name == "enp1s0");
        assert_eq!(card.lost_gateway.as_deref(), Some("192.0.3.1"));
    }

    #[test]
    fn what_netplan_refuses_is_told_with_its_line() {
        let tab = GOOD.replace("  version", "\tversion");
        assert_eq!(plan(&tab).unwrap_err().0, 2);
        let bare = GOOD.replace("192.0.2.10/24", "192.0.2.10");
        assert_eq!(plan(&bare).unwrap_err().0, 6);
        let wrong = GOOD.replace("ethernets", "ethernet");
        assert_eq!(plan(&wrong).unwrap_err().0, 4);
        let twice = GOOD.replace("version: 2", "version: 2\n  version: 2");
        assert_eq!(plan(&twice).unwrap(), Plan::Repeats);
        assert_eq!(plan("").unwrap(), Plan::Empty);
        assert!(plan("network: 5\n").is_err());
    }
}
