//! Why a file is not an ELF file that can be loaded.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What keeps the kernel or the loader from mapping a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "damage", rename_all = "kebab-case")]
pub enum Damage {
    /// No byte in it: what a crash leaves of a file that was being written.
    Empty,
    /// Shorter than an ELF header.
    TooShort {
        /// Its size in bytes.
        size: u64,
    },
    /// The first four bytes are not those of an ELF file.
    NotElf,
    /// A part that the headers promise lies behind the end of the file.
    Truncated {
        /// Where that part ends.
        expected: u64,
        /// The file's size.
        size: u64,
    },
    /// The headers contradict each other or the format.
    Malformed {
        /// What is wrong with them.
        what: String,
    },
    /// Sound, but not something that can be loaded (an object file, a core).
    NotLoadable {
        /// Why not.
        what: String,
    },
    /// A directory, device, socket or FIFO.
    NotAFile,
    /// It could not be read, so nothing is known about it.
    Unreadable {
        /// The kernel's answer.
        error: String,
    },
}

impl Damage {
    pub(super) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into() }
    }

    pub(super) fn not_loadable(what: impl Into<String>) -> Self {
        Self::NotLoadable { what: what.into() }
    }
}

impl From<std::io::Error> for Damage {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable {
            error: error.to_string(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty file (0 bytes)"),
            Self::TooShort { size } => write!(f, "too short for an ELF file ({size} bytes)"),
            Self::NotElf => f.write_str("not an ELF file"),
            Self::Truncated { expected, size } => {
                write!(f, "cut off: {size} bytes of at least {expected}")
            }
            Self::Malformed { what } => write!(f, "damaged ELF file: {what}"),
            Self::NotLoadable { what } => write!(f, "cannot be loaded: {what}"),
            Self::NotAFile => f.write_str("not a regular file"),
            Self::Unreadable { error } => write!(f, "cannot be read: {error}"),
        }
    }
}
