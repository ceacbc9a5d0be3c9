//! `/var/lib/dpkg/status` (deb-control(5), dpkg-query(1)).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The state of a package, the least finished first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Unpacking began and did not end.
    HalfInstalled,
    /// Unpacked, not configured.
    Unpacked,
    /// Configuring began and did not end.
    HalfConfigured,
    /// Waits for another package's trigger.
    TriggersAwaited,
    /// Its own trigger has not run.
    TriggersPending,
    /// All done.
    Installed,
    /// Removed; configuration files stay.
    ConfigFiles,
    /// Known, not installed.
    NotInstalled,
}

impl State {
    /// dpkg's own word.
    pub fn word(self) -> &'static str {
        match self {
            Self::HalfInstalled => "half-installed",
            Self::Unpacked => "unpacked",
            Self::HalfConfigured => "half-configured",
            Self::TriggersAwaited => "triggers-awaited",
            Self::TriggersPending => "triggers-pending",
            Self::Installed => "installed",
            Self::ConfigFiles => "config-files",
            Self::NotInstalled => "not-installed",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [
            Self::HalfInstalled,
            Self::Unpacked,
            Self::HalfConfigured,
            Self::TriggersAwaited,
            Self::TriggersPending,
            Self::Installed,
            Self::ConfigFiles,
            Self::NotInstalled,
        ]
        .into_iter()
        .find(|state| state.word() == word)
    }
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// The version on disk or being put there.
    pub version: String,
    /// The version that was last configured, where it differs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub configured: Option<String>,
    /// How far it is.
    pub state: State,
    /// True when dpkg asks for a reinstallation (`reinstreq`).
    pub broken: bool,
    /// True when its installation is not wanted (`deinstall`, `purge`).
    pub unwanted: bool,
}

impl Package {
    /// True when it is neither installed nor removed.
    pub fn unfinished(&self) -> bool {
        self.broken || self.state < State::Installed
    }

    /// True when its files are there, whole or in part.
    pub fn on_disk(&self) -> bool {
        self.state <= State::Installed
    }

    /// `name (version)`.
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// Reads every stanza; the second list tells what is wrong with the file.
pub fn parse(bytes: &[u8]) -> (Vec<Package>, Vec<String>) {
    let mut faults = Vec::new();
    if bytes.is_empty() {
        faults.push("it is empty".into());
    }
    let nuls = bytes.iter().filter(|byte| **byte == 0).count();
    if nuls > 0 {
        faults.push(format!("it holds {nuls} NUL bytes"));
    }
    let text = String::from_utf8_lossy(bytes);
    let mut packages = Vec::new();
    let mut seen = BTreeSet::new();
    let mut line = 1;
    for stanza in text.split("\n\n") {
        let first_line = line;
        line += stanza.matches('\n').count() + 2;
        if stanza.trim().is_empty() {
            continue;
        }
        match package(stanza) {
            Ok(package) => {
                let key = (package.name.clone(), package.architecture.clone());
                if !seen.insert(key) {
                    faults.push(format!("{} is listed twice", package.name));
                }
                packages.push(package);
            }
            Err(what) => faults.push(format!("line {first_line}: {what}")),
        }
    }
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        faults.push("it ends in the middle of a line".into());
    }
    faults.truncate(20);
    (packages, faults)
}

fn package(stanza: &str) -> Result<Package, String> {
    let field = |name: &str| {
        stanza.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let malformed = stanza
        .lines()
        .find(|line| !line.starts_with([' ', '\t']) && !line.is_empty() && !line.contains(':'));
    if let Some(line) = malformed {
        let line: String = line.chars().take(40).collect();
        return Err(format!("{line:?} is no field"));
    }
    let name = field("Package").ok_or("a stanza without a Package field")?;
    let status = field("Status").ok_or(format!("{name} has no Status field"))?;
    let mut words = status.split_whitespace();
    let (want, flag, state) = (words.next(), words.next(), words.next());
    let state = state
        .and_then(State::from_word)
        .ok_or(format!("{name} has the unknown status {status:?}"))?;
    let version = field("Version");
    if version.is_none() && state < State::NotInstalled && state != State::HalfInstalled {
        return Err(format!("{name} has no Version field"));
    }
    let version = version.unwrap_or_default().to_owned();
    Ok(Package {
        name: name.to_owned(),
        architecture: field("Architecture").unwrap_or_default().to_owned(),
        configured: field("Config-Version")
            .filter(|configured| *configured != version)
            .map(str::to_owned),
        version,
        state,
        broken: flag.is_some_and(|flag| flag.contains("reinstreq")),
        unwanted: matches!(want, Some("deinstall" | "purge")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = "Package: a\nStatus: install ok installed\nArchitecture: amd64\n\
        Version: 1\nDescription: x\n more: text\n\n\
        Package: b\nStatus: install reinstreq half-installed\nArchitecture: amd64\n\n\
        Package: c\nStatus: install ok unpacked\nArchitecture: all\nVersion: 3\n\
        Config-Version: 2\n\n\
        Package: d\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 3\n\n";

    #[test]
    fn states_and_versions() {
        let (packages, faults) = parse(GOOD.as_bytes());
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(packages.len(), 4);
        assert!(!packages[0].unfinished());
        assert!(packages[1].unfinished() && packages[1].broken);
        assert_eq!(packages[2].configured.as_deref(), Some("2"));
        assert!(!packages[3].unfinished() && packages[3].unwanted);
    }

    #[test]
    fn cut_anywhere_it_never_fails_and_says_so() {
        for end in 1..GOOD.len() - 1 {
            let (packages, faults) = parse(&GOOD.as_bytes()[..end]);
            let whole =
                GOOD.as_bytes()[end..].starts_with(b"\n") || GOOD.as_bytes()[end - 1] == b'\n';
            assert!(whole || !faults.is_empty(), "cut at {end}: {packages:?}");
        }
    }

    #[test]
    fn nul_bytes_and_flipped_bits_are_told() {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[60] = 0;
        assert!(!parse(&bytes).1.is_empty());
        let flipped = GOOD.replace("unpacked", "unpacjed");
        assert!(!parse(flipped.as_bytes()).1.is_empty());
        assert_eq!(parse(b"").1, ["it is empty"]);
    }
}
