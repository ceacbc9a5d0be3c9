//! From files that an EFI system partition shall have to the bytes of it.

use std::io;

use time::OffsetDateTime;

use super::super::Source;
use super::super::grub_embed::Piece;
use super::edit::{Editor, Sector, Turn};
use super::{EspFile, Walk, find};
use crate::journal;

/// The longest stretch that is written at once.
const PIECE_BYTES: usize = 1 << 20;

/// A file that it shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// `/EFI/debian/shimx64.efi`; as it is spelled there, where it is there.
    pub path: String,
    /// What it shall hold.
    pub content: Vec<u8>,
}

/// What is to be written to the partition in `source`, counted from its
/// beginning, so that it has these files; nothing where it has them. What comes
/// first is to be written first: until the last piece is written, everything
/// that leads to a file that was there before leads to it still, or to nothing.
///
/// # Errors
/// It is no FAT filesystem or a damaged one, there is no room, or what came out
/// is not read as the same files.
pub fn put(source: &Source, files: &[Put], seconds: u64) -> Result<Vec<Piece>, String> {
    let file = source.open().map_err(|error| error.to_string())?;
    let read_at = |at, length| source.read_at(&file, at, length);
    let mut editor = Editor::open(&read_at, source.bytes, stamp(seconds))?;
    let mut before = Vec::new();
    Walk::over(&read_at, source.bytes, &mut before)?;
    for put in files {
        let found = find(&before, &put.path);
        if found.is_none_or(|old| !holds(old, put)) {
            editor.put(&put.path, &put.content)?;
        }
    }
    let sectors = editor.finish()?;
    let mut after = Vec::new();
    let read_new = |at, length| editor.read(at, length).map_err(io::Error::other);
    Walk::over(&read_new, source.bytes, &mut after)?;
    Editor::open(&read_new, source.bytes, stamp(seconds))?;
    check(files, &before, &after)?;
    Ok(pieces(sectors))
}

/// True for a file that was read whole and holds this already.
fn holds(file: &EspFile, put: &Put) -> bool {
    file.sha256.as_ref() == Some(&journal::digest(&put.content))
}

/// The new files are there, and no other one is another.
fn check(files: &[Put], before: &[EspFile], after: &[EspFile]) -> Result<(), String> {
    let put = |path: &str| files.iter().find(|put| put.path.eq_ignore_ascii_case(path));
    let there = |put: &Put| {
        find(after, &put.path).is_some_and(|file| {
            let known = file.sha256.is_none() || holds(file, put);
            file.bytes == put.content.len() as u64 && file.unreadable.is_none() && known
        })
    };
    let kept = |old: &EspFile| put(&old.path).is_some() || after.contains(old);
    let known = |new: &EspFile| put(&new.path).is_some() || before.contains(new);
    let right = files.iter().all(there) && before.iter().all(kept) && after.iter().all(known);
    match right {
        true => Ok(()),
        false => Err("what would be written is not read as these files".into()),
    }
}

/// Sectors that lie side by side and have the same turn are written together.
fn pieces(sectors: Vec<Sector>) -> Vec<Piece> {
    let mut pieces: Vec<(Turn, Piece)> = Vec::new();
    for sector in sectors {
        let Sector {
            turn,
            at,
            before,
            after,
        } = sector;
        if let Some((same, last)) = pieces.last_mut()
            && *same == turn
            && last.at + last.after.len() as u64 == at
            && last.after.len() < PIECE_BYTES
        {
            last.before.extend(before);
            last.after.extend(after);
            continue;
        }
        pieces.push((turn, Piece { at, before, after }));
    }
    pieces.into_iter().map(|(_, piece)| piece).collect()
}

/// Date and time as FAT keeps them, from 1980 to 2107.
fn stamp(seconds: u64) -> (u16, u16) {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(time) = time.filter(|time| (1980..2108).contains(&time.year())) else {
        // The first day that there is.
        return (1 << 5 | 1, 0);
    };
    let year = u16::try_from(time.year() - 1980).unwrap_or(0);
    let date = year << 9 | u16::from(u8::from(time.month())) << 5 | u16::from(time.day());
    let clock =
        u16::from(time.hour()) << 11 | u16::from(time.minute()) << 5 | u16::from(time.second() / 2);
    (date, clock)
}
