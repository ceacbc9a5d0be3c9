//! The rows of a table in a database of SQLite, read as far as it is whole
//! (<https://www.sqlite.org/fileformat2.html>). Nothing is written, and no
//! lock taken; what a write-ahead log has committed counts.

use std::collections::HashSet;

use super::bytes::{Bytes, be16, be32};
use super::wal::Wal;

/// Faults that are told.
const FAULTS_MAX: usize = 20;

/// How deep a tree of pages is at most: SQLite's own limit.
const DEPTH_MAX: usize = 20;

/// Bytes of one row at most: as much as rpm allows a header.
const ROW_BYTES_MAX: u64 = 257 << 20;

/// A value in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// NULL, or a floating point number, which nobody here asks for.
    Other,
    /// An integer.
    Integer(i64),
    /// A text or a blob.
    Bytes(Vec<u8>),
}

/// A database.
#[derive(Debug)]
pub struct Database {
    bytes: Bytes,
    wal: Option<Wal>,
    page_size: u32,
    /// Bytes of a page that hold something.
    usable: usize,
    /// Pages that there should be.
    pages: u32,
}

/// What reading a table gave beside its rows.
#[derive(Debug, Default)]
pub struct Trouble(pub Vec<String>);

impl Trouble {
    pub(in crate::facts) fn add(&mut self, what: String) {
        if self.0.len() < FAULTS_MAX && !self.0.contains(&what) {
            self.0.push(what);
        }
    }
}

impl Database {
    /// Opens a database, with its write-ahead log if there is one.
    pub fn open(bytes: Bytes, log: Option<Bytes>) -> Result<Self, String> {
        let size = bytes.size();
        if size == 0 {
            return Err("it is empty".into());
        }
        let log = log.and_then(Wal::read);
        // All of a young database may still be in its log.
        let head = match log.as_ref().and_then(|log| log.page(1)) {
            Some(page) => page,
            None => bytes.read(0, 100)?,
        };
        if !head.starts_with(b"SQLite format 3\0") {
            return Err("it does not begin as a database of SQLite does".into());
        }
        let page_size = match be16(&head, 16) {
            Some(1) => 65536,
            Some(size) if size >= 512 && size.is_power_of_two() => u32::from(size),
            _ => return Err("its header has an impossible size of pages".into()),
        };
        let reserved = head.get(20).copied().unwrap_or(0);
        let usable = usize::try_from(page_size).unwrap_or(0) - usize::from(reserved);
        if usable < 480 {
            return Err("its header has an impossible size of pages".into());
        }
        let log = log.filter(|log| log.page_size == page_size);
        let there = u32::try_from(size / u64::from(page_size)).unwrap_or(u32::MAX);
        // The count in the header is right when its writer knew of it.
        let said = be32(&head, 28).filter(|_| be32(&head, 24) == be32(&head, 92));
        let pages = match (&log, said) {
            (Some(log), _) => log.pages,
            (None, Some(said)) if said > 0 => said,
            _ => there,
        };
        Ok(Self {
            bytes,
            wal: log,
            page_size,
            usable,
            pages,
        })
    }

    /// What is wrong with the file as a whole.
    pub fn trouble(&self) -> Option<String> {
        let should = u64::from(self.pages) * u64::from(self.page_size);
        let has = self.bytes.size();
        (self.wal.is_none() && has < should)
            .then(|| format!("it ends early: it has {has} of {should} bytes"))
    }

    fn page(&self, number: u32) -> Result<Vec<u8>, String> {
        if number == 0 || number > self.pages {
            return Err("names a page that is not there".into());
        }
        if let Some(page) = self.wal.as_ref().and_then(|log| log.page(number)) {
            return Ok(page);
        }
        let offset = u64::from(number - 1) * u64::from(self.page_size);
        let size = usize::try_from(self.page_size).unwrap_or(0);
        self.bytes.read(offset, size)
    }

