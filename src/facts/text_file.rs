//! A small file of the patient's, whole, as a repair needs it to replace it.

use std::io;

use serde::{Deserialize, Serialize};

use crate::journal::xattrs::{Attribute, changes};
use crate::sys::root_dir::{Kind, RootDir};
use crate::sys::xattr::{self, Xattrs};

/// The largest file whose lines are changed, in bytes: configuration that people
/// write is smaller.
pub const CHANGED_MAX: u64 = 256 << 10;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Its extended attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<Attribute>,
    /// True for a file with one name that is no link: another may stand in its
    /// place, and nothing else changes.
    #[serde(default)]
    pub is_plain: bool,
}

impl TextFile {
    /// Reads it.
    ///
    /// # Errors
    /// The kernel's; a file above `limit` bytes or not in UTF-8.
    pub(super) fn read(root: &RootDir, path: &str, limit: u64) -> io::Result<Self> {
        let text = root.read_text(path, limit)?;
        let meta = root.symlink_metadata(path)?;
        // Of a link the text may be used, and nothing is put in its place.
        let mut is_plain = meta.kind == Kind::File && meta.links == 1;
        let exact = root.resolve(path).ok().map(|found| found.path);
        let xattrs = exact.and_then(|exact| xattr::all(root, &exact).ok());
        is_plain &= xattrs.is_some();
        Ok(Self {
            path: path.to_owned(),
            text,
            mode: meta.mode & 0o7777,
            uid: meta.uid,
            gid: meta.gid,
            xattrs: changes(&Xattrs::new(), &xattrs.unwrap_or_default()),
            is_plain,
        })
    }
}
