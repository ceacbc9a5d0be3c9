//! rpm's database before 2020, `Packages`: a hash of Berkeley DB (db's
//! dbinc/db_page.h and rpm's lib/backend/bdb_ro.c). Its pages are read one
//! after the other, so that a broken bucket hides no other one.

use std::collections::HashSet;

use crate::facts::database::bytes::Bytes;
use crate::facts::database::sqlite::Trouble;

const PAGE_HEADER_BYTES: usize = 26;

/// Kinds of pages (`P_HASH_UNSORTED`, `P_OVERFLOW`, `P_HASHMETA`, `P_HASH`).
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH_META: u8 = 8;
const HASH: u8 = 13;

/// Kinds of what is on a page of a hash (`H_KEYDATA`, `H_OFFPAGE`).
const KEYDATA: u8 = 1;
const OFFPAGE: u8 = 3;

/// A header has this many bytes at most (rpm's `HEADER_DATA_MAX` and more).
const VALUE_BYTES_MAX: usize = 257 << 20;

/// A database of this kind.
struct Hash<'b> {
    bytes: &'b Bytes,
    page_size: usize,
    last: u32,
    big: bool,
    meta: Vec<u8>,
    /// Overflow pages that were read.
    seen: HashSet<u32>,
}

/// Hands out each header with its number.
pub fn read(bytes: &Bytes, trouble: &mut Trouble, take: &mut dyn FnMut(u32, Vec<u8>)) {
    if bytes.size() == 0 {
        return trouble.add("it is empty".into());
    }
    let mut hash = match Hash::open(bytes) {
        Ok(hash) => hash,
        Err(why) => return trouble.add(why),
    };
    let should = (u64::from(hash.last) + 1).saturating_mul(hash.page_size as u64);
    if bytes.size() < should {
        let has = bytes.size();
        trouble.add(format!("it ends early: it has {has} of {should} bytes"));
    }
    let buckets = hash.buckets();
    for number in 1..=hash.last {
        let page = match hash.page(number) {
            Ok(page) => page,
            // Said above, once.
            Err(_) if u64::from(number) * hash.page_size as u64 >= bytes.size() => return,
            Err(why) => {
                trouble.add(format!("page {number}: {why}"));
                continue;
            }
        };
        // Pages that were never used are all zero.
        match page.get(25) {
            Some(&(HASH | HASH_UNSORTED)) => hash.pairs(&page, number, trouble, take),
            _ if buckets.contains(&number) => {
                trouble.add(format!("page {number}: it is no page of the hash"));
            }
            _ => {}
        }
    }
}

impl<'b> Hash<'b> {
    fn open(bytes: &'b Bytes) -> Result<Self, String> {
        let meta = bytes.read(0, 512)?;
        let big = match meta.get(12..16) {
            Some([0x61, 0x15, 0x06, 0x00]) => false,
            Some([0x00, 0x06, 0x15, 0x61]) => true,
            _ => return Err("it does not begin as a hash of Berkeley DB does".into()),
        };
        let mut hash = Self {
            bytes,
            page_size: 512,
            last: 0,
            big,
            meta: Vec::new(),
            seen: HashSet::new(),
        };
        let field = |at| hash.number(&meta, at).unwrap_or(0);
        let (version, size, last) = (field(16), field(20), field(32));
        if !(7..=10).contains(&version) || meta.get(25) != Some(&HASH_META) {
            return Err(format!("its version {version} is not known"));
        }
        if !size.is_power_of_two() || !(512..=65536).contains(&size) {
            return Err("its header has an impossible size of pages".into());
        }
        hash.page_size = usize::try_from(size).unwrap_or(512);
        hash.last = last;
        hash.meta = meta;
        Ok(hash)
    }

