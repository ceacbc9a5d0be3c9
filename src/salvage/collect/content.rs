//! The content of a file of the patient.

use std::io::{self, Read};

use crate::facts::sha256_sum;
use crate::salvage::rules::FILE_MAX;
use crate::salvage::walk::Step;
use crate::sys::root_dir::Directory;

/// All of a file, which may have grown meanwhile.
pub(super) fn whole(directory: &Directory, step: &Step) -> io::Result<Vec<u8>> {
    let (file, _) = directory.open_file(&step.name)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(io::Error::other("it grew while it was read"));
    }
    Ok(bytes)
}

/// The SHA-256 of a file as long as it was when it was looked at.
pub(super) fn hash(directory: &Directory, step: &Step) -> io::Result<String> {
    let (file, _) = directory.open_file(&step.name)?;
    sha256_sum::of(file.take(step.details.meta.size))
}
