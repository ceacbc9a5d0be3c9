//! Who signed a Release file: the part of OpenPGP that apt's archives use.
//!
//! The whole of OpenPGP does not fit into the binary (see docs/packages.md).
//! Read here are keys and signatures of version 4 with RSA or Ed25519 and
//! SHA-256, -384 or -512; everything else counts as not signed. Tests compare
//! what comes out with gpgv.

use crate::date;

mod cleartext;
mod keys;
mod packets;
mod signature;
#[cfg(test)]
mod tests;

pub use cleartext::{Signed, opened};
pub use keys::Key;
use keys::Material;
use packets::{packets, unarmored};
use signature::{BINARY, Signature, TEXT};

/// Signatures of one file that are looked at.
const SIGNATURES_MAX: usize = 20;

/// What the signatures of a text come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Signed by this key, whose owner calls himself so.
    Signed {
        /// Its fingerprint, in hexadecimal.
        key: String,
        /// The owner.
        owner: String,
    },
    /// Nobody can tell, and why.
    Unknown(String),
    /// The key is there, and it did not sign this.
    Wrong(String),
}

/// The keys of a file, armored or not.
pub fn keyring(bytes: &[u8]) -> Vec<Key> {
    keys::read(bytes)
}

/// Whether `text` is signed by one of `keys`, by what the clock says `now`, in
/// seconds since 1970.
pub fn trust(text: &[u8], signatures: &[u8], keys: &[Key], now: u64) -> Trust {
    let blocks = unarmored(signatures);
    let all = blocks.iter().flat_map(|block| packets(block));
    let all = all.filter(|packet| packet.tag == 2).take(SIGNATURES_MAX);
    let mut best = Trust::Unknown("it has no signature".into());
    for packet in all {
        let one = match Signature::read(packet.body) {
            Some(signature) => judge(text, &signature, keys, now),
            None => Trust::Unknown("its signature is of a kind that is not known".into()),
        };
        match (&one, &best) {
            // One that is wrong spoils the others: somebody changed the text.
            (Trust::Wrong(_), _) => return one,
            (_, Trust::Signed { .. }) => {}
            _ => best = one,
        }
    }
    best
}

/// The same for a text with its signature behind it: that is a signature of
/// lines, whatever their ends.
pub fn trust_text(signed: &Signed, keys: &[Key], now: u64) -> Trust {
    trust(&signed.text, &signed.signatures, keys, now)
}

fn judge(text: &[u8], signature: &Signature<'_>, keys: &[Key], now: u64) -> Trust {
    let unknown = |why: String| Trust::Unknown(why);
    let named: Vec<&Key> = keys.iter().filter(|key| signature.is_by(key)).collect();
    let issuer = signature.issuer();
    if named.is_empty() {
        return unknown(format!("its key {issuer} is not at hand"));
    }
    if !signature.is_strong() {
        return unknown(format!("the digest that {issuer} signed is too weak"));
    }
    if named
        .iter()
        .all(|key| matches!(key.material, Material::Other))
    {
        return unknown(format!("the key {issuer} is of a kind that is not read"));
    }
    let lines;
    let data = match signature.kind {
        BINARY => text,
        TEXT => {
            lines = cleartext::canonical(text);
            &lines
        }
        kind => return unknown(format!("its signature is of the kind {kind:#x}")),
    };
    let mut proved = named.iter().filter(|key| signature.proves(data, key));
    // Of a key that is there twice, the copy that holds longest counts.
    let Some(key) = proved
        .by_ref()
        .max_by_key(|key| key.until.unwrap_or(u64::MAX))
    else {
        return Trust::Wrong(format!("the signature of {issuer} does not fit the text"));
    };
    let owner = &key.owner;
    if named.iter().any(|key| key.is_revoked) {
        return Trust::Wrong(format!("the key {issuer} ({owner}) was revoked"));
    }
    if !key.signs {
        return Trust::Wrong(format!("the key {issuer} ({owner}) is not for signatures"));
    }
    if signature.made < key.made {
        return Trust::Wrong(format!("the signature is older than its key {issuer}"));
    }
    if let Some(until) = key.until.filter(|until| *until < now) {
        let until = date::date(until);
        return unknown(format!("the key {issuer} ({owner}) ended on {until}"));
    }
    let ends = signature.holds.map(|holds| signature.made + holds);
    if let Some(ends) = ends.filter(|ends| *ends < now) {
        return unknown(format!("its signature ended on {}", date::date(ends)));
    }
    Trust::Signed {
        key: hex::encode_upper(&key.fingerprint),
        owner: owner.clone(),
    }
}