    /// The first page of each bucket, which is never without content
    /// (`BUCKET_TO_PAGE` in db's dbinc/hash.h).
    fn buckets(&self) -> HashSet<u32> {
        let field = |at| self.number(&self.meta, at).unwrap_or(0);
        let pages = self.bytes.size() / self.page_size as u64;
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        let most = field(72).min(self.last).min(pages);
        let page = |bucket: u32| {
            let group = usize::try_from(u32::BITS - bucket.leading_zeros()).unwrap_or(0);
            bucket.wrapping_add(field(96 + group * 4))
        };
        (0..=most).map(page).collect()
    }

    fn number(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self.big {
            true => u32::from_be_bytes(raw),
            false => u32::from_le_bytes(raw),
        })
    }

    fn short(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let raw: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(usize::from(match self.big {
            true => u16::from_be_bytes(raw),
            false => u16::from_le_bytes(raw),
        }))
    }

    fn page(&self, number: u32) -> Result<Vec<u8>, String> {
        if number == 0 || number > self.last {
            return Err("is not there".into());
        }
        let offset = u64::from(number) * self.page_size as u64;
        let page = self.bytes.read(offset, self.page_size)?;
        match self.number(&page, 8) {
            Some(own) if own == number => Ok(page),
            Some(0) if page.iter().all(|byte| *byte == 0) => Ok(page),
            _ => Err("it has another page's number".into()),
        }
    }

    /// The keys and values of a page, which lie from its end to its front.
    fn pairs(
        &mut self,
        page: &[u8],
        number: u32,
        trouble: &mut Trouble,
        take: &mut dyn FnMut(u32, Vec<u8>),
    ) {
        let count = self.short(page, 20).unwrap_or(0);
        let mut end = self.page_size;
        let broken = format!("page {number}: its structure is broken");
        for pair in 0..count / 2 {
            let at = PAGE_HEADER_BYTES + pair * 4;
            let (Some(key), Some(value)) = (self.short(page, at), self.short(page, at + 2)) else {
                return trouble.add(broken);
            };
            let (Some(key_item), Some(item)) = (page.get(key..end), page.get(value..key)) else {
                return trouble.add(broken);
            };
            end = value;
            // Number 0 holds the next free number.
            let Some(key) = self.key(key_item).filter(|key| *key != 0) else {
                continue;
            };
            match self.value(item) {
                Ok(header) => take(key, header),
                Err(why) => trouble.add(format!("package #{key}: {why}")),
            }
        }
    }

    fn key(&self, item: &[u8]) -> Option<u32> {
        match item {
            [KEYDATA, key @ ..] if key.len() == 4 => self.number(key, 0),
            _ => None,
        }
    }

    fn value(&mut self, item: &[u8]) -> Result<Vec<u8>, String> {
        let broken = || "its record is broken".to_owned();
        match item {
            [KEYDATA, value @ ..] => Ok(value.to_vec()),
            [OFFPAGE, ..] if item.len() == 12 => {
                let first = self.number(item, 4).ok_or_else(broken)?;
                let length = self.number(item, 8).ok_or_else(broken)?;
                let length = usize::try_from(length).map_err(|_| broken())?;
                if length as u64 > self.bytes.size() || length > VALUE_BYTES_MAX {
                    return Err("its record is longer than the file".into());
                }
                self.overflow(first, length)
            }
            _ => Err(broken()),
        }
    }

    fn overflow(&mut self, first: u32, length: usize) -> Result<Vec<u8>, String> {
        let mut value = Vec::new();
        let mut next = first;
        while value.len() < length {
            if !self.seen.insert(next) {
                return Err(format!("page {next} belongs to two records"));
            }
            let page = self
                .page(next)
                .map_err(|why| format!("page {next}: {why}"))?;
            let here = self.short(&page, 22).unwrap_or(0);
            let end = PAGE_HEADER_BYTES.saturating_add(here);
            let piece = page.get(PAGE_HEADER_BYTES..end);
            let piece = piece.filter(|piece| !piece.is_empty() && page.get(25) == Some(&OVERFLOW));
            value.extend(piece.ok_or(format!("page {next}: its structure is broken"))?);
            next = self.number(&page, 16).unwrap_or(0);
        }
        value.truncate(length);
        Ok(value)
    }
}
