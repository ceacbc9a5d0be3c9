//! From a passphrase to a key: PBKDF2 or Argon2, the anti-forensic splitter,
//! and the digest by which a key is known to be right.

use anyhow::{Context, Result, bail};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::Key;
use crate::survey::luks::{Digest, Kdf};
use crate::sys::memory_overlay::free_memory;

/// The slot's own key.
pub(super) fn slot_key(kdf: &Kdf, passphrase: &[u8], length: u32) -> Result<Key> {
    let mut key = Zeroizing::new(vec![0; length as usize]);
    match kdf {
        Kdf::Pbkdf2 {
            hash,
            iterations,
            salt,
        } => pbkdf2(hash, passphrase, salt, *iterations, &mut key)?,
        Kdf::Argon2 {
            kind,
            time,
            memory,
            lanes,
            salt,
        } => {
            let free = free_memory() / 1024;
            if u64::from(*memory) > free {
                bail!(
                    "its passphrase needs {} MiB of memory to be tried (argon2), and \
                     {} MiB are free",
                    memory / 1024,
                    free / 1024
                );
            }
            let algorithm = if kind == "argon2i" {
                Algorithm::Argon2i
            } else {
                Algorithm::Argon2id
            };
            let params = Params::new(*memory, *time, *lanes, Some(key.len()))
                .map_err(|error| anyhow::anyhow!("odd parameters of argon2: {error}"))?;
            Argon2::new(algorithm, Version::V0x13, params)
                .hash_password_into(passphrase, salt, &mut key)
                .map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
        }
    }
    Ok(key)
}

fn pbkdf2(hash: &str, secret: &[u8], salt: &[u8], rounds: u32, out: &mut [u8]) -> Result<()> {
    match hash {
        "sha1" => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(secret, salt, rounds, out),
        "sha224" => pbkdf2::pbkdf2_hmac::<sha2::Sha224>(secret, salt, rounds, out),
        "sha256" => pbkdf2::pbkdf2_hmac::<sha2::Sha256>(secret, salt, rounds, out),
        "sha384" => pbkdf2::pbkdf2_hmac::<sha2::Sha384>(secret, salt, rounds, out),
        "sha512" => pbkdf2::pbkdf2_hmac::<sha2::Sha512>(secret, salt, rounds, out),
        "ripemd160" => pbkdf2::pbkdf2_hmac::<ripemd::Ripemd160>(secret, salt, rounds, out),
        other => bail!("the hash {other} is not known to this version"),
    }
    Ok(())
}

/// True when `key` is the one that the digest was made of.
pub(super) fn is_right(digest: &Digest, key: &[u8]) -> Result<bool> {
    let mut out = vec![0; digest.digest.len()];
    pbkdf2(&digest.hash, key, &digest.salt, digest.iterations, &mut out)?;
    Ok(!out.is_empty() && out == digest.digest)
}

/// Merges the stripes of a key slot (LUKS on-disk format, AF splitter).
pub(super) fn merge(hash: &str, split: &[u8], length: u32, stripes: u32) -> Result<Key> {
    let length = length as usize;
    let mut key = Zeroizing::new(vec![0_u8; length]);
    let last = (stripes as usize).checked_sub(1).context("no stripes")?;
    for (number, stripe) in split.chunks_exact(length).take(last + 1).enumerate() {
        for (own, byte) in key.iter_mut().zip(stripe) {
            *own ^= byte;
        }
        if number < last {
            diffuse(hash, &mut key)?;
        }
    }
    Ok(key)
}

fn diffuse(hash: &str, key: &mut [u8]) -> Result<()> {
    match hash {
        "sha1" => diffuse_by::<sha1::Sha1>(key),
        "sha224" => diffuse_by::<sha2::Sha224>(key),
        "sha256" => diffuse_by::<sha2::Sha256>(key),
        "sha384" => diffuse_by::<sha2::Sha384>(key),
        "sha512" => diffuse_by::<sha2::Sha512>(key),
        "ripemd160" => diffuse_by::<ripemd::Ripemd160>(key),
        other => bail!("the hash {other} is not known to this version"),
    }
    Ok(())
}

fn diffuse_by<D: sha2::Digest>(key: &mut [u8]) {
    let block = <D as sha2::Digest>::output_size();
    for (number, part) in (0_u32..).zip(key.chunks_mut(block)) {
        let mut hasher = D::new();
        hasher.update(number.to_be_bytes());
        hasher.update(&*part);
        let out = hasher.finalize();
        let length = part.len();
        part.copy_from_slice(&out[..length]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 6070 and RFC 7914, section 11.
    #[test]
    fn pbkdf2_as_published() {
        let derived = |hash: &str, secret: &[u8], salt: &[u8], rounds, length| {
            let kdf = Kdf::Pbkdf2 {
                hash: hash.into(),
                iterations: rounds,
                salt: salt.to_vec(),
            };
            slot_key(&kdf, secret, length).unwrap().to_vec()
        };
        let sha1 = derived("sha1", b"password", b"salt", 2, 20);
        assert_eq!(sha1[..4], [0xea, 0x6c, 0x01, 0x4d]);
        let sha256 = derived("sha256", b"passwd", b"salt", 1, 64);
        assert_eq!(sha256[..4], [0x55, 0xac, 0x04, 0x6e]);
        let odd = Kdf::Pbkdf2 {
            hash: "rot13".into(),
            iterations: 1,
            salt: Vec::new(),
        };
        assert!(slot_key(&odd, b"x", 8).is_err());
    }

    #[test]
    fn argon2_does_not_take_more_memory_than_there_is() {
        let kdf = Kdf::Argon2 {
            kind: "argon2id".into(),
            time: 1,
            memory: u32::MAX,
            lanes: 1,
            salt: vec![0; 32],
        };
        let error = slot_key(&kdf, b"x", 32).unwrap_err().to_string();
        assert!(error.contains("memory"), "{error}");
    }

    #[test]
    fn stripes_are_merged() {
        // Two stripes: the second is the key, hidden by the diffused first.
        let first = [7_u8; 40];
        let mut hidden = first;
        diffuse("sha256", &mut hidden).unwrap();
        let key: Vec<u8> = (0..40).collect();
        let second: Vec<u8> = key.iter().zip(hidden).map(|(k, h)| k ^ h).collect();
        let split = [first.to_vec(), second].concat();
        assert_eq!(merge("sha256", &split, 40, 2).unwrap().to_vec(), key);
        assert!(merge("sha256", &split, 40, 0).is_err());
    }
}
