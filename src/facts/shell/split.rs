//! Simple commands and their words.

/// Quotes and brackets in each other; real scripts have three or four.
const DEPTH_MAX: usize = 32;

/// Most commands of one script that are looked at.
const PIECES_MAX: usize = 4096;

/// One simple command, or the head of a compound one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    /// It runs only if the one before it did this or that, in a pipe or in
    /// brackets.
    pub(super) is_joined: bool,
}

/// Which quotes and brackets are open.
#[derive(Debug, Default)]
struct Nesting {
    /// The bytes that close them.
    open: Vec<u8>,
    is_too_deep: bool,
}

impl Nesting {
    /// Takes what stands at `at`; the number of bytes that belong together.
    fn take(&mut self, bytes: &[u8], at: usize) -> usize {
        let Some(&byte) = bytes.get(at) else {
            return 1;
        };
        let inside = self.open.last().copied();
        if inside == Some(byte) {
            self.open.pop();
            return 1;
        }
        match (inside, byte) {
            (Some(b'\''), _) => 1,
            (_, b'\\') => 2,
            (_, b'$') => match bytes.get(at + 1) {
                Some(b'(') => self.opened(b')', 2),
                Some(b'{') => self.opened(b'}', 2),
                _ => 1,
            },
            (_, b'`') => self.opened(b'`', 1),
            (Some(b'"'), _) => 1,
            (_, b'"' | b'\'') => self.opened(byte, 1),
            (Some(b')'), b'(') => self.opened(b')', 1),
            _ => 1,
        }
    }

    fn opened(&mut self, close: u8, length: usize) -> usize {
        self.is_too_deep |= self.open.len() >= DEPTH_MAX;
        if !self.is_too_deep {
            self.open.push(close);
        }
        length
    }

    fn is_closed(&self) -> bool {
        self.open.is_empty()
    }
}

/// Where the bracket ends that is open at the start of `text`, which `close`
/// closes: the number of bytes before that.
pub(super) fn inside(text: &str, close: u8) -> Option<usize> {
    let mut nesting = Nesting {
        open: vec![close],
        is_too_deep: false,
    };
    let mut at = 0;
    while at < text.len() {
        let length = nesting.take(text.as_bytes(), at);
        if nesting.is_closed() {
            return Some(at);
        }
        at += length;
    }
    None
}

/// The word that ends a here document, which begins behind `<<`.
fn delimiter(text: &str) -> String {
    let text = text
        .strip_prefix('-')
        .unwrap_or(text)
        .trim_start_matches([' ', '\t']);
    let is_end = |c: char| c.is_whitespace() || ";&|()<>".contains(c);
    let word = text.split(is_end).next().unwrap_or_default();
    word.replace(['"', '\'', '\\'], "")
}

/// Where the text goes on behind the here documents that begin at `at`.
fn behind(text: &str, mut at: usize, delimiters: &mut Vec<String>) -> usize {
    for delimiter in delimiters.drain(..) {
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
            at += length;
            if rest[..length]
                .trim_start_matches('\t')
                .trim_end_matches('\n')
                == delimiter
            {
                break;
            }
        }
    }
    at
}

/// The simple commands of a script.
pub(super) fn commands(text: &str) -> Vec<Piece<'_>> {
    let mut cutter = Cutter {
        text,
        pieces: Vec::new(),
        start: 0,
        is_joined: false,
        brackets: 0,
        documents: Vec::new(),
    };
    let bytes = text.as_bytes();
    let mut nesting = Nesting::default();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let next = bytes.get(at + 1).copied();
        if cutter.pieces.len() >= PIECES_MAX {
            return cutter.pieces;
        }
        if !nesting.is_closed() || nesting.is_too_deep {
            at += nesting.take(bytes, at);
            continue;
        }
        at = match byte {
            b'#' if before.is_none_or(|byte| byte.is_ascii_whitespace() || byte == b';') => {
                cutter.end(at, false);
                let rest = text.get(at..).unwrap_or_default();
                cutter.start = at + rest.find('\n').unwrap_or(rest.len());
                cutter.start
            }
            b'<' if next == Some(b'<') => cutter.document(at),
            // `2>&1` and `&>file`
            b'&' if matches!(before, Some(b'>' | b'<')) || next == Some(b'>') => at + 1,
            b'\n' | b';' | b'&' | b'|' | b'(' | b')' => cutter.operator(at, byte, next),
            _ => at + nesting.take(bytes, at),
        };
    }
    if nesting.is_closed() && !nesting.is_too_deep {
        cutter.end(at, false);
    }
    cutter.pieces
}

