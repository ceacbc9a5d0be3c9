//! Packages that a repair could use and that are not at hand.

use serde::Serialize;

use crate::facts::packages::apt::archives;
use crate::facts::toolbox::supply::label;

/// A package in exactly this version.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
}

impl Wanted {
    /// By the name that apt gives to its file.
    pub fn of_file(file: &str) -> Option<Self> {
        let (name, version, architecture) = archives::of_name(file)?;
        Some(Self {
            name,
            version,
            architecture,
        })
    }

    /// `libc6 2.41-12 (amd64)`
    pub fn label(&self) -> String {
        label(&self.name, &self.version, &self.architecture)
    }
}

/// What apt is to download before it can go on, by its own index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Download {
    /// Packages that are not in the cache, or damaged there.
    pub packages: usize,
    /// Of these, the ones that the index offers.
    pub offered: usize,
    /// Bytes of those.
    pub bytes: u64,
}
