//! The SHA-256 sum of what a reader gives, as apt's indexes record them.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// Of all of it, in hexadecimal.
///
/// # Errors
/// The reader's.
pub fn of(mut from: impl Read) -> io::Result<String> {
    let mut sum = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece)? {
            0 => break,
            count => sum.update(&piece[..count]),
        }
    }
    Ok(hex::encode(sum.finalize()))
}
