//! The network's configuration that is in charge at the next boot: which
//! programs read one, which interfaces it names, what they refuse.
//!
//! Sources: interfaces(5), systemd.network(5), netplan(5),
//! nm-settings-keyfile(5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::boot::{Boot, Standing};
use crate::facts::place::Place;
use crate::facts::text_file::TextFile;
use crate::facts::units::Enabling;
use crate::sys::root_dir::RootDir;

mod address;
pub mod ifupdown;
mod ini;
mod keyfile;
pub mod names;
pub mod netplan;
mod networkd;

/// Bytes of one file of configuration that are read.
const LIMIT: u64 = 1 << 20;

/// Lines and files that are told.
const MOST: usize = 50;

/// The files of a program that reads several folders, in the order of their
/// names; of two with one name the one in the earlier folder counts.
fn drop_ins(root: &RootDir, folders: &[&str], ending: &str) -> Vec<String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for folder in folders {
        for entry in root.read_dir(folder).unwrap_or_default() {
            let name = entry.name.to_string_lossy().into_owned();
            if name.ends_with(ending) {
                let path = format!("{folder}/{name}");
                files.entry(name).or_insert(path);
            }
        }
    }
    files.into_values().take(MOST).collect()
}

/// A program that sets up the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Stack {
    /// ifupdown's networking.service.
    Ifupdown,
    /// systemd-networkd.
    Networkd,
    /// NetworkManager.
    NetworkManager,
}

impl Stack {
    /// The unit that starts it.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Ifupdown => "networking.service",
            Self::Networkd => "systemd-networkd.service",
            Self::NetworkManager => "NetworkManager.service",
        }
    }
}

/// Something that a configuration wants of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interface {
    /// The name, as the configuration has it.
    pub name: String,
    /// The file, and the line where it is known.
    pub place: String,
    /// Who reads it.
    pub stack: Stack,
    /// It is set up at the boot by itself.
    pub at_boot: bool,
    /// It is a card, and neither a bridge, a bond, a VLAN nor another thing
    /// that the configuration makes.
    pub is_card: bool,
    /// It asks for its addresses by DHCP.
    pub dhcp: bool,
    /// A gateway that no address of the interface reaches.
    pub lost_gateway: Option<String>,
}

/// A part of a configuration that its program refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Invalid {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 where it is the whole file.
    pub line: usize,
    /// What the program says to it.
    pub why: String,
    /// Who reads it.
    pub stack: Stack,
    /// Its mode and owner, where these are what is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<Place>,
}

/// A configuration that nothing reads at the next boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Idle {
    /// The program that would.
    pub stack: Stack,
    /// The file.
    pub path: String,
    /// Its unit is masked.
    pub masked: bool,
    /// Its unit is not there at all.
    pub absent: bool,
    /// What has its unit started.
    #[serde(default)]
    pub enabling: Option<Enabling>,
}

/// The network of the next boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Network {
    /// The boot reaches the services, so that the rest means something.
    pub judged: bool,
    /// What is started and sets up an interface.
    pub stacks: Vec<Stack>,
    /// Something else that may do so: cloud-init, a script, another program.
    pub others: Vec<String>,
    /// What is configured for the programs that are started.
    pub interfaces: Vec<Interface>,
    /// What these refuse.
    pub invalid: Vec<Invalid>,
    /// The files of ifupdown that hold a line which it refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid_files: Vec<TextFile>,
    /// What is configured for the others.
    pub idle: Vec<Idle>,
    /// ifupdown asks for addresses and has no program for that.
    pub no_dhcp_client: bool,
    /// How its cards get their names.
    pub names: names::Names,
    /// Files that could not be read, and why.
    pub unreadable: Vec<String>,
}

/// What one kind of files says.
#[derive(Debug, Default)]
struct Said {
    interfaces: Vec<Interface>,
    invalid: Vec<Invalid>,
    unreadable: Vec<String>,
    /// udev sets an interface up when its card appears, whatever the services.
    by_udev: bool,
}

impl Said {
    fn refuse(&mut self, stack: Stack, path: &str, line: usize, why: impl Into<String>) {
        if self.invalid.len() < MOST {
            self.invalid.push(Invalid {
                path: path.to_owned(),
                line,
                why: why.into(),
                stack,
                rights: None,
            });
        }
    }

    /// Reads a file; what cannot be read is noted.
    fn read(&mut self, root: &RootDir, path: &str) -> Option<String> {
        match root.read_text(path, LIMIT) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                if self.unreadable.len() < MOST {
                    self.unreadable.push(format!("{path}: {error}"));
                }
                None
            }
        }
    }
}

