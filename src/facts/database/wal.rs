//! SQLite's write-ahead log: the pages that its whole transactions changed
//! (<https://www.sqlite.org/fileformat2.html#walformat>).

use std::collections::HashMap;

use super::bytes::{Bytes, be32};

const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// A log with something in it.
#[derive(Debug)]
pub struct Wal {
    bytes: Bytes,
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the database after its last transaction.
    pub pages: u32,
    /// Where the newest content of a page lies.
    places: HashMap<u32, u64>,
}

/// The running checksum of the log.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn add(&mut self, bytes: &[u8], big: bool) {
        let (words, _) = bytes.as_chunks::<8>();
        let number = |raw: [u8; 4]| match big {
            true => u32::from_be_bytes(raw),
            false => u32::from_le_bytes(raw),
        };
        for [a, b, c, d, e, f, g, h] in words {
            let first = number([*a, *b, *c, *d]);
            let second = number([*e, *f, *g, *h]);
            self.0 = self.0.wrapping_add(first).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(second).wrapping_add(self.0);
        }
    }
}

impl Wal {
    /// What of a log counts: the frames up to the last commit whose salt and
    /// checksums are right. None when there are none.
    pub fn read(bytes: Bytes) -> Option<Self> {
        let head = bytes.read(0, 32).ok()?;
        let big = match be32(&head, 0)? {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let page_size = be32(&head, 8)?;
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return None;
        }
        let mut sum = Sum(0, 0);
        sum.add(&head[..24], big);
        if sum != Sum(be32(&head, 24)?, be32(&head, 28)?) {
            return None;
        }
        let mut places = HashMap::new();
        let mut open = Vec::new();
        let mut pages = 0;
        let mut at = HEADER_BYTES;
        let frame_bytes = 24 + usize::try_from(page_size).ok()?;
        while let Ok(frame) = bytes.read(at, frame_bytes) {
            let is_ours = frame.get(8..16) == head.get(16..24);
            sum.add(&frame[..8], big);
            sum.add(&frame[24..], big);
            if !is_ours || sum != Sum(be32(&frame, 16)?, be32(&frame, 20)?) {
                break;
            }
            open.push((be32(&frame, 0)?, at + FRAME_HEADER_BYTES));
            let after = be32(&frame, 4)?;
            if after != 0 {
                pages = after;
                places.extend(open.drain(..));
            }
            at += frame_bytes as u64;
        }
        (pages > 0).then_some(Self {
            bytes,
            page_size,
            pages,
            places,
        })
    }

    /// The newest content of a page that the log has.
    pub fn page(&self, number: u32) -> Option<Vec<u8>> {
        let place = self.places.get(&number)?;
        let size = usize::try_from(self.page_size).ok()?;
        self.bytes.read(*place, size).ok()
    }
}
