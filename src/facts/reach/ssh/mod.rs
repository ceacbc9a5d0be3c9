//! sshd: whether it starts, whether it takes its configuration and its keys,
//! and who could log in.
//!
//! Sources: sshd(8), sshd_config(5), systemd.exec(5), tmpfiles.d(5).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::boot::{Boot, Standing};
use crate::facts::text_file::TextFile;
use crate::sys::root_dir::RootDir;

mod accounts;
mod config;
mod host_keys;
mod keys;
mod options;
mod policy;
mod program;
mod rules;
mod separation;
mod socket;
mod standing;

pub use accounts::{Account, Obstacle, Unsafe};
pub use config::Refused;
pub use host_keys::{HostKey, KeyFault};
pub use separation::Separation;
pub use socket::Socket;
pub use standing::Off;

use config::Config;
use options::Options;
use policy::Policy;
use program::Program;

/// What sshd takes where no HostKey line says otherwise.
pub const USUAL_KEYS: [&str; 3] = [
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
];

/// Bytes of a file of configuration that is changed.
const REFUSED_FILE_MAX: u64 = 64 << 10;

/// Keys that are looked at.
const KEYS_MAX: usize = 64;

/// Files that keep everybody but root out (nologin(5)).
const NOLOGIN: &str = "/etc/nologin";

/// How sshd stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ssh {
    /// The program.
    pub program: String,
    /// Why the boot does not start it; none when it does, when something else
    /// lets people in, or when that is not known.
    pub off: Option<Off>,
    /// The boot starts it.
    #[serde(default)]
    pub started: bool,
    /// The first file of its configuration.
    pub config: String,
    /// Lines that make it refuse its configuration.
    pub refused: Vec<Refused>,
    /// The files that these lines are in, where all of them are options that it
    /// does not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_files: Vec<TextFile>,
    /// Why the configuration could not be read.
    pub unreadable: Option<String>,
    /// Its keys.
    pub host_keys: Vec<HostKey>,
    /// Something makes missing keys at a boot.
    pub makes_keys: bool,
    /// What is wrong with the user and the directory for its lesser part.
    pub separation: Vec<Separation>,
    /// systemd's socket, where that is what listens.
    pub socket: Option<Socket>,
    /// The ports of the configuration.
    pub ports: Vec<u16>,
    /// Who could log in.
    pub accounts: Vec<Account>,
    /// Others may log in as well: from a directory service, made at the first
    /// boot, or by rules that look at more than the account.
    pub accounts_unclear: bool,
    /// A file that keeps everybody but root out.
    pub nologin: Option<String>,
}

impl Ssh {
    /// The ports that connections come to.
    pub(super) fn listens(&self) -> &[u16] {
        match &self.socket {
            Some(socket) if !socket.ports.is_empty() => &socket.ports,
            _ => &self.ports,
        }
    }

    /// True when the boot starts sshd as far as its units say.
    pub fn is_started(&self) -> bool {
        self.started
    }
}

/// Looks at sshd; none when there is no such program.
pub(super) fn collect(root: &RootDir, boot: &Boot<'_>) -> Option<Ssh> {
    let options = Options::of(root, boot);
    let program = Program::read(root, &options.program)?;
    let config = Config::read(root, &options.config, &program);
    let policy = Policy::of(&config);
    let people = accounts::people(root);
    let today = crate::date::now() / 86_400;
    // Where no port is named it is this one, and a socket may have another.
    let named = ports(&config, &options);
    let ports = if named.is_empty() {
        vec![22]
    } else {
        named.clone()
    };
    Some(Ssh {
        off: standing::off(root, boot),
        started: standing::is_started(root, boot),
        host_keys: host_keys(root, &config, &options),
        makes_keys: makes_keys(root, boot),
        separation: separation::look(root, boot, &program),
        socket: socket::look(boot, &named),
        ports,
        accounts: accounts::judge(
            root,
            &config,
            &policy,
            people.as_deref().unwrap_or_default(),
            today,
        ),
        accounts_unclear: people
            .as_ref()
            .is_none_or(|all| all.len() >= accounts::MOST)
            || policy.is_unclear
            || policy::has_other_accounts(root)
            || has_cloud_init(root),
        nologin: root.metadata(NOLOGIN).is_ok().then(|| NOLOGIN.to_owned()),
        program: program.path,
        config: options.config,
        refused_files: refused_files(root, &config.refused),
        refused: config.refused,
        unreadable: config.unreadable,
    })
}