/// A script that is being cut.
struct Cutter<'t> {
    text: &'t str,
    pieces: Vec<Piece<'t>>,
    /// Where the piece begins that is not ended yet.
    start: usize,
    is_joined: bool,
    brackets: usize,
    /// What ends the here documents that begin with the next line.
    documents: Vec<String>,
}

impl Cutter<'_> {
    fn end(&mut self, at: usize, is_joined: bool) {
        let piece = self.text.get(self.start..at).unwrap_or_default().trim();
        self.start = at;
        if piece.is_empty() {
            return;
        }
        self.pieces.push(Piece {
            text: piece,
            is_joined: is_joined || self.is_joined || self.brackets > 0,
        });
        self.is_joined = false;
    }

    /// An operator at `at`; where it goes on.
    fn operator(&mut self, at: usize, byte: u8, next: Option<u8>) -> usize {
        let is_double = next == Some(byte) && matches!(byte, b'&' | b'|');
        let is_pipe = byte == b'|' && !is_double;
        // `start)` in a `case` is a pattern. The first command of a pipe runs
        // in a shell of its own.
        if byte != b')' || self.brackets > 0 {
            self.end(at, is_pipe);
        }
        match byte {
            b'(' => self.brackets += 1,
            b')' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        // It still is when the line ends behind `&&`.
        self.is_joined |= is_double || is_pipe;
        let mut after = at + if is_double { 2 } else { 1 };
        if byte == b'\n' {
            after = behind(self.text, after, &mut self.documents);
        }
        self.start = after;
        after
    }

    /// `<<` at `at`.
    fn document(&mut self, at: usize) -> usize {
        let rest = self.text.get(at + 2..).unwrap_or_default();
        if rest.starts_with('<') {
            return at + 3; // a word as a document
        }
        self.documents.push(delimiter(rest));
        at + 2
    }
}

/// The words of a simple command, with their quotes.
pub(super) fn words(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut nesting = Nesting::default();
    let (mut start, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        // A backslash at a line's end joins it to the next.
        let is_joint = byte == b'\\' && bytes.get(at + 1) == Some(&b'\n');
        if nesting.is_closed() && (byte.is_ascii_whitespace() || is_joint) {
            words.extend(text.get(start..at).filter(|word| !word.is_empty()));
            at += if is_joint { 2 } else { 1 };
            start = at;
        } else {
            at += nesting.take(bytes, at);
        }
    }
    let rest = text.get(start..).filter(|word| !word.is_empty());
    words.extend(rest.filter(|_| nesting.is_closed()));
    words
}

/// The parts of `text` between the bytes `by` that stand in no quotes.
pub(super) fn split_at(text: &str, by: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut nesting = Nesting::default();
    let (mut start, mut at) = (0, 0);
    while let Some(&byte) = text.as_bytes().get(at) {
        if nesting.is_closed() && byte == by {
            parts.extend(text.get(start..at));
            at += 1;
            start = at;
        } else {
            at += nesting.take(text.as_bytes(), at);
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_end_where_the_shell_ends_them() {
        let text = "#!/bin/sh\n# a; b\na=1 x \"p; q\" '#' # no\n[ -x /b ] && # x\n/b 2>&1 | c; \
            d $(e; f) `g; h` & (i)\ncase $1 in\n  start) j;;\nesac\nk <<-'END' | m\nl; n\n\tEND\no <<< p\n";
        let found = commands(text);
        let texts: Vec<_> = found.iter().map(|p| (p.text, p.is_joined)).collect();
        let expected = [
            ("a=1 x \"p; q\" '#'", false),
            ("[ -x /b ]", false),
            ("/b 2>&1", true),
            ("c", true),
            ("d $(e; f) `g; h`", false),
            ("i", true),
            ("case $1 in", false),
            ("j", false),
            ("esac", false),
            ("k <<-'END'", true),
            ("m", true),
            ("o <<< p", false),
        ];
        assert_eq!(texts, expected);
        assert_eq!(
            words("a=$(b \"c d\") \"e  f\"'g h' \\\n i\\ j"),
            ["a=$(b \"c d\")", "\"e  f\"'g h'", "i\\ j"]
        );
        assert_eq!(inside("a \")\" (b)) c", b')'), Some(9));
    }

    #[test]
    fn hostile_text_ends() {
        for text in [
            "$(",
            "'",
            "\"$(\"",
            "\\",
            "((((((",
            "$($($($(",
            "${${",
            "\u{e4}\\\u{e4}",
        ] {
            let many = text.repeat(20_000);
            let pieces = commands(&many);
            pieces.iter().for_each(|piece| drop(words(piece.text)));
        }
    }
}
