//! systemd.network(5).

use super::address::{self, Address};
use super::ini::Ini;
use super::{Interface, Said, Stack, drop_ins};
use crate::sys::root_dir::RootDir;

const FOLDERS: [&str; 4] = [
    "/etc/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
    "/lib/systemd/network",
];

pub(super) fn read(root: &RootDir) -> Said {
    let mut said = Said::default();
    for path in drop_ins(root, &FOLDERS, ".network") {
        // A link to /dev/null takes a file of the vendor away.
        let masked = root
            .read_link(&path)
            .is_ok_and(|to| to.ends_with("dev/null"));
        if let Some(text) = (!masked).then(|| said.read(root, &path)).flatten() {
            said.interfaces.extend(interfaces(&path, &text));
        }
    }
    said
}

/// Names in one file.
const INTERFACES_MAX: usize = 64;

/// What a file is for; those of the vendor for containers are for no card.
fn interfaces(path: &str, text: &str) -> Vec<Interface> {
    let ini = Ini::parse(text);
    let names = ini
        .all("Match", "Name")
        .flat_map(|s| s.value.split_whitespace());
    let names: Vec<&str> = names.take(INTERFACES_MAX).collect();
    let by_more = [
        "MACAddress",
        "Path",
        "Driver",
        "Type",
        "Kind",
        "OriginalName",
    ];
    let by_more = by_more.iter().any(|key| ini.value("Match", key).is_some());
    let narrow = [
        "Virtualization",
        "Host",
        "KernelCommandLine",
        "Architecture",
    ];
    let narrow = narrow.iter().any(|key| ini.value("Match", key).is_some());
    let vendor = !path.starts_with("/etc/");
    let dhcp = ini
        .value("Network", "DHCP")
        .is_some_and(|value| value != "no");
    let lost = lost_gateway(&ini);
    let make = |name: &str, is_card: bool| Interface {
        name: name.to_owned(),
        place: path.to_owned(),
        stack: Stack::Networkd,
        at_boot: !vendor && ini.value("Link", "Unmanaged").is_none_or(|v| v == "no"),
        is_card,
        dhcp,
        lost_gateway: lost.clone(),
    };
    let plain = |name: &&str| !name.contains(['*', '?', '[', '!']);
    let mut found: Vec<Interface> = names
        .iter()
        .map(|name| make(name, plain(name) && !narrow && !by_more && !vendor))
        .collect();
    if found.is_empty() && ini.has("Match") {
        found.push(make("*", false));
    }
    found
}

/// The gateway that no address of the file reaches, unless it is on the link.
fn lost_gateway(ini: &Ini<'_>) -> Option<String> {
    if ini
        .value("Network", "DHCP")
        .is_some_and(|value| value != "no")
    {
        return None;
    }
    let own = ini
        .all("Network", "Address")
        .chain(ini.all("Address", "Address"));
    let addresses: Vec<Address> = own.filter_map(|s| Address::parse(s.value, None)).collect();
    let has_peer = ini.value("Address", "Peer").is_some();
    let on_link = ini
        .all("Route", "GatewayOnLink")
        .chain(ini.all("Route", "GatewayOnlink"));
    // A route to the gateway itself leads there as well.
    let to_it =
        ini.value("Route", "Scope").is_some() || ini.value("Route", "Destination").is_some();
    if has_peer || to_it || on_link.count() > 0 {
        return None;
    }
    let gateways = ini
        .all("Network", "Gateway")
        .chain(ini.all("Route", "Gateway"));
    let mut gateways = gateways.map(|s| s.value);
    gateways.find_map(|gateway| address::lost(gateway, &addresses))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_says_which_card_and_which_gateway() {
        let text = "[Match]\nName=enp1s0 enp2s0\n[Network]\nAddress=192.0.2.10/24\n\
                    [Route]\nGateway=198.51.100.1\n";
        let found = interfaces("/etc/systemd/network/a.network", text);
        assert_eq!(found.len(), 2);
        assert!(found[0].is_card && found[0].at_boot && !found[0].dhcp);
        assert_eq!(found[0].lost_gateway.as_deref(), Some("198.51.100.1"));
        let on_link = format!("{text}GatewayOnLink=yes\n");
        let found = interfaces("/etc/systemd/network/a.network", &on_link);
        assert_eq!(found[0].lost_gateway, None);
        let vendor = interfaces("/usr/lib/systemd/network/80-x.network", text);
        assert!(!vendor[0].at_boot);
    }
}
