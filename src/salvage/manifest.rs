//! The manifest being written: pages of JSON lines, so that any number of paths
//! takes little memory.

use std::io;
use std::path::Path;

use super::record::Record;
use super::shelf::{MANIFEST, Shelf};

/// Bytes of a page.
const PAGE_BYTES: usize = 8 << 20;

/// The page that is not full yet.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    page: Vec<u8>,
    pages: u32,
}

impl Manifest {
    /// Adds a line.
    pub(super) fn add(&mut self, record: &Record, shelf: &mut dyn Shelf) -> io::Result<()> {
        serde_json::to_writer(&mut self.page, record)?;
        self.page.push(b'\n');
        if self.page.len() >= PAGE_BYTES {
            self.turn(shelf)?;
        }
        Ok(())
    }

    /// Puts the page on the shelf.
    pub(super) fn turn(&mut self, shelf: &mut dyn Shelf) -> io::Result<()> {
        self.pages += 1;
        let name = format!("{:06}.jsonl", self.pages);
        shelf.page(&Path::new(MANIFEST).join(name), &self.page)?;
        self.page.clear();
        Ok(())
    }
}
