//! interfaces(5), as Debian's ifupdown reads it.
//!
//! Source: ifupdown, config.c (`read_interfaces_defn`), inet.defn, inet6.defn.
//! A line that it refuses makes it use nothing of any file.

use std::collections::BTreeSet;

use super::super::boot::Boot;
use super::super::glob::Budget;
use super::{Interface, Invalid, Said, Stack};
use crate::facts::text_file::{CHANGED_MAX, TextFile};
use crate::sys::root_dir::RootDir;

const FILE: &str = "/etc/network/interfaces";

/// Files that may be drawn in by one another.
const FILES_MAX: usize = 200;

/// Interfaces of one machine that are looked at.
const INTERFACES_MAX: usize = 1000;

/// Where other programs of the same name and other rules have their parts.
const OTHER_KINDS: [&str; 3] = [
    "/usr/share/ifupdown2",
    "/usr/libexec/ifupdown-ng",
    "/usr/lib/ifupdown-ng",
];

/// What udev calls for a card that appears, for interfaces of `allow-hotplug`:
/// it starts `ifup@NAME.service`.
const HOTPLUG: [&str; 2] = [
    "/usr/lib/udev/ifupdown-hotplug",
    "/lib/udev/ifupdown-hotplug",
];

/// The address families and their methods.
pub const METHODS: [(&str, &[&str]); 3] = [
    (
        "inet",
        &[
            "loopback", "static", "manual", "dhcp", "bootp", "ppp", "wvdial", "ipv4ll", "tunnel",
        ],
    ),
    (
        "inet6",
        &[
            "auto", "loopback", "static", "manual", "dhcp", "v4tunnel", "6to4",
        ],
    ),
    ("can", &["static"]),
];

/// Programs that ask for addresses, any of which will do.
const CLIENTS: [&str; 3] = ["dhclient", "udhcpc", "dhcpcd"];

/// What begins a stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stanza {
    None,
    Iface,
    Other,
}

#[derive(Debug, Default)]
struct Reader {
    said: Said,
    automatic: BTreeSet<String>,
    templates: BTreeSet<String>,
    hotplug: bool,
    files: usize,
    patterns: Budget,
    strict: bool,
}

pub(super) fn read(root: &RootDir) -> Said {
    read_from(root, FILE)
}

/// The lines that ifupdown refuses in the file `path` and what it draws in.
pub fn refused(root: &RootDir, path: &str) -> Vec<Invalid> {
    read_from(root, path).invalid
}

fn read_from(root: &RootDir, path: &str) -> Said {
    let other = OTHER_KINDS.iter().any(|path| root.metadata(path).is_ok());
    let mut reader = Reader {
        strict: !other,
        ..Reader::default()
    };
    reader.file(root, path);
    let by_udev = HOTPLUG.iter().any(|path| root.metadata(path).is_ok());
    reader.said.by_udev = reader.hotplug && by_udev;
    for interface in &mut reader.said.interfaces {
        interface.at_boot = reader.automatic.contains(&interface.name);
    }
    reader.said
}

