//! What the patient itself says about the names of its cards.
//!
//! Sources: systemd.link(5), udev(7), and the kernel's `net.ifnames=0`.

use serde::{Deserialize, Serialize};

use super::LIMIT;
use super::ini::Ini;
use crate::sys::root_dir::RootDir;

/// The rule that has udev name cards by their place.
const BY_PLACE: [&str; 2] = [
    "/usr/lib/udev/rules.d/80-net-setup-link.rules",
    "/lib/udev/rules.d/80-net-setup-link.rules",
];

/// Files that take it away when they are empty or lead to /dev/null.
const SWITCHES: [&str; 3] = [
    "/etc/udev/rules.d/80-net-setup-link.rules",
    "/etc/systemd/network/99-default.link",
    "/etc/systemd/network/80-net-setup-link.link",
];

/// A name that a file gives to the card with an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Given {
    /// The name.
    pub name: String,
    /// The hardware address, in small letters; none where another way finds
    /// the card.
    pub address: Option<String>,
    /// The file.
    pub path: String,
}

/// How cards get their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Names {
    /// The kernel's names stay: `eth0`.
    pub of_kernel: bool,
    /// Names that are given one by one.
    pub given: Vec<Given>,
    /// A policy of the administrator's own decides.
    pub is_unclear: bool,
}

pub(super) fn read(root: &RootDir, command_line: Option<&str>) -> Names {
    let words = command_line.unwrap_or_default().split_whitespace();
    let mut words =
        words.filter(|word| *word == "net.ifnames=0" || word.starts_with("biosdevname=1"));
    let asked = words.next();
    let switched = SWITCHES.iter().any(|path| {
        let gone = root
            .read_link(path)
            .is_ok_and(|to| to.ends_with("dev/null"));
        gone || root.metadata(path).is_ok_and(|meta| meta.size == 0)
    });
    let by_place = BY_PLACE.iter().any(|path| root.metadata(path).is_ok());
    let mut names = Names {
        of_kernel: asked == Some("net.ifnames=0") || switched || !by_place,
        // Without the command line, it is not known what it says.
        is_unclear: command_line.is_none() || asked.is_some_and(|word| word != "net.ifnames=0"),
        ..Names::default()
    };
    links(root, &mut names);
    rules(root, &mut names);
    names
}

fn links(root: &RootDir, names: &mut Names) {
    for folder in [
        "/etc/systemd/network",
        "/run/systemd/network",
        "/usr/local/lib/systemd/network",
    ] {
        for entry in root.read_dir(folder).unwrap_or_default() {
            let path = format!("{folder}/{}", entry.name.to_string_lossy());
            if !path.ends_with(".link") || SWITCHES.contains(&path.as_str()) {
                continue;
            }
            let text = root.read_text(&path, LIMIT).unwrap_or_default();
            let ini = Ini::parse(&text);
            let address = ["MACAddress", "PermanentMACAddress"]
                .iter()
                .find_map(|key| ini.value("Match", key));
            match ini.value("Link", "Name") {
                Some(name) => names.given.push(Given {
                    name: name.to_owned(),
                    address: address.map(str::to_ascii_lowercase),
                    path,
                }),
                None => names.is_unclear |= ini.value("Link", "NamePolicy").is_some(),
            }
        }
    }
}

/// Lines such as `SUBSYSTEM=="net", ATTR{address}=="...", NAME="eth0"`.
fn rules(root: &RootDir, names: &mut Names) {
    const FOLDER: &str = "/etc/udev/rules.d";
    for entry in root.read_dir(FOLDER).unwrap_or_default() {
        let path = format!("{FOLDER}/{}", entry.name.to_string_lossy());
        if !path.ends_with(".rules") {
            continue;
        }
        let text = root.read_text(&path, LIMIT).unwrap_or_default();
        for line in text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
        {
            if !line.contains("SUBSYSTEM==\"net\"") {
                continue;
            }
            let quoted = |key: &str| line.split(key).nth(1)?.split('"').next();
            if let Some(name) = quoted(" NAME=\"").or_else(|| quoted(",NAME=\"")) {
                names.given.push(Given {
                    name: name.to_owned(),
                    address: quoted("ATTR{address}==\"").map(str::to_ascii_lowercase),
                    path: path.clone(),
                });
            }
        }
    }
}
