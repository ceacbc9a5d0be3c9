//! The members of an ar archive, as dpkg-deb makes it (deb(5), ar(5)).

use std::io::{self, Read, Seek, SeekFrom};

use super::Fault;

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: u64 = 60;

/// A .deb has three; a few more are allowed (`_gpgorigin`).
const MEMBERS_MAX: usize = 16;

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name without the slash that ends it in some archives.
    pub name: String,
    /// Where its bytes begin.
    pub offset: u64,
    /// How many they are.
    pub size: u64,
}

/// Every member of the archive, which has `length` bytes.
///
/// # Errors
/// It is no archive, it is cut off, or it cannot be read.
pub fn members(archive: &mut (impl Read + Seek), length: u64) -> Result<Vec<Member>, Fault> {
    let mut magic = [0; 8];
    archive.seek(SeekFrom::Start(0))?;
    exactly(archive, &mut magic, length)?;
    if &magic != MAGIC {
        return Err(Fault::NotDeb(start(&magic)));
    }
    let mut members = Vec::new();
    let mut at = 8;
    while at < length {
        if members.len() == MEMBERS_MAX {
            return Err(Fault::Damaged("more members than a package has".into()));
        }
        let mut header = [0; 60];
        archive.seek(SeekFrom::Start(at))?;
        exactly(archive, &mut header, length)?;
        if &header[58..] != b"`\n" {
            return Err(Fault::Damaged(format!("no header of a member at {at}")));
        }
        let size = number(&header[48..58])
            .ok_or_else(|| Fault::Damaged(format!("a member of no size at {at}")))?;
        let offset = at + HEADER;
        let end = offset
            .checked_add(size)
            .ok_or_else(|| Fault::Damaged(format!("an impossible size at {at}")))?;
        if end > length {
            return Err(Fault::Cut {
                has: length,
                needs: end,
            });
        }
        let name = String::from_utf8_lossy(header[..16].trim_ascii_end());
        members.push(Member {
            name: name.trim_end_matches('/').to_owned(),
            offset,
            size,
        });
        // Members begin at even places.
        at = end + end % 2;
    }
    Ok(members)
}

fn exactly(from: &mut impl Read, buffer: &mut [u8], length: u64) -> Result<(), Fault> {
    from.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Cut {
            has: length,
            needs: length + 1,
        },
        _ => Fault::Unreadable(error.to_string()),
    })
}

/// What the file begins with instead.
fn start(magic: &[u8; 8]) -> String {
    match magic.iter().all(|byte| *byte == 0) {
        true => "it begins with NUL bytes".into(),
        false => format!("it begins with \"{}\"", magic.escape_ascii()),
    }
}

/// Decimal digits with blanks behind them.
fn number(digits: &[u8]) -> Option<u64> {
    let digits = digits.trim_ascii_end();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| plain)?
        .parse()
        .ok()
}
