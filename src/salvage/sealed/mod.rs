//! A salvage that only the holder of a key can read: the age format, version 1
//! (C2SP, age.md), which `age -d` and `rage -d` open. Written only; the crate of
//! that name brings a hundred others, and the format is this small.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::packed::Target;

mod recipient;

pub use recipient::{Recipient, recipients};

/// The first line.
pub(super) const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// Plain bytes of a piece of the payload.
const PIECE: usize = 64 << 10;

/// Encrypts what is written into it.
pub struct Sealed {
    target: Box<dyn Target>,
    cipher: ChaCha20Poly1305,
    /// Pieces that were written.
    pieces: u64,
    plain: Vec<u8>,
}

impl Sealed {
    /// Begins a file for `recipients`, each of whom can open it.
    ///
    /// # Errors
    /// The target's; a key that nothing can be encrypted to.
    pub fn new(mut target: Box<dyn Target>, recipients: &[Recipient]) -> io::Result<Self> {
        let file_key = random::<16>()?;
        let mut header = MAGIC.to_vec();
        for recipient in recipients {
            header.extend(recipient.stanza(&file_key)?);
        }
        header.extend(b"---");
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(&*derive(&file_key[..], &[], b"header")?)
                .map_err(|_| io::Error::other("no key for the header"))?;
        mac.update(&header);
        let sum = mac.finalize().into_bytes();
        header.extend(format!(" {}\n", STANDARD_NO_PAD.encode(sum)).into_bytes());
        let nonce = random::<16>()?;
        header.extend(&nonce[..]);
        target.write_all(&header)?;
        let key = derive(&file_key[..], &nonce[..], b"payload")?;
        Ok(Self {
            target,
            cipher: ChaCha20Poly1305::new(&Key::from(*key)),
            pieces: 0,
            plain: Vec::with_capacity(PIECE),
        })
    }

    /// Writes the piece that is full, or the last one.
    fn piece(&mut self, is_last: bool) -> io::Result<()> {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.pieces.to_be_bytes());
        nonce[11] = u8::from(is_last);
        let sealed = seal(&self.cipher, nonce, &self.plain)?;
        self.target.write_all(&sealed)?;
        self.pieces += 1;
        self.plain.clear();
        Ok(())
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // A full one waits: it may be the last.
        if self.plain.len() == PIECE {
            self.piece(false)?;
        }
        let taken = bytes.len().min(PIECE - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for Sealed {
    fn complete(mut self: Box<Self>) -> io::Result<()> {
        self.piece(true)?;
        self.target.complete()
    }
}

fn seal(cipher: &ChaCha20Poly1305, nonce: [u8; 12], plain: &[u8]) -> io::Result<Vec<u8>> {
    let sealed = cipher.encrypt(&Nonce::from(nonce), plain);
    sealed.map_err(|_| io::Error::other("it cannot be encrypted"))
}

/// HKDF-SHA-256 (RFC 5869).
fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info, &mut key[..])
        .map_err(|_| io::Error::other("no key can be derived"))?;
    Ok(key)
}

/// From the kernel, which waits until it has collected enough.
fn random<const BYTES: usize>() -> io::Result<Zeroizing<[u8; BYTES]>> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    getrandom::fill(&mut bytes[..]).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target for Kept {
        fn complete(self: Box<Self>) -> io::Result<()> {
            Ok(())
        }
    }

    /// `tests/salvage.rs` has it opened by age itself.
    #[test]
    fn each_piece_has_its_tag_and_a_full_one_may_be_the_last() {
        let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let keys = [Recipient::parse(key).unwrap()];
        for (size, pieces) in [(0, 1), (1, 1), (PIECE, 1), (PIECE + 1, 2), (3 * PIECE, 3)] {
            let kept = Arc::new(Mutex::new(Vec::new()));
            let mut sealed = Sealed::new(Box::new(Kept(Arc::clone(&kept))), &keys).unwrap();
            sealed.write_all(&vec![7; size]).unwrap();
            Box::new(sealed).complete().unwrap();
            let bytes = kept.lock().unwrap();
            assert!(bytes.starts_with(MAGIC));
            let end = memchr::memmem::find(&bytes, b"\n--- ").unwrap();
            let header = end + memchr::memchr(b'\n', &bytes[end + 1..]).unwrap() + 2;
            assert_eq!(bytes.len() - header, 16 + size + 16 * pieces, "{size}");
        }
    }
}
