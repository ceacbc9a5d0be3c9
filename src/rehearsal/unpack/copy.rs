//! Bytes of an archive into a file, with their checksum.

use std::io::{self, Read, Write};

use md5::{Digest, Md5};

/// Copies at most `size` bytes; how many there were.
pub(super) fn copy(
    from: &mut dyn Read,
    size: u64,
    to: &mut impl Write,
    sum: &mut Md5,
) -> io::Result<u64> {
    let mut buffer = [0; 64 << 10];
    let mut from = from.take(size);
    let mut copied = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&buffer[..read])?;
        sum.update(&buffer[..read]);
        copied += read as u64;
    }
}
