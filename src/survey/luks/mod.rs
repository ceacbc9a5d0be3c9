//! LUKS headers, versions 1 and 2, as `docs/on-disk-format.pdf` and
//! `docs/on-disk-format-luks2.pdf` of cryptsetup describe them. No key is in
//! them; both versions become one description.

use std::fs::File;
use std::io;

use super::Source;

mod limits;
mod v1;
mod v2;

/// An encrypted container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luks {
    /// 1 or 2.
    pub version: u16,
    /// Its UUID.
    pub uuid: String,
    /// Its label.
    pub label: Option<String>,
    /// The slots that hold its key, each under another passphrase.
    pub slots: Vec<Slot>,
    /// How a key is known to be the right one.
    pub digests: Vec<Digest>,
    /// The encrypted data.
    pub segment: Segment,
}

/// A key slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub number: u32,
    /// Length of the key in it, in bytes.
    pub key_bytes: u32,
    /// Into how many stripes the key is split.
    pub stripes: u32,
    /// The hash by which it is split.
    pub hash: String,
    /// Where it lies, in bytes from the header's begin.
    pub offset: u64,
    /// The cipher of the slot itself, as dm-crypt spells it.
    pub cipher: String,
    /// Length of the slot's own key, in bytes.
    pub cipher_key_bytes: u32,
    /// How the passphrase becomes the slot's own key.
    pub kdf: Kdf,
}

/// How a passphrase becomes a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kdf {
    /// PBKDF2 (RFC 8018).
    Pbkdf2 {
        /// `sha256`, ...
        hash: String,
        /// How often.
        iterations: u32,
        /// Salt.
        salt: Vec<u8>,
    },
    /// Argon2 (RFC 9106).
    Argon2 {
        /// `argon2i` or `argon2id`.
        kind: String,
        /// Passes.
        time: u32,
        /// Memory in KiB.
        memory: u32,
        /// Lanes.
        lanes: u32,
        /// Salt.
        salt: Vec<u8>,
    },
}

/// How a key is known to be the right one: PBKDF2 of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The slots whose key it is about.
    pub slots: Vec<u32>,
    /// `sha256`, ...
    pub hash: String,
    /// How often.
    pub iterations: u32,
    /// Salt.
    pub salt: Vec<u8>,
    /// What has to come out.
    pub digest: Vec<u8>,
}

/// The encrypted data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its length in bytes; none: up to the end.
    pub bytes: Option<u64>,
    /// The cipher as dm-crypt spells it: `aes-xts-plain64`.
    pub cipher: String,
    /// Number of the first sector for the cipher's counter.
    pub iv: u64,
    /// Sector size of the encryption in bytes.
    pub sector_bytes: u32,
}

/// Reads a header.
///
/// # Errors
/// The disk's; `InvalidData` with the reason for a header that is damaged or
/// of a kind that is not known.
pub fn read(file: &File, source: &Source) -> io::Result<Luks> {
    let head = source.read_at(file, 0, 4096)?;
    let version = head.get(6..8).unwrap_or_default();
    let odd = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let luks = match version {
        [0, 1] => v1::parse(&head).map_err(odd)?,
        // A first header that is damaged still has its copy.
        _ => v2::read(file, source)?.map_err(odd)?,
    };
    limits::sane(&luks).map_err(odd)?;
    Ok(luks)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
