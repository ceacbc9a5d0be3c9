//! A small file of the patient's, whole, as a repair needs it to replace it.

use std::io;

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFile {
    /// Where it lies.
    pub path: String,
    /// What it says.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl TextFile {
    /// Reads it.
    ///
    /// # Errors
    /// The kernel's; a file above `limit` bytes or not in UTF-8.
    pub(super) fn read(root: &RootDir, path: &str, limit: u64) -> io::Result<Self> {
        let text = root.read_text(path, limit)?;
        let meta = root.metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            text,
            mode: meta.mode & 0o7777,
            uid: meta.uid,
            gid: meta.gid,
        })
    }
}