/// Reads the configuration of the network.
pub(super) fn collect(root: &RootDir, boot: &Boot<'_>, command_line: Option<&str>) -> Network {
    let plan = netplan::read(root);
    let mut network = Network {
        judged: boot.reaches_services,
        others: others(root, boot, command_line),
        names: names::read(root, command_line),
        ..Network::default()
    };
    // netplan's generator has those started that it writes for.
    let by_plan = |stack: Stack| plan.interfaces.iter().any(|i| i.stack == stack);
    let all = [
        (Stack::Ifupdown, ifupdown::read(root)),
        (Stack::Networkd, networkd::read(root)),
        (Stack::NetworkManager, keyfile::read(root)),
    ];
    let planned = network_of_plan(root, boot);
    for (stack, said) in all {
        let standing = boot.standing(stack.unit());
        if standing == Standing::Started {
            network.others.extend(of_the_vendor(&said));
        }
        let wanted = planned && by_plan(stack) && standing == Standing::NotStarted;
        if standing == Standing::Started || wanted || said.by_udev {
            network.add(stack, said);
        } else if let Some(first) = said.interfaces.iter().find(|i| i.at_boot && i.name != "lo") {
            network.idle.push(Idle {
                stack,
                path: first.place.clone(),
                masked: standing == Standing::Masked,
                absent: standing == Standing::Absent,
                enabling: Enabling::of(root, stack.unit()),
            });
        }
    }
    if planned {
        for interface in plan.interfaces {
            let stack = interface.stack;
            let standing = boot.standing(stack.unit());
            if matches!(standing, Standing::Started | Standing::NotStarted) {
                network.configures(stack);
                network.interfaces.push(interface);
            }
        }
        network.invalid.extend(plan.invalid);
        network.unreadable.extend(plan.unreadable);
    }
    // It makes a connection for each card by itself.
    if boot.starts(Stack::NetworkManager.unit()) {
        network.configures(Stack::NetworkManager);
    }
    network.invalid_files = ifupdown::files(root, &network.invalid);
    network.no_dhcp_client = network.wants_dhcp() && !ifupdown::has_client(boot);
    network
}

/// Files of the distribution's own that set up any card, as on cloud images.
fn of_the_vendor(said: &Said) -> Option<String> {
    let sets_up = |i: &&Interface| {
        i.place.starts_with("/usr/") && i.dhcp && (i.name == "*" || i.name.starts_with('e'))
    };
    said.interfaces
        .iter()
        .find(sets_up)
        .map(|i| i.place.clone())
}

/// True when netplan's generator runs at the boot.
fn network_of_plan(root: &RootDir, boot: &Boot<'_>) -> bool {
    const GENERATORS: [&str; 2] = [
        "/usr/lib/systemd/system-generators/netplan",
        "/lib/systemd/system-generators/netplan",
    ];
    let generated = GENERATORS.iter().any(|path| root.metadata(path).is_ok());
    generated && boot.reaches_services
}

impl Network {
    fn add(&mut self, stack: Stack, said: Said) {
        let cards = |i: &&Interface| i.at_boot && i.name != "lo";
        if said.interfaces.iter().any(|i| cards(&i)) {
            self.configures(stack);
        }
        self.interfaces.extend(said.interfaces);
        self.invalid.extend(said.invalid);
        self.unreadable.extend(said.unreadable);
    }

    fn configures(&mut self, stack: Stack) {
        if !self.stacks.contains(&stack) {
            self.stacks.push(stack);
        }
    }

    fn wants_dhcp(&self) -> bool {
        let mut all = self.interfaces.iter();
        all.any(|i| i.stack == Stack::Ifupdown && i.dhcp && i.at_boot)
    }
}

/// What else may set up the network.
fn others(root: &RootDir, boot: &Boot<'_>, command_line: Option<&str>) -> Vec<String> {
    const NAMES: [&str; 14] = [
        "cloud-init",
        "connman",
        "dhclient",
        "dhcpcd",
        "ifupdown2",
        "iwd.",
        "lxc",
        "net.",
        "netctl",
        "network.service",
        "network-",
        "wicked",
        "wpa_supplicant@",
        "vyos",
    ];
    // Of systemd's own and the distributions', these set nothing up.
    const NOTHING: [&str; 7] = [
        "network.target",
        "network-online.target",
        "network-pre.target",
        "networking.service",
        "networking",
        "netfilter-persistent.service",
        "network-fs-modules.service",
    ];
    let named = |name: &&str| {
        let sets_up = NAMES.iter().any(|start| name.starts_with(start)) || *name == "network";
        sets_up && !NOTHING.contains(name)
    };
    let mut found: Vec<String> = boot.names().filter(named).map(str::to_owned).collect();
    let words = command_line.unwrap_or_default().split_whitespace();
    found.extend(
        words
            .filter(|word| word.starts_with("ip="))
            .map(str::to_owned),
    );
    for script in ["/etc/rc.local", "/etc/rc.d/rc.local"] {
        let text = root.read_text(script, LIMIT).unwrap_or_default();
        let mut lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        if lines
            .any(|line| line.contains("ip ") || line.contains("ifconfig") || line.contains("ifup"))
        {
            found.push(script.to_owned());
        }
    }
    found.extend(own_scripts(boot));
    if super::ssh::has_cloud_init(root) {
        found.push("cloud-init".into());
    }
    found
}

/// Units of the administrator that call a program for that.
fn own_scripts(boot: &Boot<'_>) -> Vec<String> {
    let names = boot.names().filter(|name| name.ends_with(".service"));
    let own = names.filter(|name| {
        let Some(unit) = boot.unit(name).filter(|u| u.path.starts_with("/etc/")) else {
            return false;
        };
        let lines = unit.values("Service", "ExecStart");
        lines
            .iter()
            .any(|line| line.contains("/ip ") || line.contains("ifup") || line.ends_with(".sh"))
    });
    own.map(str::to_owned).collect()
}
