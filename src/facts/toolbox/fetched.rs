//! What `lifeboot fetch` notes beside the packages that it puts into a folder:
//! where they come from, and whether a signature vouches for them.

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;

/// The name of the file.
pub const NOTE: &str = "lifeboot-fetched.json";

/// The most bytes of it.
const NOTE_MAX: u64 = 16 << 20;

/// A package that was fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fetched {
    /// Its file in the folder.
    pub file: String,
    /// The digest that the archive's index has of it, in hexadecimal.
    pub sha256: String,
    /// The archive.
    pub from: String,
    /// Whose signature the index has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// Or why it counts as not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned: Option<String>,
}

impl Fetched {
    /// In a plan.
    pub fn words(&self) -> String {
        let trust = match (&self.signed_by, &self.unsigned) {
            (Some(owner), _) => format!("signed by {owner}"),
            (None, Some(why)) => format!("NOT VERIFIED by a signature: {why}"),
            (None, None) => "NOT VERIFIED by a signature".to_owned(),
        };
        format!("fetched from {}, {trust}", self.from)
    }
}

/// What was noted in a folder.
pub fn noted(folder: &RootDir) -> Vec<Fetched> {
    let bytes = folder
        .read(format!("/{NOTE}"), NOTE_MAX)
        .unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