/// The lines that the sshd of this root would refuse in the file `path`; none
/// when there is no sshd. What `sshd -t -f` says, for `tests/reach.rs`.
pub fn refused(root: &RootDir, path: &str) -> Option<Vec<Refused>> {
    let program = Program::read(root, options::PROGRAM)?;
    Some(Config::read(root, path, &program).refused)
}

/// What sshd would say of one key.
pub fn host_key(root: &RootDir, path: &str) -> HostKey {
    host_keys::look(root, path, key_group(root))
}

fn refused_files(root: &RootDir, refused: &[Refused]) -> Vec<TextFile> {
    if refused.iter().any(|line| !line.is_unknown) {
        return Vec::new();
    }
    let mut paths: Vec<&str> = refused.iter().map(|line| line.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let files = paths.into_iter();
    files
        .filter_map(|path| TextFile::read(root, path, REFUSED_FILE_MAX).ok())
        .collect()
}

fn host_keys(root: &RootDir, config: &Config, options: &Options) -> Vec<HostKey> {
    let named = config.all("hostkey");
    // With an agent, the keys are elsewhere.
    if config.first(&["hostkeyagent"]).is_some() {
        return Vec::new();
    }
    let mut paths: Vec<&str> = options.keys.iter().map(String::as_str).collect();
    paths.extend(named);
    if paths.is_empty() {
        paths.extend(USUAL_KEYS);
    }
    let group = key_group(root);
    let paths = paths.into_iter().filter(|path| path.starts_with('/'));
    let paths = paths.take(KEYS_MAX);
    paths
        .map(|path| host_keys::look(root, path, group))
        .collect()
}

/// The number of Fedora's group that may read the keys.
fn key_group(root: &RootDir) -> Option<u32> {
    let text = root.read_text("/etc/group", 1 << 20).ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| {
        line.strip_prefix("ssh_keys:")?
            .split(':')
            .nth(1)?
            .parse()
            .ok()
    })
}

/// True when a unit of this boot makes the keys that are missing.
fn makes_keys(root: &RootDir, boot: &Boot<'_>) -> bool {
    let fresh = root
        .read_text("/etc/machine-id", 4096)
        .map_or(true, |id| matches!(id.trim(), "" | "uninitialized"));
    let makes = |name: &str| {
        let maker = name.contains("keygen") || name.contains("genkeys");
        let first_only = boot
            .unit(name)
            .is_some_and(|unit| unit.value("Unit", "ConditionFirstBoot").is_some());
        maker && (fresh || !first_only)
    };
    boot.names().any(makes) || has_cloud_init(root)
}

/// cloud-init makes users and keys at the first boot.
pub(super) fn has_cloud_init(root: &RootDir) -> bool {
    let there = |path: &str| root.metadata(Path::new(path)).is_ok();
    there("/etc/cloud/cloud.cfg") && !there("/etc/cloud/cloud-init.disabled")
}

fn ports(config: &Config, options: &Options) -> Vec<u16> {
    let named = if options.ports.is_empty() {
        let listens = config.all("listenaddress");
        let listens = listens.iter().filter_map(|address| port_of(address));
        let named = config.all("port");
        let named = named.iter().map(|port| (*port).to_owned());
        named.chain(listens).collect()
    } else {
        options.ports.clone()
    };
    named.iter().filter_map(|port| port.parse().ok()).collect()
}

/// The port of `192.0.2.1:2222` and `[::]:2222`; `2001:db8::1` has none.
fn port_of(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    (!host.contains(':') || host.ends_with(']')).then(|| port.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_stand_behind_an_address() {
        let port = |address| port_of(address);
        assert_eq!(port("192.0.2.1:2222").as_deref(), Some("2222"));
        assert_eq!(port("[2001:db8::1]:2222").as_deref(), Some("2222"));
        assert_eq!(port("2001:db8::1"), None);
        assert_eq!(port("192.0.2.1"), None);
    }
}