    /// Hands out each row of a table: its number and its values. False when
    /// there is no such table.
    pub fn rows(
        &self,
        table: &str,
        trouble: &mut Trouble,
        take: &mut dyn FnMut(i64, Vec<Value>),
    ) -> bool {
        let mut root = None;
        let mut walk = Walk::of(self);
        walk.table(1, trouble, &mut |_, row| {
            // type, name, tbl_name, rootpage, sql
            if let [
                Value::Bytes(kind),
                Value::Bytes(name),
                _,
                Value::Integer(page),
                ..,
            ] = &row[..]
                && kind == b"table"
                && name == table.as_bytes()
            {
                root = u32::try_from(*page).ok();
            }
        });
        let Some(root) = root else { return false };
        walk.table(root, trouble, take);
        true
    }
}

/// A walk over the pages of tables, each of them once.
struct Walk<'d> {
    database: &'d Database,
    seen: HashSet<u32>,
}

type Take<'t> = dyn FnMut(i64, Vec<Value>) + 't;

impl<'d> Walk<'d> {
    fn of(database: &'d Database) -> Self {
        Self {
            database,
            seen: HashSet::new(),
        }
    }

    /// A page that was not read yet: no page belongs to two places.
    fn fresh(&mut self, number: u32) -> Result<Vec<u8>, String> {
        if !self.seen.insert(number) {
            return Err("belongs to two places".into());
        }
        self.database.page(number)
    }

    fn table(&mut self, root: u32, trouble: &mut Trouble, take: &mut Take<'_>) {
        let mut waiting = vec![(root, 0)];
        while let Some((number, depth)) = waiting.pop() {
            let page = match self.fresh(number) {
                Ok(page) => page,
                Err(why) => {
                    trouble.add(format!("page {number}: {why}"));
                    continue;
                }
            };
            let start = if number == 1 { 100 } else { 0 };
            match page.get(start).copied() {
                Some(5) if depth < DEPTH_MAX => match children(&page, start) {
                    Some(below) => waiting.extend(below.into_iter().rev().map(|p| (p, depth + 1))),
                    None => trouble.add(format!("page {number}: its structure is broken")),
                },
                Some(13) => {
                    if self.leaf(&page, start, trouble, number, take).is_none() {
                        trouble.add(format!("page {number}: its structure is broken"));
                    }
                }
                Some(0) => trouble.add(format!("page {number}: it holds NUL bytes")),
                _ => trouble.add(format!("page {number}: it is no page of a table")),
            }
        }
    }

    fn leaf(
        &mut self,
        page: &[u8],
        start: usize,
        trouble: &mut Trouble,
        number: u32,
        take: &mut Take<'_>,
    ) -> Option<()> {
        let cells = usize::from(be16(page, start + 3)?);
        for cell in 0..cells {
            let at = usize::from(be16(page, start + 8 + cell * 2)?);
            // A cell is four bytes long at least: no page has more of them.
            if cell * 6 > page.len() {
                return None;
            }
            match self.cell(page, at) {
                Ok((row, payload)) => match record(&payload) {
                    Some(values) => take(row, values),
                    None => trouble.add(format!("page {number}: a row is broken")),
                },
                Err(why) => trouble.add(format!("page {number}: a row is broken: {why}")),
            }
        }
        Some(())
    }

    /// A row's number and its bytes, those on overflow pages included.
    fn cell(&mut self, page: &[u8], at: usize) -> Result<(i64, Vec<u8>), String> {
        let broken = || "it leaves its page".to_owned();
        let (length, at) = varint(page, at).ok_or_else(broken)?;
        let (row, at) = varint(page, at).ok_or_else(broken)?;
        let usable = self.database.usable;
        let most = u64::from(self.database.pages) * usable as u64;
        if length > most.min(ROW_BYTES_MAX) {
            return Err("it is longer than its file".into());
        }
        let length = usize::try_from(length).map_err(|error| error.to_string())?;
        let local = local_bytes(length, usable);
        let here = page.get(at..at + local).ok_or_else(broken)?;
        let mut payload = here.to_vec();
        let mut next = match payload.len() < length {
            true => be32(page, at + local).ok_or_else(broken)?,
            false => 0,
        };
        while payload.len() < length {
            if next == 0 {
                return Err("its pages end early".into());
            }
            let more = self
                .fresh(next)
                .map_err(|why| format!("page {next}: {why}"))?;
            let count = (length - payload.len()).min(usable - 4);
            payload.extend(more.get(4..4 + count).ok_or_else(broken)?);
            next = be32(&more, 0).ok_or_else(broken)?;
        }
        Ok((i64::from_ne_bytes(row.to_ne_bytes()), payload))
    }
}

