//! To whom a salvage is encrypted: keys of age and Ed25519 keys of OpenSSH.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit};
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;
use sha2::{Digest, Sha256};

use super::{derive, random, seal};

/// What each kind mixes into its keys.
const X25519: &str = "age-encryption.org/v1/X25519";
const SSH_ED25519: &str = "age-encryption.org/v1/ssh-ed25519";

/// The most bytes of a file with keys.
const FILE_MAX: u64 = 1 << 20;

/// A key that something can be encrypted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// `age1...`
    Age([u8; 32]),
    /// `ssh-ed25519 ...`: the key as it travels, and its point.
    Ssh(Vec<u8>, [u8; 32]),
}

/// The keys that `words` name: keys themselves, or files with one a line.
///
/// # Errors
/// A word that is neither; a file with no key in it.
pub fn recipients(words: &[String]) -> Result<Vec<Recipient>> {
    let mut all = Vec::new();
    for word in words {
        if word.starts_with("age1") || word.starts_with("ssh-") {
            all.push(Recipient::parse(word)?);
            continue;
        }
        let mut text = String::new();
        let file = File::open(Path::new(word))
            .with_context(|| format!("{word} is neither a key of age nor a file"))?;
        file.take(FILE_MAX)
            .read_to_string(&mut text)
            .with_context(|| format!("reading {word}"))?;
        let lines = text.lines().map(str::trim);
        let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let before = all.len();
        for key in keys {
            all.push(Recipient::parse(key).with_context(|| format!("reading {word}"))?);
        }
        if all.len() == before {
            bail!("there is no key in {word}");
        }
    }
    Ok(all)
}

impl Recipient {
    /// Reads `age1...` or a line of `authorized_keys`.
    ///
    /// # Errors
    /// It is neither, or a kind that this version does not know.
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with("age1") {
            let wrong = || format!("{text} is no key of age");
            let checked = CheckedHrpstring::new::<Bech32>(text)
                .ok()
                .with_context(wrong)?;
            let bytes: Vec<u8> = checked.byte_iter().collect();
            if !checked.hrp().as_str().eq_ignore_ascii_case("age") {
                bail!("{}", wrong());
            }
            return Ok(Self::Age(bytes.try_into().ok().with_context(wrong)?));
        }
        let mut words = text.split_whitespace();
        match (words.next(), words.next()) {
            (Some("ssh-ed25519"), Some(key)) => Self::of_ssh(key),
            (Some(kind), _) if kind.starts_with("ssh-") || kind.starts_with("ecdsa-") => {
                bail!("{kind} keys are not known here: name an ssh-ed25519 or an age1... key")
            }
            _ => bail!("{text} is no key: name age1..., \"ssh-ed25519 ...\" or a file with such"),
        }
    }

    /// A string and 32 bytes, each after its length (RFC 8709, 4).
    fn of_ssh(key: &str) -> Result<Self> {
        const BEFORE: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0 ";
        let wrong = "it is no ssh-ed25519 key";
        let wire = STANDARD.decode(key).context(wrong)?;
        let bytes = wire.strip_prefix(BEFORE).context(wrong)?;
        let point = CompressedEdwardsY::from_slice(bytes).ok().context(wrong)?;
        let point = point.decompress().context(wrong)?;
        let point = point.to_montgomery().to_bytes();
        Ok(Self::Ssh(wire, point))
    }

    /// What this recipient needs to find the key of the file.
    pub(super) fn stanza(&self, file_key: &[u8; 16]) -> io::Result<Vec<u8>> {
        let own = random::<32>()?;
        let public = MontgomeryPoint::mul_base_clamped(*own).to_bytes();
        let b64 = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        let (first, point, label) = match self {
            Self::Age(point) => (format!("X25519 {}", b64(&public)), point, X25519),
            Self::Ssh(wire, point) => {
                let print = b64(&Sha256::digest(wire)[..4]);
                let first = format!("ssh-ed25519 {print} {}", b64(&public));
                (first, point, SSH_ED25519)
            }
        };
        let mut shared = MontgomeryPoint(*point).mul_clamped(*own);
        if let Self::Ssh(wire, _) = self {
            let tweak = derive(&[], wire, label.as_bytes())?;
            shared = shared.mul_clamped(*tweak);
        }
        if shared.to_bytes() == [0; 32] {
            return Err(io::Error::other("a key that gives no secret"));
        }
        let salt = [&public[..], &point[..]].concat();
        let key = derive(shared.as_bytes(), &salt, label.as_bytes())?;
        let cipher = ChaCha20Poly1305::new(&Key::from(*key));
        let body = b64(&seal(&cipher, [0; 12], file_key)?);
        Ok(format!("-> {first}\n{body}\n").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SSH: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICknla7kxSx0A6eYIB3bITJL7ZpuxnWVRY+3qiqOgINN a@b";

    #[test]
    fn keys_are_read_and_others_are_refused() {
        let age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        assert!(matches!(Recipient::parse(age).unwrap(), Recipient::Age(_)));
        assert!(Recipient::parse(&age.replace("ql3", "ql4")).is_err());
        assert!(matches!(Recipient::parse(SSH), Ok(Recipient::Ssh(..))));
        for bad in [
            "ssh-rsa AAAA",
            "ssh-ed25519 AAAA",
            "ssh-ed25519",
            "x",
            "age1",
        ] {
            assert!(Recipient::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_of_keys_has_one_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys").display().to_string();
        std::fs::write(&file, format!("# ours\n\n{SSH}\n{SSH}\n")).unwrap();
        assert_eq!(recipients(&[file.clone(), SSH.into()]).unwrap().len(), 3);
        std::fs::write(&file, "# nobody\n").unwrap();
        assert!(recipients(&[file]).is_err());
        assert!(recipients(&["/no/such/file".into()]).is_err());
    }
}