/// The files that lines of ifupdown are refused in, whole.
pub(super) fn files(root: &RootDir, invalid: &[Invalid]) -> Vec<TextFile> {
    let own = invalid.iter().filter(|one| one.stack == Stack::Ifupdown);
    let mut paths: Vec<&str> = own.map(|one| one.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let files = paths.into_iter();
    files
        .filter_map(|path| TextFile::read(root, path, CHANGED_MAX).ok())
        .collect()
}

/// True when there is a program that asks for addresses.
pub(super) fn has_client(boot: &Boot<'_>) -> bool {
    let folders = ["/sbin", "/usr/sbin", "/bin", "/usr/bin", "/usr/local/sbin"];
    CLIENTS.iter().any(|client| {
        folders
            .iter()
            .any(|folder| boot.has_file(&format!("{folder}/{client}")))
    })
}

impl Reader {
    fn file(&mut self, root: &RootDir, path: &str) {
        self.files += 1;
        if self.files > FILES_MAX {
            return self.too_much(&format!("{path}: one of more than {FILES_MAX} files"));
        }
        let Some(text) = self.said.read(root, path) else {
            return;
        };
        let mut stanza = Stanza::None;
        for (line, text) in logical_lines(&text) {
            let words: Vec<&str> = text.split_whitespace().collect();
            let Some((first, rest)) = words.split_first() else {
                continue;
            };
            if self.files > FILES_MAX {
                return;
            }
            if self.said.interfaces.len() > INTERFACES_MAX {
                return self.too_much(&format!("{path}: more than {INTERFACES_MAX} interfaces"));
            }
            match *first {
                "source" | "source-directory" => {
                    self.source(root, path, first, rest);
                    stanza = Stanza::None;
                }
                "iface" => {
                    stanza = Stanza::Iface;
                    self.iface(path, line, rest);
                }
                "auto" | "allow-auto" | "allow-hotplug" => {
                    self.hotplug |= *first == "allow-hotplug";
                    self.automatic
                        .extend(rest.iter().map(|name| (*name).to_owned()));
                    stanza = Stanza::None;
                }
                "mapping" => stanza = Stanza::Other,
                word if is_list(word) => stanza = Stanza::None,
                "template" => {
                    stanza = Stanza::Other;
                    self.templates
                        .extend(rest.first().map(|name| (*name).to_owned()));
                }
                option => self.option(path, line, stanza, option, rest),
            }
        }
    }

    /// What was not read of it, told once.
    fn too_much(&mut self, what: &str) {
        if self.said.unreadable.is_empty() {
            self.said.unreadable.push(what.to_owned());
        }
    }

    fn source(&mut self, root: &RootDir, path: &str, how: &str, patterns: &[&str]) {
        for pattern in patterns {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let pattern = if pattern.starts_with('/') {
                (*pattern).to_owned()
            } else {
                format!("{folder}/{pattern}")
            };
            let paths = self.patterns.expand(root, &pattern);
            if self.patterns.is_spent {
                return self.too_much(&format!("{path}: {how} {pattern} means too many files"));
            }
            for found in paths {
                let entries = root.read_dir(&found).unwrap_or_default();
                if how == "source" {
                    self.file(root, &found);
                    continue;
                }
                let usual = |name: &str| {
                    name.chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
                };
                for entry in entries {
                    let name = entry.name.to_string_lossy();
                    if usual(&name) {
                        self.file(root, &format!("{found}/{name}"));
                    }
                }
            }
        }
    }

    fn iface(&mut self, path: &str, line: usize, words: &[&str]) {
        let mut after = words.iter().skip_while(|word| **word != "inherits");
        let inherits = after.next().is_some();
        let parent = after.next();
        let unknown = parent.is_some_and(|name| !self.defines(name));
        let (family, method) = (words.get(1), words.get(2));
        let known = METHODS.iter().find(|(name, _)| Some(name) == family);
        let why = match (words.first(), known, method) {
            (None, ..) => Some("too few parameters for iface line"),
            _ if inherits && unknown => Some("unknown iface to inherit from"),
            _ if inherits => None,
            (_, None, _) if words.len() > 1 => Some("unknown or no address type"),
            (_, None, _) => None,
            (_, Some((_, methods)), Some(method)) if methods.contains(method) => None,
            (_, Some(_), _) => Some("unknown or no method"),
        };
        if let Some(why) = why {
            self.refuse(path, line, why);
        }
        let Some(name) = words.first() else { return };
        self.said.interfaces.push(Interface {
            name: (*name).to_owned(),
            place: format!("{path} line {line}"),
            stack: Stack::Ifupdown,
            at_boot: false,
            is_card: !is_made(name),
            dhcp: method == Some(&"dhcp"),
            lost_gateway: None,
        });
    }

    /// True when a stanza before this one is of that name.
    fn defines(&self, name: &str) -> bool {
        let mut interfaces = self.said.interfaces.iter();
        interfaces.any(|i| i.name == name) || self.templates.contains(name)
    }

    fn option(&mut self, path: &str, line: usize, stanza: Stanza, option: &str, rest: &[&str]) {
        match stanza {
            Stanza::None => self.refuse(path, line, "misplaced option"),
            Stanza::Iface if rest.is_empty() => {
                self.refuse(path, line, "option with empty value");
            }
            Stanza::Iface | Stanza::Other => {}
        }
        // Bridges, bonds and VLANs are made by the scripts of their packages.
        let made = [
            "bridge",
            "bond-s",
            "bond-m",
            "vlan",
            "pre-up",
            "tunnel",
            "link-type",
            "wireguard",
        ];
        let makes = made.iter().any(|start| option.starts_with(start));
        if let Some(last) = self.said.interfaces.last_mut().filter(|_| makes) {
            last.is_card = false;
        }
    }

    fn refuse(&mut self, path: &str, line: usize, why: &str) {
        if self.strict {
            self.said.refuse(Stack::Ifupdown, path, line, why);
        }
    }
}

/// Stanzas that only list names.
fn is_list(word: &str) -> bool {
    word.starts_with("allow-")
        || matches!(
            word,
            "no-auto-down" | "no-scripts" | "rename" | "noauto" | "no-auto"
        )
}

/// Names that no card has, and patterns.
fn is_made(name: &str) -> bool {
    const STARTS: [&str; 17] = [
        "lo", "br", "bond", "vlan", "tun", "tap", "wg", "dummy", "veth", "ppp", "sit", "gre",
        "vmbr", "team", "can", "docker", "vrf",
    ];
    STARTS.iter().any(|start| name.starts_with(start))
        || name.contains(['.', ':', '/', '*', '=', '@'])
}

/// Lines with those joined that end in a backslash, with the number of the
/// first; a comment is one at the start of a line only.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, raw) in text.lines().enumerate() {
        if !goes_on && raw.trim_start().starts_with('#') {
            continue;
        }
        let (part, more) = match raw.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (raw, false),
        };
        match lines.last_mut() {
            Some((_, before)) if goes_on => before.push_str(part),
            _ => lines.push((index + 1, part.to_owned())),
        }
        goes_on = more;
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_of_cards_are_told_from_made_ones() {
        for card in ["eth0", "enp0s2", "eno1np0", "wlan0", "ens3f1"] {
            assert!(!is_made(card), "{card}");
        }
        for made in ["lo", "br0", "bond0", "eth0.100", "eth0:1", "vmbr0", "/eth*"] {
            assert!(is_made(made), "{made}");
        }
    }

    #[test]
    fn a_bridge_is_no_card_and_its_ports_are() {
        let folder = tempfile::tempdir().unwrap();
        let network = folder.path().join("etc/network");
        std::fs::create_dir_all(&network).unwrap();
        // As Proxmox VE writes it, and a bridge of any name.
        let text = "auto lo\niface lo inet loopback\n\niface eno1 inet manual\n\n\
            auto vmbr0\niface vmbr0 inet static\n\taddress 192.0.2.2/24\n\
            \tgateway 192.0.2.1\n\tbridge-ports eno1\n\tbridge-stp off\n\n\
            auto enlan\niface enlan inet manual\n\tbridge_ports eno2\n\n\
            auto eno3\niface eno3 inet dhcp\n";
        std::fs::write(network.join("interfaces"), text).unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        let said = read(&root);
        let cards = said.interfaces.iter().filter(|i| i.is_card && i.at_boot);
        let cards: Vec<&str> = cards.map(|i| i.name.as_str()).collect();
        assert_eq!(cards, ["eno3"]);
        assert!(said.invalid.is_empty() && said.unreadable.is_empty());
    }

    #[test]
    fn what_is_too_much_is_told_as_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let network = folder.path().join("etc/network");
        for outer in 0..40 {
            for inner in 0..20 {
                let path = network.join(format!("{outer}/{inner}"));
                std::fs::create_dir_all(path).unwrap();
            }
        }
        let lines = "source /etc/network/*/*/*/*\n".repeat(40);
        std::fs::write(network.join("interfaces"), lines).unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        assert!(read(&root).unreadable[0].contains("too many files"));
    }

    #[test]
    fn lines_are_joined_before_they_are_read() {
        let lines = logical_lines("# a \\\nauto lo \\\n eth0\niface\n");
        assert_eq!(lines, [(2, "auto lo  eth0".into()), (4, "iface".into())]);
    }
}
