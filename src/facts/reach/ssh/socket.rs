//! systemd's socket for sshd, and whether it listens where sshd would.
//!
//! Sources: systemd.socket(5); Ubuntu's sshd-socket-generator, which writes
//! the ports of sshd_config into the socket at each boot (24.04 and later), and
//! `ssh.socket.d/addresses.conf`, which an upgrade wrote once (22.10 to 23.10).

use serde::{Deserialize, Serialize};

use crate::facts::reach::boot::Boot;

/// The socket of this boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Socket {
    /// The unit.
    pub unit: String,
    /// Its file.
    pub path: String,
    /// Where it listens.
    pub ports: Vec<u16>,
    /// None of these is a port of sshd_config.
    pub differs: bool,
}

const GENERATORS: [&str; 2] = [
    "/usr/lib/systemd/system-generators/sshd-socket-generator",
    "/lib/systemd/system-generators/sshd-socket-generator",
];

/// The socket, where it is what listens.
pub(super) fn look(boot: &Boot<'_>, ports: &[u16]) -> Option<Socket> {
    let name = ["ssh.socket", "sshd.socket"]
        .into_iter()
        .find(|name| boot.starts(name))?;
    let services = ["ssh.service", "sshd.service"];
    let unit = boot.unit(name)?;
    // A service of its own listens on its own.
    let own = services.iter().any(|name| boot.starts_directly(name));
    let generated = GENERATORS.iter().any(|path| boot.has_file(path));
    if own || generated {
        return None;
    }
    let streams = unit.values("Socket", "ListenStream");
    let listens: Vec<u16> = streams.iter().filter_map(|value| port(value)).collect();
    let clear = !listens.is_empty() && listens.len() == streams.len();
    let differs = clear && !ports.is_empty() && !listens.iter().any(|port| ports.contains(port));
    Some(Socket {
        unit: name.to_owned(),
        path: unit.path.clone(),
        ports: listens,
        differs,
    })
}

/// `22`, `0.0.0.0:22`, `[::]:22`.
fn port(value: &str) -> Option<u16> {
    value.rsplit(':').next()?.parse().ok()
}
