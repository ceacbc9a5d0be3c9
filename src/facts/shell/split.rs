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

/// The simple commands of a script, as far as it can be followed: a here
/// document ends it.
pub(super) fn commands(text: &str) -> Vec<Piece<'_>> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    let mut nesting = Nesting::default();
    let (mut start, mut at) = (0, 0);
    let (mut is_joined, mut brackets) = (false, 0_usize);
    let mut push = |from: usize, to: usize, is_joined: bool| {
        let piece = text.get(from..to).unwrap_or_default().trim();
        if !piece.is_empty() {
            pieces.push(Piece {
                text: piece,
                is_joined,
            });
        }
        pieces.len() < PIECES_MAX
    };
    while let Some(&byte) = bytes.get(at) {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let next = bytes.get(at + 1).copied();
        if !nesting.is_closed() || nesting.is_too_deep {
            at += nesting.take(bytes, at);
            continue;
        }
        let joined = is_joined || brackets > 0;
        match byte {
            b'#' if before.is_none_or(|byte| byte.is_ascii_whitespace() || byte == b';') => {
                push(start, at, joined);
                at += text
                    .get(at..)
                    .and_then(|rest| rest.find('\n'))
                    .unwrap_or(text.len());
                start = at;
            }
            b'<' if next == Some(b'<') => {
                push(start, at, joined);
                return pieces;
            }
            b'&' if matches!(before, Some(b'>' | b'<')) || next == Some(b'>') => at += 1,
            b'\n' | b';' | b'&' | b'|' | b'(' | b')' => {
                // `start)` in a `case` is a pattern.
                let is_pattern = byte == b')' && brackets == 0;
                // A pipe's first command runs in a shell of its own.
                let is_pipe = byte == b'|' && next != Some(b'|');
                if !is_pattern && !push(start, at, joined || is_pipe) {
                    return pieces;
                }
                match byte {
                    b'(' => brackets += 1,
                    b')' => brackets = brackets.saturating_sub(1),
                    _ => {}
                }
                let is_double = next == Some(byte) && matches!(byte, b'&' | b'|');
                is_joined = is_double || is_pipe;
                at += if is_double { 2 } else { 1 };
                start = at;
            }
            _ => at += nesting.take(bytes, at),
        }
    }
    if nesting.is_closed() && !nesting.is_too_deep {
        push(start, at, is_joined || brackets > 0);
    }
    pieces
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
        let text = "#!/bin/sh\n# a; b\na=1 x \"p; q\" '#' # no\n[ -x /b ] && /b 2>&1 | c; \
            d $(e; f) `g; h` & (i)\ncase $1 in\n  start) j;;\nesac\nk <<END\nl\nEND\n";
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
            ("k", false),
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
