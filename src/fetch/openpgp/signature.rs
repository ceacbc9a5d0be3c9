//! Signatures of version 4 (RFC 4880, 5.2; RFC 9580, 5.2), and their check
//! against one key.

use ed25519_dalek::Signature as Ed25519;
use rsa::pkcs1v15::Pkcs1v15Sign;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::keys::{Key, Material};
use super::packets::{integer, new_length, number};

/// Of a document, byte by byte, and of a text, whose lines end with CR LF.
pub(super) const BINARY: u8 = 0x00;
pub(super) const TEXT: u8 = 0x01;

/// RSA, for anything and for signatures only.
pub(super) const RSA: [u8; 2] = [1, 3];
/// EdDSA of old and Ed25519 (RFC 9580, 5.5.5.9).
pub(super) const EDDSA: u8 = 22;
pub(super) const ED25519: u8 = 27;

/// What a signature says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signature<'a> {
    pub(super) kind: u8,
    pub(super) algorithm: u8,
    pub(super) hash: u8,
    /// Seconds since 1970.
    pub(super) made: u64,
    /// So long it holds; none: for ever.
    pub(super) holds: Option<u64>,
    /// So long the key holds that it is about, from when that was made.
    pub(super) key_holds: Option<u64>,
    /// What that key is for.
    pub(super) key_flags: Option<u8>,
    /// The end of the fingerprint of the key that made it.
    pub(super) issuer: Vec<u8>,
    /// True when something in it must be understood and is not.
    pub(super) is_critical: bool,
    signed: &'a [u8],
    start: [u8; 2],
    numbers: &'a [u8],
}

impl<'a> Signature<'a> {
    /// Reads the body of its packet.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let (head, rest) = body.split_at_checked(4)?;
        let [4, kind, algorithm, hash] = *head else {
            return None;
        };
        let (length, rest) = number(rest, 2)?;
        let (hashed, rest) = rest.split_at_checked(length)?;
        let (length, rest) = number(rest, 2)?;
        let (unhashed, rest) = rest.split_at_checked(length)?;
        let (start, numbers) = rest.split_at_checked(2)?;
        let mut signature = Self {
            kind,
            algorithm,
            hash,
            signed: body.get(..6 + hashed.len())?,
            start: [start[0], start[1]],
            numbers,
            ..Self::default()
        };
        // Only the name of the key is taken from what is not signed: it is
        // proved by the signature itself.
        signature.subpackets(unhashed, false)?;
        signature.subpackets(hashed, true)?;
        Some(signature)
    }

    fn subpackets(&mut self, mut area: &[u8], is_signed: bool) -> Option<()> {
        while !area.is_empty() {
            let (length, rest) = new_length(area)?;
            let (packet, rest) = rest.split_at_checked(length)?;
            area = rest;
            let (&kind, value) = packet.split_first()?;
            let seconds = || Some(number(value, 4)?.0 as u64);
            match (kind & 0x7f, is_signed) {
                (16, _) if value.len() == 8 && self.issuer.is_empty() => {
                    self.issuer = value.to_vec();
                }
                (33, _) if value.len() == 21 && value[0] == 4 => {
                    self.issuer = value[1..].to_vec();
                }
                (_, false) => {}
                (2, true) => self.made = seconds()?,
                (3, true) => self.holds = seconds().filter(|holds| *holds != 0),
                (9, true) => self.key_holds = seconds().filter(|holds| *holds != 0),
                (27, true) => self.key_flags = value.first().copied(),
                // Preferences, features, notations, the signer's name and other
                // things that change nothing here.
                (4 | 7 | 11 | 12 | 16 | 20..=26 | 28..=35, true) => {}
                (_, true) => self.is_critical |= kind & 0x80 != 0,
            }
        }
        Some(())
    }

    /// True when it says that `key` made it.
    pub(super) fn is_by(&self, key: &Key) -> bool {
        !self.issuer.is_empty() && key.fingerprint.ends_with(&self.issuer)
    }

    /// The end of the fingerprint, for people.
    pub(super) fn issuer(&self) -> String {
        hex::encode_upper(&self.issuer)
    }

    /// True when its digest is one that nobody can forge today.
    pub(super) fn is_strong(&self) -> bool {
        matches!(self.hash, 8..=10)
    }

    /// True when this key made it over `data`, which has the line ends that its
    /// kind asks for.
    pub(super) fn proves(&self, data: &[u8], key: &Key) -> bool {
        if self.is_critical {
            return false;
        }
        match self.hash {
            8 => self.compare(&self.digest::<Sha256>(data), key),
            9 => self.compare(&self.digest::<Sha384>(data), key),
            10 => self.compare(&self.digest::<Sha512>(data), key),
            _ => false,
        }
    }

    fn digest<D: Digest>(&self, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(self.signed.len()).unwrap_or(u32::MAX);
        let mut digest = D::new();
        digest.update(data);
        digest.update(self.signed);
        digest.update([4, 0xff]);
        digest.update(length.to_be_bytes());
        digest.finalize().to_vec()
    }

    fn compare(&self, digest: &[u8], key: &Key) -> bool {
        if !digest.starts_with(&self.start) {
            return false;
        }
        match &key.material {
            Material::Rsa(public) if RSA.contains(&self.algorithm) => {
                let Some((number, _)) = integer(self.numbers) else {
                    return false;
                };
                let mut padded = vec![0; key.bytes.saturating_sub(number.len())];
                padded.extend(number);
                let scheme = match self.hash {
                    8 => Pkcs1v15Sign::new::<Sha256>(),
                    9 => Pkcs1v15Sign::new::<Sha384>(),
                    _ => Pkcs1v15Sign::new::<Sha512>(),
                };
                public.verify(scheme, digest, &padded).is_ok()
            }
            Material::Ed25519(public) => {
                let parts = self.ed25519();
                parts.is_some_and(|parts| public.verify_strict(digest, &parts).is_ok())
            }
            _ => false,
        }
    }

    fn ed25519(&self) -> Option<Ed25519> {
        let mut parts = [0; 64];
        match self.algorithm {
            ED25519 => parts.copy_from_slice(self.numbers.get(..64)?),
            EDDSA => {
                let (r, rest) = integer(self.numbers)?;
                let (s, _) = integer(rest)?;
                for (place, number) in [(32usize, r), (64, s)] {
                    let start = place - 32;
                    let from = place.checked_sub(number.len()).filter(|at| *at >= start)?;
                    parts[from..place].copy_from_slice(number);
                }
            }
            _ => return None,
        }
        Some(Ed25519::from_bytes(&parts))
    }
}
