//! Binary packages, `.deb` (deb(5)): what one is and what is in it.
//!
//! `debian-binary`, `control.tar` and `data.tar` lie in an ar archive; the two
//! last are packed with gzip, xz, zstd or bzip2, known by their first bytes, or
//! with lzma, known by its name.

use std::fmt;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use super::control;
use crate::facts::packages::unpack;

pub mod ar;
pub mod listing;
#[cfg(test)]
mod tests;

pub use ar::Member;
pub use listing::{Entry, What};

/// The most bytes of an unpacked control.tar (the biggest has some 3 MB).
const CONTROL_MAX: u64 = 64 << 20;

/// The most bytes of an unpacked data.tar.
const DATA_MAX: u64 = 16 << 30;

/// The most bytes of a control file.
const CONTROL_FILE_MAX: u64 = 1 << 20;

/// How an archive in a package may be packed.
const ENDINGS: [&str; 6] = ["", ".gz", ".xz", ".zst", ".bz2", ".lzma"];

/// What is wrong with a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind", content = "of")]
pub enum Fault {
    /// It ends before its end.
    Cut {
        /// Bytes that there are.
        has: u64,
        /// Bytes that there should be at least.
        needs: u64,
    },
    /// It is no package at all.
    NotDeb(String),
    /// Something in it is not as it should be.
    Damaged(String),
    /// It is packed in a way that is not read here.
    Unsupported(String),
    /// The kernel cannot read it.
    Unreadable(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { has: 0, .. } => write!(f, "it is empty"),
            Self::Cut { has, needs } => {
                write!(f, "it ends after {has} bytes and needs {needs}")
            }
            Self::NotDeb(what) => write!(f, "it is no package: {what}"),
            Self::Damaged(what) => write!(f, "it is damaged: {what}"),
            Self::Unsupported(what) => write!(f, "{what} is not read by this version"),
            Self::Unreadable(what) => write!(f, "it cannot be read: {what}"),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::Unreadable(error.to_string()),
            None => Self::Damaged(error.to_string()),
        }
    }
}

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// The whole control file.
    pub text: Vec<u8>,
}

/// A package whose structure is whole: every byte that its headers promise is
/// there. Whether the bytes are the right ones is told by their digest only.
#[derive(Debug)]
pub struct Deb<F> {
    file: F,
    control: Member,
    data: Member,
}

impl<F: Read + Seek> Deb<F> {
    /// Looks at the members of a package of `length` bytes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(mut file: F, length: u64) -> Result<Self, Fault> {
        let members = ar::members(&mut file, length)?;
        if members.first().is_none_or(|m| m.name != "debian-binary") {
            return Err(Fault::NotDeb("its first member is another one".into()));
        }
        let find = |start: &str| {
            let found = members.iter().find(|m| m.name.starts_with(start));
            found
                .cloned()
                .ok_or_else(|| Fault::Damaged(format!("it has no {start}")))
        };
        Ok(Self {
            control: find("control.tar")?,
            data: find("data.tar")?,
            file,
        })
    }

    /// Reads its control file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn control(&mut self) -> Result<Control, Fault> {
        let mut text = Vec::new();
        let member = self.control.clone();
        let tar = self.unpacked(&member, CONTROL_MAX)?;
        listing::each_entry(tar, |entry, content| {
            if !matches!(entry.path.as_slice(), b"./control" | b"control") {
                return Ok(true);
            }
            content.take(CONTROL_FILE_MAX).read_to_end(&mut text)?;
            Ok(false)
        })?;
        let field = |name: &str| {
            control::text(&text, name)
                .ok_or_else(|| Fault::Damaged(format!("its control file has no {name}")))
        };
        Ok(Control {
            package: field("Package")?,
            version: field("Version")?,
            architecture: field("Architecture")?,
            text,
        })
    }

    /// Calls `each` for every entry of its control.tar (the maintainer
    /// scripts, `conffiles`, `md5sums`) while it answers true.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn each_control(
        &mut self,
        each: impl FnMut(&Entry, &mut dyn Read) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let member = self.control.clone();
        listing::each_entry(self.unpacked(&member, CONTROL_MAX)?, each)
    }

    /// Calls `each` for every file that it brings while it answers true. Paths
    /// are as the archive spells them and must not be trusted.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn each_file(
        &mut self,
        each: impl FnMut(&Entry, &mut dyn Read) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let member = self.data.clone();
        listing::each_entry(self.unpacked(&member, DATA_MAX)?, each)
    }

    fn unpacked(&mut self, member: &Member, limit: u64) -> Result<impl Read + '_, Fault> {
        let ending = member.name.rsplit_once(".tar").map_or("", |(_, e)| e);
        if !ENDINGS.contains(&ending) {
            return Err(Fault::Unsupported(member.name.clone()));
        }
        self.file.seek(SeekFrom::Start(member.offset))?;
        let packed = BufReader::new((&mut self.file).take(member.size));
        let unpacked = match ending {
            ".lzma" => unpack::lzma(packed)?,
            _ => unpack::reader(packed)?,
        };
        Ok(unpacked.take(limit))
    }
}
