//! The network cards of the machine, and which names udev can give them.
//!
//! Cards are found on the PCI bus, so that the rescue system needs no driver
//! for them; and the rescue's own names for them are no evidence.
//! Source: systemd.net-naming-scheme(7), systemd's udev-builtin-net_id.c.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const PCI: &str = "/sys/bus/pci/devices";
const SLOTS: &str = "/sys/bus/pci/slots";
const NET: &str = "/sys/class/net";

/// One port of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Card {
    /// Its place on the bus: `0000:00:02.0`.
    pub place: String,
    /// The names that any naming scheme gives it, without a port's number.
    pub names: Vec<String>,
    /// Hardware addresses, where the rescue has a driver.
    pub addresses: Vec<String>,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cards {
    /// The cards on the PCI bus.
    pub cards: Vec<Card>,
    /// There are others, whose names are not known here: on USB, of a
    /// hypervisor, built into a system on a chip.
    pub others: bool,
}

impl Card {
    /// True when udev can give it this name.
    pub fn can_be(&self, name: &str) -> bool {
        let by_address = |address: &String| name == format!("enx{}", address.replace(':', ""));
        self.names.iter().any(|base| is_port_of(base, name))
            || self.addresses.iter().any(by_address)
    }
}

/// `enp1s0`, `enp1s0f0`, `enp1s0np0`, `enp1s0d1` for the base `enp1s0`.
fn is_port_of(base: &str, name: &str) -> bool {
    let Some(mut rest) = name.strip_prefix(base) else {
        return false;
    };
    // A virtual function is no port of its own that is sure to be there, and
    // not judged.
    for mark in ['f', 'v', 'd'] {
        if let Some(number) = rest.strip_prefix(mark) {
            let after = number.trim_start_matches(|c: char| c.is_ascii_digit());
            if after.len() < number.len() {
                rest = after;
            }
        }
    }
    rest.is_empty() || rest.starts_with('n')
}

/// Looks at the machine that this runs on.
pub(super) fn of_machine() -> Cards {
    let mut found = Cards::default();
    for place in names_in(Path::new(PCI)) {
        let device = Path::new(PCI).join(&place);
        let class = text(&device, "class").unwrap_or_default();
        if class.starts_with("0x02") {
            found.cards.push(card(place, &device));
        }
    }
    // Links such as ../../devices/pci0000:00/0000:00:02.0/net/eth0
    let links = names_in(Path::new(NET));
    let mut links = links
        .iter()
        .filter_map(|name| fs::read_link(Path::new(NET).join(name)).ok());
    found.others = links.any(|link| {
        let link = link.to_string_lossy();
        let on_pci = link.contains("/pci") && !link.contains("/usb");
        !on_pci && !link.contains("/devices/virtual/")
    });
    found
}

fn card(place: String, device: &Path) -> Card {
    let ways = ways(device);
    let mut names: Vec<String> = path_name(&place).into_iter().collect();
    for index in ["acpi_index", "index"]
        .iter()
        .filter_map(|file| text(device, file))
    {
        names.push(format!("eno{index}"));
    }
    let slots = slots();
    for way in &ways {
        let at = way.rsplit_once('.').map_or(way.as_str(), |(at, _)| at);
        let domain = domain_mark(at);
        let slot = slots.iter().filter(|(address, _)| address == at);
        names.extend(slot.map(|(_, slot)| format!("en{domain}s{slot}")));
        if let Some(sun) = text(&Path::new(PCI).join(way), "firmware_node/sun") {
            names.push(format!("en{domain}s{sun}"));
        }
    }
    // Wireless cards begin otherwise.
    let wireless: Vec<String> = names
        .iter()
        .map(|name| name.replacen("en", "wl", 1))
        .collect();
    names.extend(wireless);
    Card {
        addresses: addresses(device),
        names,
        place,
    }
}

/// The device and the bridges above it, as places on the bus.
fn ways(device: &Path) -> Vec<String> {
    let Ok(link) = fs::read_link(device) else {
        return Vec::new();
    };
    let parts = link.iter().map(|part| part.to_string_lossy().into_owned());
    parts
        .filter(|part| part.matches(':').count() == 2)
        .collect()
}

/// `P1` for another domain than the first.
fn domain_mark(place: &str) -> String {
    let domain = place.split(':').next().unwrap_or_default();
    match u32::from_str_radix(domain, 16) {
        Ok(0) | Err(_) => String::new(),
        Ok(domain) => format!("P{domain}"),
    }
}

/// `enp3s0` for `0000:03:00.0`, `enp3s0f1` for `0000:03:00.1`.
fn path_name(place: &str) -> Option<String> {
    let mut parts = place.split([':', '.']).skip(1);
    let bus = u32::from_str_radix(parts.next()?, 16).ok()?;
    let slot = u32::from_str_radix(parts.next()?, 16).ok()?;
    let function = u32::from_str_radix(parts.next()?, 16).ok()?;
    let mark = domain_mark(place);
    Some(match function {
        0 => format!("en{mark}p{bus}s{slot}"),
        number => format!("en{mark}p{bus}s{slot}f{number}"),
    })
}

/// Address and number of each slot for cards.
fn slots() -> Vec<(String, String)> {
    let found = names_in(Path::new(SLOTS)).into_iter().filter_map(|name| {
        let address = text(&Path::new(SLOTS).join(&name), "address")?;
        let digits = name.chars().take_while(char::is_ascii_digit);
        Some((address, digits.collect()))
    });
    found.collect()
}

/// Addresses of the interfaces of a device, of a virtio device on it as well.
fn addresses(device: &Path) -> Vec<String> {
    let mut folders: Vec<PathBuf> = vec![device.join("net")];
    let below = names_in(device).into_iter();
    folders.extend(
        below
            .filter(|name| name.starts_with("virtio"))
            .map(|name| device.join(name).join("net")),
    );
    let interfaces = folders.iter().flat_map(|folder| {
        let names = names_in(folder).into_iter();
        names.filter_map(|name| text(&folder.join(name), "address"))
    });
    interfaces.collect()
}

/// The names in a directory, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn text(folder: &Path, file: &str) -> Option<String> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_place_on_the_bus() {
        assert_eq!(path_name("0000:00:02.0").as_deref(), Some("enp0s2"));
        assert_eq!(path_name("0000:3b:00.1").as_deref(), Some("enp59s0f1"));
        assert_eq!(path_name("0001:01:1f.0").as_deref(), Some("enP1p1s31"));
        assert_eq!(path_name("nonsense"), None);
    }

    #[test]
    fn ports_of_a_card_bear_its_name() {
        for name in ["enp1s0", "enp1s0f0", "enp1s0np0", "enp1s0f0np0", "enp1s0d1"] {
            assert!(is_port_of("enp1s0", name), "{name}");
        }
        for name in ["enp1s00", "enp1s1", "enp11s0", "eth0", "enp1s0x"] {
            assert!(!is_port_of("enp1s0", name), "{name}");
        }
    }
}
