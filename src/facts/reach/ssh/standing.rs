//! Why a boot does not start sshd.

use serde::{Deserialize, Serialize};

use super::Standing;
use crate::facts::reach::boot::Boot;
use crate::facts::units::Enabling;
use crate::sys::root_dir::RootDir;

/// The names that distributions give to it.
const UNITS: [&str; 4] = ["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"];

/// Other ways to a shell over the network.
const OTHERS: [&str; 4] = [
    "dropbear.service",
    "dropbear.socket",
    "tinysshd.socket",
    "tinyssh.socket",
];

/// Why it is not started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Off {
    /// Its unit is masked.
    Masked {
        /// The unit.
        unit: String,
        /// What has it started.
        #[serde(default)]
        enabling: Option<Enabling>,
    },
    /// Nothing wants its unit.
    Disabled {
        /// The unit.
        unit: String,
        /// What has it started.
        #[serde(default)]
        enabling: Option<Enabling>,
    },
    /// A file says that it shall not run.
    Forbidden {
        /// The file.
        path: String,
    },
    /// A condition of its unit does not hold.
    PassedOver {
        /// The unit.
        unit: String,
        /// Its file.
        path: String,
    },
}

/// Debian's switch.
const NOT_TO_BE_RUN: &str = "/etc/ssh/sshd_not_to_be_run";

/// Why the boot does not start sshd; none when it does, or when there is no
/// unit that could.
pub(super) fn off(root: &RootDir, boot: &Boot<'_>) -> Option<Off> {
    let started = |name: &&&str| boot.starts(name);
    if !boot.reaches_services || OTHERS.iter().find(started).is_some() {
        return None;
    }
    let standings: Vec<(&str, Standing)> = UNITS
        .iter()
        .map(|name| (*name, boot.standing(name)))
        .collect();
    let with = |wanted: Standing| {
        let found = standings.iter().find(|(_, standing)| *standing == wanted);
        found.map(|(name, _)| (*name).to_owned())
    };
    if is_started(root, boot) {
        return None;
    }
    if root.metadata(NOT_TO_BE_RUN).is_ok() && with(Standing::PassedOver).is_some() {
        let path = NOT_TO_BE_RUN.to_owned();
        return Some(Off::Forbidden { path });
    }
    if let Some(unit) = with(Standing::PassedOver) {
        let path = boot.unit(&unit).map(|u| u.path.clone()).unwrap_or_default();
        return Some(Off::PassedOver { unit, path });
    }
    if let Some(unit) = with(Standing::Masked) {
        let enabling = Enabling::of(root, &unit);
        return Some(Off::Masked { unit, enabling });
    }
    with(Standing::NotStarted).map(|unit| {
        let enabling = Enabling::of(root, &unit);
        Off::Disabled { unit, enabling }
    })
}

/// True when the boot starts OpenSSH's sshd: by the usual unit or script, by
/// another unit, or otherwise.
pub(super) fn is_started(root: &RootDir, boot: &Boot<'_>) -> bool {
    let by_own = |name: &str| {
        let unit = boot.unit(name);
        let line = unit
            .as_ref()
            .and_then(|unit| unit.value("Service", "ExecStart"));
        let program = line.and_then(|line| line.split_whitespace().next());
        program.is_some_and(|program| program.ends_with("/sshd"))
    };
    UNITS.iter().any(|name| boot.starts(name))
        || is_started_otherwise(root)
        || boot.names().any(by_own)
}

/// inetd starts it, or a script that is none of a service's.
fn is_started_otherwise(root: &RootDir) -> bool {
    const FILES: [&str; 4] = [
        "/etc/inetd.conf",
        "/etc/xinetd.d/ssh",
        "/etc/xinetd.d/sshd",
        "/etc/rc.local",
    ];
    FILES.iter().any(|path| {
        let text = root.read_text(path, 1 << 20).unwrap_or_default();
        let mut lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        lines.any(|line| line.contains("sshd"))
    })
}