/// Bytes of a row that lie on its own page.
fn local_bytes(length: usize, usable: usize) -> usize {
    let most = usable - 35;
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = least + (length - least) % (usable - 4);
    if fitting <= most { fitting } else { least }
}

/// The pages below one, in order.
fn children(page: &[u8], start: usize) -> Option<Vec<u32>> {
    let cells = usize::from(be16(page, start + 3)?);
    let mut below = Vec::new();
    for cell in 0..cells {
        let at = usize::from(be16(page, start + 12 + cell * 2)?);
        below.push(be32(page, at)?);
    }
    below.push(be32(page, start + 8)?);
    Some(below)
}

/// A number of one to nine bytes, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for count in 0..9 {
        let byte = *bytes.get(at.checked_add(count)?)?;
        if count == 8 {
            return Some((value << 8 | u64::from(byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, at + count + 1));
        }
    }
    None
}

fn record(payload: &[u8]) -> Option<Vec<Value>> {
    let (header, mut at) = varint(payload, 0)?;
    let header = usize::try_from(header).ok()?;
    let mut body = header;
    let mut values = Vec::new();
    while at < header {
        let (kind, next) = varint(payload, at)?;
        at = next;
        let integer = |bytes: usize| -> Option<(Value, usize)> {
            let raw = payload.get(body..body.checked_add(bytes)?)?;
            let negative = raw.first().is_some_and(|byte| *byte >= 0x80);
            let start = if negative { -1 } else { 0 };
            let value = raw.iter().fold(start, |value: i64, byte| {
                value.wrapping_shl(8) | i64::from(*byte)
            });
            Some((Value::Integer(value), bytes))
        };
        let (value, bytes) = match kind {
            0 => (Value::Other, 0),
            1..=4 => integer(usize::try_from(kind).ok()?)?,
            5 => integer(6)?,
            6 => integer(8)?,
            7 => (Value::Other, 8),
            8 => (Value::Integer(0), 0),
            9 => (Value::Integer(1), 0),
            10 | 11 => return None,
            text => {
                let bytes = usize::try_from((text - 12) / 2).ok()?;
                let raw = payload.get(body..body.checked_add(bytes)?)?;
                (Value::Bytes(raw.to_vec()), bytes)
            }
        };
        body = body.checked_add(bytes)?;
        values.push(value);
    }
    (body <= payload.len()).then_some(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_of_the_format() {
        assert_eq!(varint(&[0x7f], 0), Some((0x7f, 1)));
        assert_eq!(varint(&[0x81, 0x00], 0), Some((0x80, 2)));
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x80; 3], 0), None);
        // One NULL, -1 in one byte, the constant 1, and a text.
        let row = record(&[5, 0, 1, 9, 17, 0xff, b'o', b'k']).unwrap();
        let wanted = [
            Value::Other,
            Value::Integer(-1),
            Value::Integer(1),
            Value::Bytes(b"ok".to_vec()),
        ];
        assert_eq!(row, wanted);
    }

    #[test]
    fn what_is_no_database_is_told() {
        let open = |bytes: &[u8]| Database::open(Bytes::of(bytes), None).map(|_| ());
        assert_eq!(open(b""), Err("it is empty".into()));
        assert_eq!(open(&[0; 50]), Err("it ends early".into()));
        assert!(open(&[0; 4096]).unwrap_err().contains("does not begin"));
    }
}
