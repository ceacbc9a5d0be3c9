//! What apt is told to prefer: `preferences`, `preferences.d`
//! (apt_preferences(5)).

use serde::{Deserialize, Serialize};

use super::conf::files;
use crate::facts::packages::control;
use crate::sys::root_dir::RootDir;

/// The most bytes of one file.
const FILE_MAX: u64 = 1 << 20;

/// The most pins that are kept.
const PINS_MAX: usize = 500;

/// One pin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pin {
    /// The file that sets it.
    pub file: String,
    /// The packages, with wildcards; `*` is all of them.
    pub packages: Vec<String>,
    /// `release n=bookworm`, `version 1.2*` or `origin example.org`.
    pub pin: String,
    /// The priority: below 0 never, below 500 only when asked for, above 1000
    /// even as a downgrade.
    pub priority: i64,
}

impl Pin {
    /// True when it is about this package by its name.
    pub fn names(&self, package: &str) -> bool {
        self.packages.iter().any(|name| match name.as_str() {
            "*" => false,
            name if name.contains(['*', '?', '[']) => {
                glob::Pattern::new(name).is_ok_and(|name| name.matches(package))
            }
            name => name == package,
        })
    }

    /// True when it chooses between whole releases.
    pub fn is_general(&self) -> bool {
        self.packages.iter().any(|name| name == "*")
    }
}

/// All pins.
pub(super) fn collect(root: &RootDir) -> Vec<Pin> {
    let mut pins = Vec::new();
    for file in files(root, "/etc/apt/preferences", &["", ".pref"]) {
        let bytes = root.read(&file, FILE_MAX).unwrap_or_default();
        pins.extend(of(&file, &bytes));
    }
    pins.truncate(PINS_MAX);
    pins
}

fn of(file: &str, bytes: &[u8]) -> Vec<Pin> {
    let stanzas = control::stanzas(bytes);
    stanzas
        .filter_map(|(_, stanza)| {
            let packages = control::text(stanza, "Package")?;
            Some(Pin {
                file: file.to_owned(),
                packages: packages.split_whitespace().map(str::to_owned).collect(),
                pin: control::text(stanza, "Pin")?,
                priority: control::text(stanza, "Pin-Priority")?.parse().ok()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_general_or_of_packages() {
        let pins = of(
            "p",
            b"Explanation: no\nPackage: *\nPin: release a=testing\nPin-Priority: 100\n\n\
              Package: lib* vim\nPin: version 1*\nPin-Priority: 1001\n\nPackage: x\n",
        );
        assert_eq!(pins.len(), 2);
        assert!(pins[0].is_general() && !pins[0].names("vim"));
        assert!(pins[1].names("libc6") && pins[1].names("vim") && !pins[1].names("nano"));
    }
}
