//! The MD5 sum of a file of the patient's, as dpkg records them.

use std::io::Read;
use std::path::Path;

use md5::{Digest, Md5};

use crate::sys::root_dir::RootDir;

/// Bytes that are read at once.
const PIECE: usize = 128 << 10;

/// Of its first `limit` bytes, in hexadecimal; none when it cannot be read.
pub(super) fn of(root: &RootDir, path: &Path, limit: u64) -> Option<String> {
    let mut file = root.open_file(path).ok()?.take(limit);
    let mut hash = Md5::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).ok()? {
            0 => break,
            count => hash.update(&piece[..count]),
        }
    }
    Some(hex::encode(hash.finalize()))
}
