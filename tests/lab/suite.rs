//! The Debian releases the lab knows, in their order.

use std::fmt;

use serde::Deserialize;

/// A Debian release that the lab can build a server of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// Debian 11
    Bullseye,
    /// Debian 12
    Bookworm,
    /// Debian 13
    Trixie,
    /// Debian 14, which is still made: its packages change every day.
    Forky,
}

impl Suite {
    /// Its name in an apt source.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Forky => "forky",
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
