//! Armor and packets (RFC 4880, sections 4 and 6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// The packets of `bytes`, up to the first one that is not whole.
pub(super) fn packets(mut bytes: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    std::iter::from_fn(move || {
        let (packet, rest) = first(bytes)?;
        bytes = rest;
        Some(packet)
    })
}

fn first(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    if head & 0x80 == 0 {
        return None;
    }
    let (tag, length, rest) = if head & 0x40 != 0 {
        let (length, rest) = new_length(rest)?;
        (head & 0x3f, length, rest)
    } else {
        let octets = match head & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            // Up to the end of the file: never so in keys and signatures.
            _ => return None,
        };
        let (length, rest) = number(rest, octets)?;
        ((head >> 2) & 0xf, length, rest)
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((Packet { tag, body }, rest))
}

/// The lengths of new packets and of subpackets; partial ones stand only before
/// data.
pub(super) fn new_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=191 => Some((usize::from(first), rest)),
        192..=223 => {
            let (&second, rest) = rest.split_first()?;
            let high = usize::from(first - 192) << 8;
            Some((high + usize::from(second) + 192, rest))
        }
        255 => number(rest, 4),
        _ => None,
    }
}

/// A number of so many octets, the highest first.
pub(super) fn number(bytes: &[u8], octets: usize) -> Option<(usize, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(octets)?;
    let value = digits
        .iter()
        .fold(0, |value, digit| (value << 8) | usize::from(*digit));
    Some((value, rest))
}

/// An integer of any length, without its leading zeros.
pub(super) fn integer(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (bits, rest) = number(bytes, 2)?;
    rest.split_at_checked(bits.div_ceil(8))
}

/// What stands in each armored block of a text; what is not armored, as it is.
pub(super) fn unarmored(bytes: &[u8]) -> Vec<Vec<u8>> {
    if !bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP") {
        return vec![bytes.to_vec()];
    }
    let text = String::from_utf8_lossy(bytes);
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.any(|line| line.starts_with("-----BEGIN PGP")) {
        // Headers, up to an empty line.
        lines
            .by_ref()
            .take_while(|line| !line.trim().is_empty())
            .for_each(drop);
        let inside = lines
            .by_ref()
            .take_while(|line| !line.starts_with("-----END PGP"));
        let digits: String = inside
            .filter(|line| !line.starts_with('='))
            .map(str::trim)
            .collect();
        blocks.extend(STANDARD.decode(digits));
    }
    blocks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lengths_of_all_kinds() {
        let old = [0x88, 2, 7, 8, 0x89, 0, 1, 9];
        let all: Vec<_> = packets(&old).collect();
        let body = |at: usize| (all[at].tag, all[at].body);
        assert_eq!(
            (body(0), body(1)),
            ((2, &[7u8, 8][..]), (2, &[9u8][..])),
            "of one and two octets"
        );
        let mut long = vec![0xc2, 192, 8];
        long.extend([1; 200]);
        assert_eq!(packets(&long).next().unwrap().body.len(), 200);
        assert_eq!(packets(&long[..100]).count(), 0, "cut off");
        assert_eq!(packets(&[0x8b, 1, 2]).count(), 0, "without a length");
        assert_eq!(packets(&[0xc2, 255, 255, 255, 255, 255]).count(), 0);
    }

    #[test]
    fn armor_with_headers_and_a_checksum() {
        let text = "-----BEGIN PGP SIGNATURE-----\nVersion: x\n\niAIH\nCA==\n=abcd\n-----END PGP SIGNATURE-----\n";
        assert_eq!(unarmored(text.as_bytes()), [[0x88, 2, 7, 8]]);
        assert_eq!(unarmored(&[0x88, 0]), [[0x88, 0]]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_failing(bytes: Vec<u8>) {
            packets(&bytes).for_each(drop);
            let mut armored = b"-----BEGIN PGP X\n".to_vec();
            armored.extend(&bytes);
            unarmored(&armored);
        }
    }
}
