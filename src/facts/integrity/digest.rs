//! Digests of files, of the kinds that package managers record.

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// What a file should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    /// dpkg's, rpm's before 4.6, and pacman's where there is no other.
    Md5([u8; 16]),
    /// apk's, and rpm's where it was told so.
    Sha1([u8; 20]),
    /// pacman's, and rpm's since 4.6, as distributions have it.
    Sha256([u8; 32]),
}

impl Digest {
    /// A digest by the number of its algorithm (RFC 4880, 9.4).
    pub(super) fn numbered(algorithm: u64, bytes: &[u8]) -> Option<Self> {
        match algorithm {
            1 => Some(Self::Md5(bytes.try_into().ok()?)),
            2 => Some(Self::Sha1(bytes.try_into().ok()?)),
            8 => Some(Self::Sha256(bytes.try_into().ok()?)),
            _ => None,
        }
    }

    /// True for the digest of these bytes.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::of(std::iter::once(*self));
        hasher.update(bytes);
        hasher.finish().has(self)
    }

    /// True for the digest of a file without content.
    pub(super) fn is_of_nothing(&self) -> bool {
        self.is_of(&[])
    }
}

/// The digests of one file, of each kind that somebody asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digests {
    md5: Option<[u8; 16]>,
    sha1: Option<[u8; 20]>,
    sha256: Option<[u8; 32]>,
}

impl Digests {
    /// True when this is one of them.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        match digest {
            Digest::Md5(wanted) => self.md5.as_ref() == Some(wanted),
            Digest::Sha1(wanted) => self.sha1.as_ref() == Some(wanted),
            Digest::Sha256(wanted) => self.sha256.as_ref() == Some(wanted),
        }
    }
}

/// Makes the digests of a file while it is read.
#[derive(Default)]
pub(super) struct Hasher {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl Hasher {
    /// For the kinds of these.
    pub(super) fn of(wanted: impl Iterator<Item = Digest>) -> Self {
        let mut hasher = Self::default();
        for digest in wanted {
            match digest {
                Digest::Md5(_) => _ = hasher.md5.get_or_insert_default(),
                Digest::Sha1(_) => _ = hasher.sha1.get_or_insert_default(),
                Digest::Sha256(_) => _ = hasher.sha256.get_or_insert_default(),
            }
        }
        hasher
    }

    pub(super) fn update(&mut self, piece: &[u8]) {
        self.md5.iter_mut().for_each(|hash| hash.update(piece));
        self.sha1.iter_mut().for_each(|hash| hash.update(piece));
        self.sha256.iter_mut().for_each(|hash| hash.update(piece));
    }

    pub(super) fn finish(self) -> Digests {
        Digests {
            md5: self.md5.map(|hash| hash.finalize().into()),
            sha1: self.sha1.map(|hash| hash.finalize().into()),
            sha256: self.sha256.map(|hash| hash.finalize().into()),
        }
    }
}
