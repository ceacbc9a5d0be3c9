//! What somebody who comes over the network meets: sshd, the accounts, the
//! network's configuration, a firewall.

use serde::{Deserialize, Serialize};

use super::kernels::Kernels;
use crate::sys::root_dir::RootDir;

mod boot;
pub mod firewall;
mod glob;
pub mod network;
pub mod ssh;

use boot::Boot;
use firewall::Shut;
use network::Network;
use ssh::Ssh;

/// How a machine is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// sshd and who may log in through it; none without an sshd.
    #[serde(default)]
    pub ssh: Option<Ssh>,
    /// The configuration of the network.
    #[serde(default)]
    pub network: Network,
    /// Firewalls that let nobody in.
    #[serde(default)]
    pub firewall: Vec<Shut>,
}

/// The command line of the entry that is booted.
pub(super) fn command_line(kernels: &Kernels) -> Option<&str> {
    Some(kernels.default_entry()?.command_line.as_str())
}

/// Reads it all; `command_line` is the kernel's.
pub(super) fn collect(root: &RootDir, command_line: Option<&str>) -> Reach {
    let boot = Boot::of(root, command_line);
    let ssh = ssh::collect(root, &boot);
    let ports = ssh.as_ref().map_or(&[][..], Ssh::listens);
    Reach {
        firewall: firewall::collect(root, &boot, ports),
        ssh,
        network: network::collect(root, &boot, command_line),
    }
}

#[cfg(test)]
mod hostile_tests;
