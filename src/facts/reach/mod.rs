//! What somebody who comes over the network meets: sshd, the accounts, the
//! network's configuration, a firewall.

use serde::{Deserialize, Serialize};

use super::kernels::Kernels;
use super::text_file::TextFile;
use super::units::default_unit;
use crate::sys::root_dir::RootDir;

mod boot;
pub mod firewall;
mod glob;
pub mod network;
pub mod ssh;
pub mod target;

use boot::Boot;
use firewall::Shut;
use network::Network;
use ssh::Ssh;
use target::DefaultTarget;

/// The largest passwd that is kept.
const PASSWD_MAX: u64 = 256 << 10;

/// Shells that every distribution has one of.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// How a machine is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reach {
    /// sshd and who may log in through it; none without an sshd.
    #[serde(default)]
    pub ssh: Option<Ssh>,
    /// The configuration of the network.
    #[serde(default)]
    pub network: Network,
    /// The target of the boot, where it leads to no services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_target: Option<DefaultTarget>,
    /// passwd, where the shell of root cannot be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passwd: Option<TextFile>,
    /// A shell that root could have instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_shell: Option<String>,
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
    let passwd = passwd_without_shell(root, &boot);
    let ports = ssh.as_ref().map_or(&[][..], Ssh::listens);
    Reach {
        firewall: firewall::collect(root, &boot, ports),
        default_target: target::look(root, &boot, &default_unit(command_line).0),
        good_shell: passwd.as_ref().and_then(|_| good_shell(&boot)),
        passwd,
        ssh,
        network: network::collect(root, &boot, command_line),
    }
}

/// passwd, when root has a shell that is not there.
fn passwd_without_shell(root: &RootDir, boot: &Boot<'_>) -> Option<TextFile> {
    let file = TextFile::read(root, "/etc/passwd", PASSWD_MAX).ok()?;
    let line = file.text.lines().find(|line| line.starts_with("root:"))?;
    let shell = line.rsplit(':').next().filter(|shell| !shell.is_empty())?;
    (!boot.has_file(shell)).then_some(file)
}

fn good_shell(boot: &Boot<'_>) -> Option<String> {
    let mut there = SHELLS.into_iter().filter(|shell| boot.has_file(shell));
    there.next().map(str::to_owned)
}

#[cfg(test)]
mod hostile_tests;
