//! Stanzas of `Field: value` lines, as dpkg and apt write them (deb822(5)).
//!
//! Nothing is copied: a stanza and its fields are pieces of the bytes.

use std::io::{self, Read};

/// The longest stanza of an index that is read from a stream.
const STANZA_MAX: usize = 4 << 20;

/// One field; a value of several lines holds them as they stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// What stands before the colon.
    pub name: &'a [u8],
    /// What stands behind it, without the blanks around it.
    pub value: &'a [u8],
}

impl Field<'_> {
    /// True when it is called `name`, in whatever case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Its value as text; wrong UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value).into_owned()
    }
}

/// The stanzas of `bytes` with the place where each begins.
pub fn stanzas(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes.get(at) == Some(&b'\n') {
            at += 1;
        }
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memmem::find(rest, b"\n\n").map_or(rest.len(), |end| end + 1);
        let start = at;
        at += length;
        Some((start, &rest[..length]))
    })
}

/// The lines of a stanza that begin a field, each with the lines that continue
/// it; an error is a line that is neither.
pub fn fields(stanza: &[u8]) -> impl Iterator<Item = Result<Field<'_>, &[u8]>> {
    let mut rest = stanza;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let (line, after) = split_field(rest);
            rest = after;
            // A comment, as people write them into sources and preferences.
            if line.trim_ascii().is_empty() || line.starts_with(b"#") {
                continue;
            }
            let colon = memchr::memchr2(b':', b'\n', line).filter(|at| line[*at] == b':');
            let begins = !line.starts_with(b" ") && !line.starts_with(b"\t");
            return Some(match colon.filter(|_| begins) {
                Some(at) => Ok(Field {
                    name: &line[..at],
                    value: line[at + 1..].trim_ascii(),
                }),
                None => Err(line.trim_ascii_end()),
            });
        }
    })
}

/// The first line and all that continue it; and the rest.
fn split_field(text: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    while let Some(newline) = memchr::memchr(b'\n', &text[end..]) {
        end += newline + 1;
        if !matches!(text.get(end), Some(b' ' | b'\t')) {
            return text.split_at(end);
        }
    }
    (text, &[])
}

/// The first field called `name`.
pub fn field<'a>(stanza: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(stanza)
        .flatten()
        .find(|field| field.is(name))
        .map(|field| field.value)
}

/// The same as text.
pub fn text(stanza: &[u8], name: &str) -> Option<String> {
    field(stanza, name).map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Calls `each` for every stanza of a stream of at most `limit` bytes.
///
/// # Errors
/// The reader's; a stanza or a stream that is too long.
pub fn each_stanza(mut from: impl Read, limit: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let (mut filled, mut seen) = (0, 0u64);
    loop {
        if filled == buffer.len() {
            if filled >= STANZA_MAX {
                return Err(io::Error::other("a stanza without an end"));
            }
            buffer.resize(filled * 2, 0);
        }
        let read = match from.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        seen = seen.saturating_add(read as u64);
        if seen > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("longer than {limit} bytes"),
            ));
        }
        filled += read;
        // What stands before the last empty line is whole.
        let whole = if read == 0 {
            filled
        } else {
            memchr::memmem::rfind(&buffer[..filled], b"\n\n").map_or(0, |end| end + 2)
        };
        for (_, stanza) in stanzas(&buffer[..whole]) {
            each(stanza);
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        if read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_of_several_lines_and_lines_that_are_none() {
        let text = b"A: 1\nB:\n x\n y: z\n# no\nbad line\nC:2\n";
        let all: Vec<_> = fields(text).collect();
        assert_eq!(all.len(), 4);
        assert_eq!(all[1].unwrap().value, b"x\n y: z");
        assert_eq!(all[2], Err(&b"bad line"[..]));
        assert_eq!(field(text, "c"), Some(&b"2"[..]));
    }

    /// Gives its bytes in pieces of one length.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(buffer.len());
            Read::read(&mut self.0, &mut buffer[..length])
        }
    }

    proptest! {
        #[test]
        fn a_stream_has_the_stanzas_of_the_whole(text in "[ab: \n]{0,80}", piece in 1usize..9) {
            let bytes = text.as_bytes();
            let whole: Vec<Vec<u8>> = stanzas(bytes).map(|(_, s)| s.to_vec()).collect();
            let mut streamed = Vec::new();
            each_stanza(Drops(bytes, piece), 1000, |s| streamed.push(s.to_vec())).unwrap();
            prop_assert_eq!(&streamed, &whole);
            for (at, stanza) in stanzas(bytes) {
                prop_assert_eq!(&bytes[at..at + stanza.len()], stanza);
                prop_assert!(!stanza.is_empty());
                fields(stanza).count();
            }
        }
    }
}
