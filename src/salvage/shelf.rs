//! Where a salvage is put: a packed archive, or a folder.

use std::io;

use super::record::PathRecord;

/// The folder in which everything lies, packed or not.
pub const TOP: &str = "lifeboot-salvage";

/// Below it: what is put back.
pub const FILES: &str = "files";

/// What is to be read and not to be put back.
pub const REFERENCE: &str = "reference";

/// The pages of the manifest.
pub const MANIFEST: &str = "manifest";

/// Takes what is saved. An error is one of the target as a whole: it is full,
/// or gone.
pub trait Shelf {
    /// A directory, before what lies in it.
    ///
    /// # Errors
    /// The target's.
    fn directory(&mut self, record: &PathRecord) -> io::Result<()>;

    /// A symbolic link, or a further name of a file that came before.
    ///
    /// # Errors
    /// The target's.
    fn link(&mut self, record: &PathRecord) -> io::Result<()>;

    /// A file.
    ///
    /// # Errors
    /// The target's.
    fn file(&mut self, record: &PathRecord, content: &[u8]) -> io::Result<()>;

    /// A file of Lifeboot's own, or one for reading only.
    ///
    /// # Errors
    /// The target's.
    fn page(&mut self, name: &std::path::Path, content: &[u8]) -> io::Result<()>;

    /// The end: all of it is on the disk now, under its name.
    ///
    /// # Errors
    /// The target's.
    fn finish(self: Box<Self>) -> io::Result<Shelved>;
}

/// What the target says at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelved {
    /// Files that were there already, the same.
    pub already: u64,
    /// Paths that could not be put, or not with all their attributes, and why.
    pub lost: Vec<(String, String)>,
}
