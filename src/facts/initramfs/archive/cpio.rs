//! The archive itself: cpio with the headers `070701` and `070702`, read by the
//! rules of the kernel (`init/initramfs.c`;
//! `Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::source::{Source, Stop};
use crate::sys::root_dir::{MemoryTree, New};

/// Bytes of a header, the name not among them.
const HEADER_BYTES: usize = 110;

/// A longer name or link is passed over by the kernel (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// Most that is unpacked, told apart from what is kept.
pub(super) const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// Most entries; a large image of a desktop has 10 000.
const ENTRIES_MAX: usize = 200_000;

/// Most bytes of all names; the same image has 1 MiB.
const NAMES_BYTES_MAX: usize = 8 << 20;

/// Most bytes of content that are kept, and most of one file. What a server's
/// image holds besides drivers and firmware takes 30 MiB.
const KEPT_BYTES_MAX: u64 = 96 << 20;
const FILE_BYTES_MAX: u64 = 32 << 20;

const TRAILER: &[u8] = b"TRAILER!!!";

/// What came out of all segments so far.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// The tree, as the kernel would have it.
    pub tree: MemoryTree,
    /// The names in the order of the archive.
    pub names: Vec<Vec<u8>>,
    /// How many entries there were, trailers not counted.
    pub entries: usize,
    /// Bytes of all archives.
    pub bytes: u64,
    /// Files whose content was left out, drivers and firmware not counted.
    pub left_out: Vec<String>,
    /// Bytes that came out of packed segments, padding as well.
    pub(super) streamed: u64,
    kept: u64,
    name_bytes: usize,
    is_closed: bool,
    linked: HashMap<(u32, u32, u32), usize>,
}

impl Unpacked {
    /// True when the last thing read was the end mark of an archive.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// A header, as far as it matters.
struct Header {
    ino: u32,
    mode: u32,
    links: u32,
    size: u32,
    major: u32,
    minor: u32,
    name_bytes: u32,
    sum: Option<u32>,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, Stop> {
        let bad = |what: &str| Stop::Bad(what.to_owned());
        let has_sum = match bytes.get(..6) {
            Some(b"070701") => false,
            Some(b"070702") => true,
            Some(b"070707") => return Err(bad("an entry of the old cpio format")),
            _ => return Err(bad("no header of an entry where one must be")),
        };
        let field = |index: usize| -> Result<u32, Stop> {
            let start = 6 + index * 8;
            let text = bytes.get(start..start + 8).unwrap_or_default();
            let digits = text.iter().all(u8::is_ascii_hexdigit);
            let text = std::str::from_utf8(text).unwrap_or_default();
            match u32::from_str_radix(text, 16) {
                Ok(number) if digits => Ok(number),
                _ => Err(bad("a header of an entry that is no header")),
            }
        };
        Ok(Self {
            ino: field(0)?,
            mode: field(1)?,
            links: field(4)?,
            size: field(6)?,
            major: field(7)?,
            minor: field(8)?,
            name_bytes: field(11)?,
            sum: if has_sum { Some(field(12)?) } else { None },
        })
    }

