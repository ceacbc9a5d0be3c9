//! Copies of files that lie in the patient's own tree.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::sys::exact;
use crate::sys::write_root::WriteRoot;

/// The first bytes of what gzip(1) wrote (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Makes `to` with the content of `source`, unpacked where gzip packed it,
/// which must have `size` bytes: that is what was judged.
///
/// # Errors
/// Reading, unpacking, writing; another size.
pub(super) fn make(write: &WriteRoot<'_>, source: &Path, size: u64, to: &Path) -> io::Result<()> {
    let mut packed = BufReader::new(exact::open_file(write.root(), source)?);
    let content: Box<dyn Read> = match packed.fill_buf()?.starts_with(&GZIP) {
        true => Box::new(MultiGzDecoder::new(packed)),
        false => Box::new(packed),
    };
    let mut file = write.create(to)?;
    let copied = io::copy(&mut content.take(size.saturating_add(1)), &mut file)?;
    match copied == size {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{} has not the {size} bytes that it had",
            source.display()
        ))),
    }
}
