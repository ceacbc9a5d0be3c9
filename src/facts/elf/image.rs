//! Ranges of a file, read as they are needed.
//!
//! Plain reads, no mapping: a file that is cut or a disk that fails gives an
//! error here, not a `SIGBUS`. What is read is bounded whatever the headers
//! say.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::damage::Damage;

/// Read at once: headers, dynamic section and the strings that matter lie
/// close together in most files.
const PAGE_BYTES: usize = 16 * 1024;

/// Most that is read of one file. The largest real need seen is far below
/// 1 MiB; only lying headers reach this.
const BUDGET_PAGES: usize = 512;

/// Longest string taken from a file (an RPATH may hold many paths of up to
/// `PATH_MAX` bytes).
const STRING_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of strings taken from one file, however often its tables name
/// the same one. Real files have some kilobytes.
const STRINGS_BYTES_MAX: usize = 512 * 1024;

/// Something of known size that can be read at any place.
pub trait Bytes {
    /// Its size.
    fn size(&self) -> u64;

    /// Fills `buffer` from `offset` on and tells how much there was.
    ///
    /// # Errors
    /// The kernel's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// A file with the size it had when it was opened.
#[derive(Debug)]
pub struct FileBytes {
    file: File,
    size: u64,
}

impl FileBytes {
    /// Takes an open regular file.
    ///
    /// # Errors
    /// The kernel's, from `fstat(2)`.
    pub fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }

    /// Takes an open regular file of a known size.
    pub(super) fn sized(file: File, size: u64) -> Self {
        Self { file, size }
    }
}

impl Bytes for FileBytes {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        // Not asking behind the end saves a call for most last pages.
        let rest = self.size.saturating_sub(offset);
        let count = usize::try_from(rest)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let buffer = &mut buffer[..count];
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

impl Bytes for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..))
            .unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Pages that a thread keeps for the next file: making them anew costs as much
/// as reading into them.
const SPARE_PAGES: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A window onto [`Bytes`] that remembers the pages it has read.
pub(super) struct Image<'a, B: Bytes + ?Sized> {
    source: &'a B,
    /// By number; a sound file needs three or four.
    pages: Vec<(u64, Vec<u8>)>,
    string_bytes: usize,
    pages_max: usize,
}

impl<'a, B: Bytes + ?Sized> Image<'a, B> {
    pub(super) fn new(source: &'a B) -> Self {
        Self::with_budget(source, BUDGET_PAGES)
    }

    /// One that may read so many bytes of the file.
    pub(super) fn of_tables(source: &'a B, bytes_max: usize) -> Self {
        Self::with_budget(source, bytes_max / PAGE_BYTES)
    }

    fn with_budget(source: &'a B, pages_max: usize) -> Self {
        Self {
            source,
            pages: Vec::new(),
            string_bytes: 0,
            pages_max,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.source.size()
    }

    /// What was read of the file so far.
    pub(super) fn read_bytes(&self) -> usize {
        self.pages.len() * PAGE_BYTES
    }

    /// Exactly `count` bytes from `offset` on.
    pub(super) fn bytes(&mut self, offset: u64, count: usize) -> Result<Vec<u8>, Damage> {
        let expected = offset.saturating_add(count as u64);
        if expected > self.size() {
            let size = self.size();
            return Err(Damage::Truncated { expected, size });
        }
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let (page, start) = self.page(offset + bytes.len() as u64)?;
            let part = page.get(start..).unwrap_or(&[]);
            if part.is_empty() {
                return Err(Damage::malformed("the file shrank while it was read"));
            }
            let missing = count - bytes.len();
            bytes.extend_from_slice(&part[..part.len().min(missing)]);
        }
        Ok(bytes)
    }

    /// The same for a record of a fixed size.
    pub(super) fn record<const N: usize>(&mut self, offset: u64) -> Result<[u8; N], Damage> {
        let expected = offset.saturating_add(N as u64);
        if expected <= self.size() {
            let (page, start) = self.page(offset)?;
            if let Some(record) = page.get(start..).and_then(|rest| rest.first_chunk()) {
                return Ok(*record);
            }
        }
        // Over the end of a page, or of the file.
        let bytes = self.bytes(offset, N)?;
        let short = || Damage::malformed("the file shrank while it was read");
        bytes.first_chunk().copied().ok_or_else(short)
    }

    /// The NUL-terminated string at `offset`, which must end before `end`.
    pub(super) fn string(&mut self, offset: u64, end: u64) -> Result<String, Damage> {
        let end = end.min(self.size());
        let mut bytes = Vec::new();
        while offset.saturating_add(bytes.len() as u64) < end && bytes.len() <= STRING_BYTES_MAX {
            let (page, start) = self.page(offset + bytes.len() as u64)?;
            let part = page.get(start..).unwrap_or(&[]);
            if let Some(length) = part.iter().position(|&byte| byte == 0) {
                bytes.extend_from_slice(&part[..length]);
                let inside = offset + bytes.len() as u64 <= end;
                if inside && bytes.len() <= STRING_BYTES_MAX {
                    self.charge(bytes.len())?;
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
                break;
            }
            if part.is_empty() {
                break;
            }
            bytes.extend_from_slice(part);
        }
        Err(Damage::malformed("a string has no end or lies outside"))
    }

    /// Counts string bytes against what one file may cost.
    pub(super) fn charge(&mut self, count: usize) -> Result<(), Damage> {
        self.string_bytes = self.string_bytes.saturating_add(count);
        if self.string_bytes > STRINGS_BYTES_MAX {
            return Err(Damage::malformed(
                "its names are longer than any real file's",
            ));
        }
        Ok(())
    }

    /// The page that holds `offset`, and where in it that is.
    fn page(&mut self, offset: u64) -> Result<(&[u8], usize), Damage> {
        let number = offset / PAGE_BYTES as u64;
        let start = usize::try_from(offset % PAGE_BYTES as u64).unwrap_or(0);
        let known = self.pages.iter().position(|(known, _)| *known == number);
        if known.is_none() {
            if self.pages.len() >= self.pages_max {
                return Err(Damage::malformed("its tables are spread too far"));
            }
            let mut page = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
            page.resize(PAGE_BYTES, 0);
            let count = self
                .source
                .read_at(&mut page, number * PAGE_BYTES as u64)
                .map_err(Damage::from)?;
            page.truncate(count);
            self.pages.push((number, page));
        }
        let at = known.unwrap_or(self.pages.len().saturating_sub(1));
        let page = self.pages.get(at).map_or(&[][..], |(_, page)| page);
        Ok((page, start))
    }
}

impl<B: Bytes + ?Sized> Drop for Image<'_, B> {
    fn drop(&mut self) {
        SPARE.with_borrow_mut(|spare| {
            let room = SPARE_PAGES.saturating_sub(spare.len());
            spare.extend(self.pages.drain(..).take(room).map(|(_, page)| page));
        });
    }
}