    fn kind(&self) -> u32 {
        self.mode & 0o170_000
    }
}

/// Reads entries until the stream ends, or until something else begins; then
/// its first byte is returned.
pub(super) fn read<R: Read>(
    source: &mut Source<R>,
    into: &mut Unpacked,
) -> Result<Option<u8>, Stop> {
    loop {
        source.skip_zeros()?;
        match source.peek()? {
            None => return Ok(None),
            Some(b'0') if source.at().is_multiple_of(4) => entry(source, into)?,
            Some(other) => return Ok(Some(other)),
        }
    }
}

fn entry<R: Read>(source: &mut Source<R>, into: &mut Unpacked) -> Result<(), Stop> {
    into.is_closed = false;
    let start = source.at();
    let header = Header::parse(&source.take_bytes(HEADER_BYTES)?)?;
    let name_bytes = header.name_bytes as usize;
    if name_bytes == 0 || name_bytes > PATH_BYTES_MAX {
        // The kernel goes on behind it.
        source.pass(u64::from(header.name_bytes), |_| {})?;
        pad(source)?;
        source.pass(u64::from(header.size), |_| {})?;
        return finish(source, into, start);
    }
    let mut name = source.take_bytes(name_bytes)?;
    if name.last() != Some(&0) {
        return Err(Stop::Bad("a name without its end".into()));
    }
    let end = name.iter().position(|byte| *byte == 0);
    name.truncate(end.unwrap_or(0));
    pad(source)?;
    if name == TRAILER {
        source.pass(u64::from(header.size), |_| {})?;
        into.linked.clear();
        into.is_closed = true;
        return finish(source, into, start);
    }
    into.entries += 1;
    into.name_bytes += name.len();
    if into.entries > ENTRIES_MAX || into.name_bytes > NAMES_BYTES_MAX {
        let why = format!("it has more than {ENTRIES_MAX} entries, or very long names");
        return Err(Stop::TooMuch(why));
    }
    body(source, into, &header, &name)?;
    into.names.push(name);
    finish(source, into, start)
}

/// To the next multiple of four; at the end of a stream it may be missing.
fn pad<R: Read>(source: &mut Source<R>) -> Result<(), Stop> {
    while !source.at().is_multiple_of(4) {
        match source.pass(1, |_| {}) {
            Ok(()) => {}
            Err(Stop::Ends) => return Ok(()),
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

fn finish<R: Read>(source: &mut Source<R>, into: &mut Unpacked, start: u64) -> Result<(), Stop> {
    pad(source)?;
    into.bytes += source.at() - start;
    within_bounds(into.bytes)
}

fn within_bounds(bytes: u64) -> Result<(), Stop> {
    if bytes > UNPACKED_BYTES_MAX {
        let why = format!("it unpacks to more than {UNPACKED_BYTES_MAX} bytes");
        return Err(Stop::TooMuch(why));
    }
    Ok(())
}

fn body<R: Read>(
    source: &mut Source<R>,
    into: &mut Unpacked,
    header: &Header,
    name: &[u8],
) -> Result<(), Stop> {
    let path = Path::new(OsStr::from_bytes(name));
    let size = u64::from(header.size);
    within_bounds(into.bytes.saturating_add(size))?;
    match header.kind() {
        0o100_000 => return file(source, into, header, name),
        0o120_000 if header.size as usize <= PATH_BYTES_MAX => {
            let mut target = source.take_bytes(header.size as usize)?;
            let end = target.iter().position(|byte| *byte == 0);
            target.truncate(end.unwrap_or(target.len()));
            let target = PathBuf::from(OsStr::from_bytes(&target));
            // What the kernel cannot make is passed over, here and below.
            let _ = into.tree.put(path, header.mode, New::Link(target));
            return Ok(());
        }
        0o040_000 if size == 0 => {
            let _ = into.tree.put(path, header.mode, New::Directory);
        }
        0o020_000 | 0o060_000 | 0o010_000 | 0o140_000 if size == 0 => {
            let _ = into.tree.put(path, header.mode, New::Special);
        }
        _ => {}
    }
    source.pass(size, |_| {})
}

fn file<R: Read>(
    source: &mut Source<R>,
    into: &mut Unpacked,
    header: &Header,
    name: &[u8],
) -> Result<(), Stop> {
    let path = Path::new(OsStr::from_bytes(name));
    let size = u64::from(header.size);
    let id = (header.major, header.minor, header.ino);
    let known = (header.links > 1)
        .then(|| into.linked.get(&id).copied())
        .flatten();
    // Of several names of a file, the last one has its content.
    let number = match known {
        Some(number) => into.tree.link(path, number).map(|()| number),
        None => into.tree.put(path, header.mode, New::File),
    };
    if let (Ok(number), true) = (number, header.links > 1) {
        into.linked.insert(id, number);
    }
    let wanted = is_wanted(name);
    let keep = wanted && size <= FILE_BYTES_MAX && into.kept + size <= KEPT_BYTES_MAX;
    if wanted && !keep && into.left_out.len() < 16 {
        into.left_out
            .push(String::from_utf8_lossy(name).into_owned());
    }
    let mut bytes = Vec::new();
    let mut sum = 0_u32;
    source.pass(size, |piece| {
        if keep {
            bytes.extend_from_slice(piece);
        }
        if header.sum.is_some() {
            sum = piece
                .iter()
                .fold(sum, |sum, byte| sum.wrapping_add(u32::from(*byte)));
        }
    })?;
    if header.sum.is_some_and(|told| told != sum) {
        let name = String::from_utf8_lossy(name);
        return Err(Stop::Bad(format!("the checksum of {name} is wrong")));
    }
    if let Ok(number) = number
        && (known.is_none() || size > 0)
    {
        if keep {
            into.kept += size;
        }
        into.tree.fill(number, size, keep.then_some(bytes));
    }
    Ok(())
}

/// False for what need not be looked into: drivers, firmware, microcode, and
/// the indexes of drivers that have a twin as text.
fn is_wanted(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name);
    let name = name.trim_start_matches(['.', '/']);
    if name.starts_with("kernel/") {
        return false;
    }
    let name = name.strip_prefix("usr/").unwrap_or(name);
    match name.strip_prefix("lib/modules/") {
        Some(rest) => matches!(
            rest.split_once('/'),
            Some((_, "modules.dep" | "modules.builtin" | "modules.softdep"))
        ),
        None => !name.starts_with("lib/firmware/"),
    }
}
