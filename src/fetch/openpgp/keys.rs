//! Keyrings: public keys of version 4 (RFC 4880, 5.5 and 11.1).
//!
//! A keyring is trusted as a whole, as apt trusts it: who could put a subkey or
//! another end into the file could put a key of his own there as well. So what
//! the owner of a key says in it is taken as said, and not proved once more.

use ed25519_dalek::VerifyingKey;
use rsa::{BoxedUint, PublicKey};
use sha1::{Digest, Sha1};

use super::packets::{Packet, integer, number, packets, unarmored};
use super::signature::{ED25519, EDDSA, RSA, Signature};

/// The most keys of one file.
const KEYS_MAX: usize = 1000;

/// RSA keys with fewer bits can be broken.
const BITS_MIN: usize = 2048;

/// `1.3.6.1.4.1.11591.15.1` with its length before it.
const ED25519_CURVE: [u8; 10] = [9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1];

/// What proves a signature.
#[derive(Debug, Clone)]
pub(super) enum Material {
    Rsa(Box<PublicKey>),
    Ed25519(Box<VerifyingKey>),
    /// Of a kind that is not known here, or too weak.
    Other,
}

/// A key, or a subkey with the name of its owner.
#[derive(Debug, Clone)]
pub struct Key {
    pub(super) fingerprint: Vec<u8>,
    /// Who it belongs to.
    pub(super) owner: String,
    pub(super) made: u64,
    /// Until then; none: for ever.
    pub(super) until: Option<u64>,
    pub(super) is_revoked: bool,
    /// False when it is for other things than signatures.
    pub(super) signs: bool,
    pub(super) material: Material,
    /// Bytes of its signatures, where it is one of RSA.
    pub(super) bytes: usize,
    // When its own word about its end was given.
    told: Option<u64>,
    is_sub: bool,
}

/// The keys of a file, armored or not.
pub fn read(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    for block in unarmored(bytes) {
        let mut own: Vec<Key> = Vec::new();
        for packet in packets(&block) {
            if packet.tag == 6 {
                finish(&mut own, &mut keys);
            }
            add(&mut own, packet);
            if keys.len() + own.len() > KEYS_MAX {
                break;
            }
        }
        finish(&mut own, &mut keys);
    }
    keys
}

/// What holds for the first key holds for its subkeys.
fn finish(own: &mut Vec<Key>, keys: &mut Vec<Key>) {
    let Some(first) = own.first().cloned() else {
        return;
    };
    for mut key in own.drain(..) {
        key.owner.clone_from(&first.owner);
        key.is_revoked |= first.is_revoked;
        key.until = match (key.until, first.until) {
            (Some(own), Some(first)) => Some(own.min(first)),
            (own, first) => own.or(first),
        };
        // A subkey that its owner never said to be his is none.
        if !key.is_sub || key.told.is_some() {
            keys.push(key);
        }
    }
}

fn add(own: &mut Vec<Key>, packet: Packet<'_>) {
    match packet.tag {
        6 | 14 => own.extend(Key::read(packet.body, packet.tag == 14)),
        13 => {
            if let Some(first) = own.first_mut().filter(|key| key.owner.is_empty()) {
                let name = packet.body.get(..200).unwrap_or(packet.body);
                first.owner = String::from_utf8_lossy(name).into_owned();
            }
        }
        2 => {
            let Some(signature) = Signature::read(packet.body) else {
                return;
            };
            if own.first().is_some_and(|first| signature.is_by(first)) {
                say(own, &signature);
            }
        }
        _ => {}
    }
}

/// What the owner says of his key (RFC 4880, 5.2.1).
fn say(own: &mut [Key], signature: &Signature<'_>) {
    let about = match signature.kind {
        0x10..=0x13 | 0x1f | 0x20 => own.first_mut(),
        0x18 | 0x28 => own.last_mut().filter(|key| key.is_sub),
        _ => None,
    };
    let Some(key) = about else { return };
    if matches!(signature.kind, 0x20 | 0x28) {
        key.is_revoked = true;
        return;
    }
    // The newest counts.
    if key.told.is_none_or(|told| told <= signature.made) {
        key.told = Some(signature.made);
        let until = signature.key_holds.map(|holds| key.made + holds);
        key.until = until;
        // Bit 1: it signs data (5.2.3.21).
        key.signs = signature.key_flags.is_none_or(|flags| flags & 2 != 0);
    }
}

impl Key {
    fn read(body: &[u8], is_sub: bool) -> Option<Self> {
        let (&[4], rest) = body.split_at_checked(1)? else {
            return None;
        };
        let (made, rest) = number(rest, 4)?;
        let (&algorithm, rest) = rest.split_first()?;
        let (material, bytes) = material(algorithm, rest);
        let length = u16::try_from(body.len()).ok()?;
        let mut digest = Sha1::new();
        digest.update([0x99]);
        digest.update(length.to_be_bytes());
        digest.update(body);
        Some(Self {
            fingerprint: digest.finalize().to_vec(),
            owner: String::new(),
            made: made as u64,
            until: None,
            is_revoked: false,
            signs: true,
            material,
            bytes,
            told: None,
            is_sub,
        })
    }
}

fn material(algorithm: u8, numbers: &[u8]) -> (Material, usize) {
    let of_rsa = || {
        let (n, rest) = integer(numbers)?;
        let (e, _) = integer(rest)?;
        let bits = n.len() * 8;
        let sizes = BITS_MIN..=PublicKey::MAX_SIZE;
        // A number that is too long is not even counted with.
        if !sizes.contains(&bits) || e.len() > 8 {
            return None;
        }
        let [modulus, exponent] = [n, e].map(BoxedUint::from_be_slice_vartime);
        let public = PublicKey::new_with_size_limits(modulus, exponent, sizes).ok()?;
        Some((Material::Rsa(Box::new(public)), n.len()))
    };
    let of_ed25519 = |point: &[u8]| {
        let point = <[u8; 32]>::try_from(point).ok()?;
        let public = VerifyingKey::from_bytes(&point).ok()?;
        Some((Material::Ed25519(Box::new(public)), 64))
    };
    let found = match algorithm {
        _ if RSA.contains(&algorithm) => of_rsa(),
        ED25519 => numbers.get(..32).and_then(of_ed25519),
        EDDSA => numbers
            .strip_prefix(&ED25519_CURVE)
            .and_then(integer)
            .and_then(|(point, _)| point.strip_prefix(&[0x40]))
            .and_then(of_ed25519),
        _ => None,
    };
    found.unwrap_or((Material::Other, 0))
}
