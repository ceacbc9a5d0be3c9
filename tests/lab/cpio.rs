//! Writes the archives that Linux unpacks as its first root (newc format).

use std::io::{Result, Write};

/// An archive that is being written.
#[derive(Debug)]
pub struct Archive<W: Write> {
    out: W,
    inode: u32,
    written: usize,
}

impl<W: Write> Archive<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self {
            out,
            inode: 0,
            written: 0,
        }
    }

    /// Adds a folder; its parents must have been added before.
    pub fn folder(&mut self, path: &str) -> Result<()> {
        self.entry(path, 0o040_755, &[])
    }

    /// Adds a program.
    pub fn program(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.entry(path, 0o100_755, content)
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.entry(path, 0o100_644, content)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.entry(path, 0o120_777, target.as_bytes())
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<W> {
        self.inode = 0;
        self.entry("TRAILER!!!", 0, &[])?;
        Ok(self.out)
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.inode += 1;
        let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
        // inode mode uid gid nlink mtime size devmajor devminor rdevmajor
        // rdevminor namesize check
        let fields = [
            self.inode,
            mode,
            0,
            0,
            links,
            0,
            number(content.len())?,
            0,
            0,
            0,
            0,
            number(path.len() + 1)?,
            0,
        ];
        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08x}"));
        }
        self.write(header.as_bytes())?;
        self.write(path.as_bytes())?;
        self.write(&[0])?;
        self.pad()?;
        self.write(content)?;
        self.pad()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len();
        self.out.write_all(bytes)
    }

    /// Names and contents begin at multiples of four.
    fn pad(&mut self) -> Result<()> {
        let odd = self.written % 4;
        if odd != 0 {
            self.write(&[0; 4][odd..])?;
        }
        Ok(())
    }
}

fn number(length: usize) -> Result<u32> {
    u32::try_from(length).map_err(std::io::Error::other)
}
