//! What a tar archive holds, entry by entry, with a limit on everything
//! (tar(5); GNU long names and pax headers as dpkg reads them).

use std::io::Read;

use tar::{Archive, EntryType};

use super::Fault;

/// The longest path or link text.
const NAME_MAX: u64 = 64 << 10;

/// The most entries of one package; linux-source and texlive have some 100,000.
const ENTRIES_MAX: usize = 1_000_000;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link with its text.
    Symlink(Vec<u8>),
    /// A hard link to an earlier entry.
    HardLink(Vec<u8>),
    /// A device or FIFO.
    Special,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path as the archive spells it, `./usr/bin/x`.
    pub path: Vec<u8>,
    /// What it is.
    pub what: What,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// The owner's name, which counts before the number; empty: none.
    pub user: Vec<u8>,
    /// The group's name.
    pub group: Vec<u8>,
    /// Bytes of a file.
    pub size: u64,
    /// Modification time, seconds since 1970.
    pub mtime: u64,
}

/// Calls `each` for every entry with a reader of its content, and goes on while
/// it answers true.
///
/// # Errors
/// The archive is cut off, damaged or beyond the limits.
pub fn each_entry(
    from: impl Read,
    mut each: impl FnMut(&Entry, &mut dyn Read) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let mut archive = Archive::new(from);
    let mut long = Long::default();
    // Raw: the crate would read names of any length into memory.
    for (count, entry) in archive.entries()?.raw(true).enumerate() {
        if count == ENTRIES_MAX {
            return Err(Fault::Damaged("more entries than a package has".into()));
        }
        let mut entry = entry?;
        let header = entry.header();
        let kind = header.entry_type();
        match kind {
            EntryType::GNULongName => {
                long.path = Some(long_name(&mut entry)?);
                continue;
            }
            EntryType::GNULongLink => {
                long.link = Some(long_name(&mut entry)?);
                continue;
            }
            EntryType::XHeader => {
                let text = long_name(&mut entry)?;
                long.pax(&text);
                continue;
            }
            EntryType::XGlobalHeader => continue,
            _ => {}
        }
        let link = long.link.take();
        let link = link.or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        let link = link.unwrap_or_default();
        let told = Entry {
            path: long.path.take().unwrap_or(header.path_bytes().into_owned()),
            what: match kind {
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => What::File,
                EntryType::Directory => What::Directory,
                EntryType::Symlink => What::Symlink(link),
                EntryType::Link => What::HardLink(link),
                _ => What::Special,
            },
            mode: header.mode()? & 0o7777,
            uid: header.uid()?,
            gid: header.gid()?,
            user: header.username_bytes().unwrap_or_default().to_owned(),
            group: header.groupname_bytes().unwrap_or_default().to_owned(),
            size: header.size()?,
            mtime: header.mtime()?,
        };
        if !each(&told, &mut entry)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Names that stand before the entry that they belong to.
#[derive(Default)]
struct Long {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Long {
    /// Lines of `LENGTH KEY=VALUE`.
    fn pax(&mut self, text: &[u8]) {
        for line in text.split(|byte| *byte == b'\n') {
            let Some(space) = memchr::memchr(b' ', line) else {
                continue;
            };
            let record = &line[space + 1..];
            if let Some(path) = record.strip_prefix(b"path=") {
                self.path = Some(path.to_vec());
            } else if let Some(link) = record.strip_prefix(b"linkpath=") {
                self.link = Some(link.to_vec());
            }
        }
    }
}

fn long_name(from: &mut impl Read) -> Result<Vec<u8>, Fault> {
    let mut name = Vec::new();
    from.take(NAME_MAX + 1).read_to_end(&mut name)?;
    if name.len() as u64 > NAME_MAX {
        return Err(Fault::Damaged("a name without an end".into()));
    }
    while name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}
