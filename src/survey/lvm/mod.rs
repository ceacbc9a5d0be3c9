//! LVM2 physical volumes: label, header and the metadata text of their group.
//!
//! The format is that of LVM2's `lib/format_text/layout.h` and
//! `lib/label/label.h`. Everything is checked by its CRC before it is used.

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::Source;
use super::little_endian::{u32_at, u64_at};

mod group;
mod text;

pub use group::{Area, Group, Logical, Physical, Segment};

const SECTOR: usize = 512;

/// The label lies in one of the first four sectors.
const LABEL_SECTORS: usize = 4;

const LABEL: &[u8] = b"LABELONE";
const TYPE: &[u8] = b"LVM2 001";
const AREA_MAGIC: &[u8] = b"\x20LVM2\x20x[5A%r0N*>";

/// Metadata texts are about 1 MiB at most; a longer one is not read.
const LONGEST_TEXT: u64 = 16 << 20;

/// A metadata area that is not used on purpose.
const IGNORED: u32 = 1;

/// A physical volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PhysicalVolume {
    /// Its UUID as LVM spells it.
    pub uuid: String,
    /// Its size in bytes when it was made.
    pub bytes: u64,
    /// The newest metadata on it. None: it belongs to no group, or its group
    /// keeps the metadata on other volumes.
    pub group: Option<Group>,
    /// What is wrong with its metadata.
    pub problem: Option<String>,
}

/// Reads the label, header and metadata of a physical volume; none where there
/// is no label.
///
/// # Errors
/// The disk's.
pub fn probe(file: &File, source: &Source) -> io::Result<Option<PhysicalVolume>> {
    let head = source.read_at(file, 0, LABEL_SECTORS * SECTOR)?;
    let Some(header) = header(&head) else {
        return Ok(None);
    };
    let mut volume = PhysicalVolume {
        uuid: header.uuid,
        bytes: header.bytes,
        ..PhysicalVolume::default()
    };
    for (offset, length) in header.metadata {
        match read_area(file, source, offset, length)? {
            Ok(Some(group)) => {
                let newer = |old: &Group| group.seqno > old.seqno;
                if volume.group.as_ref().is_none_or(newer) {
                    volume.group = Some(group);
                }
            }
            Ok(None) => {}
            Err(why) => volume.problem = Some(why),
        }
    }
    // One good copy is enough.
    if volume.group.is_some() {
        volume.problem = None;
    }
    Ok(Some(volume))
}

/// What the label's sector says.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    uuid: String,
    bytes: u64,
    /// Offset and length of each metadata area, in bytes.
    metadata: Vec<(u64, u64)>,
}

fn header(head: &[u8]) -> Option<Header> {
    head.chunks_exact(SECTOR)
        .enumerate()
        .take(LABEL_SECTORS)
        .find_map(|(number, sector)| label(number, sector))
}

fn label(number: usize, sector: &[u8]) -> Option<Header> {
    let word = |at: usize| u32_at(sector, at);
    let right = sector.starts_with(LABEL)
        && u64_at(sector, 8)? == number as u64
        && sector.get(24..32)? == TYPE
        && checksum(sector.get(20..)?) == word(16)?;
    if !right {
        return None;
    }
    let mut at = usize::try_from(word(20)?).ok()?;
    let uuid = uuid_text(sector.get(at..at.checked_add(32)?)?)?;
    let bytes = u64_at(sector, at + 32)?;
    at += 40;
    // A list of data areas and one of metadata areas, each ended by zeros.
    let mut lists = [Vec::new(), Vec::new()];
    for list in &mut lists {
        loop {
            let (offset, length) = (u64_at(sector, at)?, u64_at(sector, at + 8)?);
            at += 16;
            if offset == 0 {
                break;
            }
            list.push((offset, length));
        }
    }
    let [_, metadata] = lists;
    Some(Header {
        uuid,
        bytes,
        metadata,
    })
}

/// The group that a metadata area tells of; why it cannot be used, in words.
fn read_area(
    file: &File,
    source: &Source,
    offset: u64,
    length: u64,
) -> io::Result<Result<Option<Group>, String>> {
    let header = source.read_at(file, offset, SECTOR)?;
    let place = match locate(&header, length) {
        Ok(Some(place)) => place,
        Ok(None) => return Ok(Ok(None)),
        Err(why) => return Ok(Err(why)),
    };
    // A ring: what does not fit at its end goes on behind the header.
    let first = place.length.min(length - place.offset);
    let to_size = |bytes: u64| usize::try_from(bytes).unwrap_or(0);
    let mut text = source.read_at(file, offset.saturating_add(place.offset), to_size(first))?;
    let rest = to_size(place.length - first);
    text.extend(source.read_at(file, offset.saturating_add(SECTOR as u64), rest)?);
    if checksum(&text) != place.crc {
        return Ok(Err("its metadata text has a wrong checksum".into()));
    }
    let text = String::from_utf8_lossy(&text);
    Ok(text::parse(&text)
        .and_then(|root| Group::from_text(&root))
        .map(Some))
}

/// Where the current text lies in its area.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    offset: u64,
    length: u64,
    crc: u32,
}

fn locate(header: &[u8], area: u64) -> Result<Option<Place>, String> {
    let cut = || "its metadata area is cut off".to_owned();
    let sum = u32_at(header, 0).ok_or_else(cut)?;
    let body = header.get(4..SECTOR).ok_or_else(cut)?;
    if checksum(body) != sum || header.get(4..20) != Some(AREA_MAGIC) {
        return Err("the header of its metadata area is damaged".into());
    }
    let offset = u64_at(header, 40).ok_or_else(cut)?;
    let length = u64_at(header, 48).ok_or_else(cut)?;
    let crc = u32_at(header, 56).ok_or_else(cut)?;
    let flags = u32_at(header, 60).ok_or_else(cut)?;
    if offset == 0 || length == 0 || flags & IGNORED != 0 {
        return Ok(None);
    }
    let room = area.min(LONGEST_TEXT).saturating_sub(SECTOR as u64);
    if offset >= area || length > room {
        return Err("its metadata area points outside of itself".into());
    }
    Ok(Some(Place {
        offset,
        length,
        crc,
    }))
}

/// LVM's CRC: CRC-32 that begins with a value of its own and is not inverted
/// at the end (`lib/misc/crc.c`).
pub fn checksum(bytes: &[u8]) -> u32 {
    const INITIAL: u32 = 0xf597_a6cf;
    let mut hasher = crc32fast::Hasher::new_with_initial(!INITIAL);
    hasher.update(bytes);
    !hasher.finalize()
}

/// 32 letters and digits as LVM spells them: in groups of 6, 4 and so on.
fn uuid_text(raw: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(raw).ok()?;
    let plain = text.len() == 32 && text.chars().all(|c| c.is_ascii_graphic());
    plain.then(|| {
        let bounds = [0, 6, 10, 14, 18, 22, 26, 32];
        let parts: Vec<_> = bounds.windows(2).map(|w| &text[w[0]..w[1]]).collect();
        parts.join("-")
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
