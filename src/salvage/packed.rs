//! A salvage as `.tar.zst`: POSIX tar with PAX records (pax(1)), and
//! Zstandard frames (RFC 8878) of a few MiB each.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tar::{Builder, EntryType, Header};

use super::acl;
use super::record::PathRecord;
use super::shelf::{FILES, Shelf, Shelved, TOP};
use crate::sys::whole_file::WholeFile;

/// Bytes that one frame holds: ruzstd packs from memory to memory.
const FRAME_BYTES: usize = 4 << 20;

/// Bytes of a name that a plain header has room for.
const NAME_MAX: usize = 100;

/// Where the bytes go.
pub trait Target: Write {
    /// All of it is there.
    ///
    /// # Errors
    /// The target's.
    fn complete(self: Box<Self>) -> io::Result<()>;
}

impl Target for WholeFile {
    fn complete(self: Box<Self>) -> io::Result<()> {
        self.finish()
    }
}

impl Target for io::Stdout {
    fn complete(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

impl Target for Vec<u8> {
    fn complete(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// Packs what it is given, frame by frame.
struct Frames {
    target: Box<dyn Target>,
    plain: Vec<u8>,
}

impl Frames {
    fn pack(&mut self) -> io::Result<()> {
        if !self.plain.is_empty() {
            let packed = compress_to_vec(&self.plain[..], CompressionLevel::Fastest);
            self.target.write_all(&packed)?;
            self.plain.clear();
        }
        Ok(())
    }
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = FRAME_BYTES.saturating_sub(self.plain.len());
        let taken = bytes.len().min(room);
        self.plain.extend_from_slice(&bytes[..taken]);
        if self.plain.len() >= FRAME_BYTES {
            self.pack()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The archive being written.
pub struct Packed {
    tar: Builder<Frames>,
    time: u64,
}

impl Packed {
    /// Begins one; `time` is that of Lifeboot's own files in it.
    pub fn new(target: Box<dyn Target>, time: u64) -> Self {
        let plain = Vec::with_capacity(FRAME_BYTES);
        Self {
            tar: Builder::new(Frames { target, plain }),
            time,
        }
    }

    fn put(&mut self, entry: Entry<'_>, content: &[u8]) -> io::Result<()> {
        let Entry {
            mut header,
            name,
            link,
            mut pax,
        } = entry;
        header.set_size(content.len() as u64);
        let bytes = name.as_os_str().as_bytes();
        if bytes.len() > NAME_MAX || header.set_path(&name).is_err() {
            pax.push(("path".into(), bytes.to_vec()));
            header.set_path("long-name")?;
        }
        if let Some(link) = link {
            let bytes = link.as_os_str().as_bytes();
            if bytes.len() > NAME_MAX {
                pax.push(("linkpath".into(), bytes.to_vec()));
            } else {
                header.set_link_name_literal(bytes)?;
            }
        }
        header.set_cksum();
        let records = pax.iter().map(|(key, value)| (key.as_str(), &value[..]));
        self.tar.append_pax_extensions(records)?;
        self.tar.append(&header, content)
    }
}

struct Entry<'e> {
    header: Header,
    name: PathBuf,
    link: Option<&'e Path>,
    pax: Vec<(String, Vec<u8>)>,
}

/// The name of a saved path in the archive.
fn name_of(path: &Path) -> PathBuf {
    let top = Path::new(TOP).join(FILES);
    top.join(path.strip_prefix("/").unwrap_or(path))
}

fn entry(record: &PathRecord, kind: EntryType) -> io::Result<Entry<'_>> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(record.mode);
    header.set_uid(record.uid.into());
    header.set_gid(record.gid.into());
    header.set_mtime(u64::try_from(record.mtime).unwrap_or(0));
    // Names longer than a header has room for are left out: numbers stand.
    let _ = header.set_username(record.user.as_deref().unwrap_or_default());
    let _ = header.set_groupname(record.group.as_deref().unwrap_or_default());
    let mut pax = Vec::new();
    for (name, value) in record.attributes() {
        let list = match name.as_str() {
            "system.posix_acl_access" => Some("SCHILY.acl.access"),
            "system.posix_acl_default" => Some("SCHILY.acl.default"),
            _ => None,
        };
        if let (Some(list), Some(text)) = (list, acl::text(&value)) {
            pax.push((list.to_owned(), text.into_bytes()));
        }
        pax.push((format!("SCHILY.xattr.{name}"), value));
    }
    Ok(Entry {
        header,
        name: name_of(&record.path),
        link: None,
        pax,
    })
}

impl Shelf for Packed {
    fn directory(&mut self, record: &PathRecord) -> io::Result<()> {
        self.put(entry(record, EntryType::Directory)?, &[])
    }

    fn link(&mut self, record: &PathRecord) -> io::Result<()> {
        let other;
        let mut entry = match (&record.same_as, &record.target) {
            (Some(same), _) => {
                other = name_of(same);
                Entry {
                    link: Some(&other),
                    ..entry(record, EntryType::Link)?
                }
            }
            (None, target) => Entry {
                link: target.as_deref(),
                ..entry(record, EntryType::Symlink)?
            },
        };
        // The attributes of a file came with its first name.
        if record.same_as.is_some() {
            entry.pax.clear();
        }
        self.put(entry, &[])
    }

    fn file(&mut self, record: &PathRecord, content: &[u8]) -> io::Result<()> {
        self.put(entry(record, EntryType::Regular)?, content)
    }

    fn page(&mut self, name: &Path, content: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(self.time);
        let entry = Entry {
            header,
            name: Path::new(TOP).join(name),
            link: None,
            pax: Vec::new(),
        };
        self.put(entry, content)
    }

    fn finish(self: Box<Self>) -> io::Result<Shelved> {
        let mut frames = self.tar.into_inner()?;
        frames.pack()?;
        frames.target.complete()?;
        Ok(Shelved::default())
    }
}
