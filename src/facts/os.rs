//! os-release(5): what the patient calls itself.

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;

const LIMIT: u64 = 64 * 1024;

/// The distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Os {
    /// `debian`, `ubuntu`, ...
    pub id: Option<String>,
    /// `bookworm`, where it has such a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codename: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// The host name it gives itself.
    pub hostname: Option<String>,
}

impl Os {
    /// What a root calls itself.
    pub fn of(root: &RootDir) -> Self {
        collect(root)
    }
}

pub(super) fn collect(root: &RootDir) -> Os {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| root.read_text(path, LIMIT).ok())
        .unwrap_or_default();
    let field = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    let hostname = root.read_text("/etc/hostname", LIMIT).ok();
    Os {
        id: field("ID"),
        codename: field("VERSION_CODENAME"),
        name: field("PRETTY_NAME"),
        hostname: hostname.map(|name| name.trim().to_owned()),
    }
}
