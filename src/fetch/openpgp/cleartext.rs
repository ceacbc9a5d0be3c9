//! Texts with their signature behind them (RFC 4880, section 7).

/// The text that is signed, and the signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Line ends as they were; blanks at their ends are gone.
    pub text: Vec<u8>,
    /// The signatures, armored.
    pub signatures: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";

/// Takes such a text apart; none when it is no such text. What stands outside
/// of it is nobody's, and is left out.
pub fn opened(bytes: &[u8]) -> Option<Signed> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    if without_blanks(lines.next()?) != BEGIN {
        return None;
    }
    // `Hash: SHA512` and its like, up to an empty line.
    let is_head = |line: &&[u8]| !line.trim_ascii().is_empty();
    lines.by_ref().take_while(is_head).for_each(drop);
    let mut text = Vec::new();
    for line in lines.by_ref() {
        let plain = without_blanks(line);
        if plain == SIGNATURE {
            // The last line end belongs to the armor.
            text.pop();
            let mut signatures = [SIGNATURE, b"\n"].concat();
            signatures.extend(lines.flatten());
            return Some(Signed { text, signatures });
        }
        let plain = match plain.strip_prefix(b"- ") {
            Some(plain) => plain,
            // Every dash at the start of a line is escaped.
            None if plain.starts_with(b"-") => return None,
            None => plain,
        };
        text.extend(plain);
        text.push(b'\n');
    }
    None
}

/// Blanks at the end of a line are not signed.
fn without_blanks(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let end = line.iter().rposition(|byte| !is_blank(byte));
    line.get(..end.map_or(0, |at| at + 1)).unwrap_or_default()
}

/// The same with CR LF at the ends of lines, as it is signed.
pub(super) fn canonical(text: &[u8]) -> Vec<u8> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut whole = Vec::with_capacity(text.len() + text.len() / 32);
    whole.extend(lines.next().unwrap_or_default());
    for line in lines {
        if whole.last() == Some(&b'\r') {
            whole.pop();
        }
        whole.extend(b"\r\n");
        whole.extend(line);
    }
    whole
}
