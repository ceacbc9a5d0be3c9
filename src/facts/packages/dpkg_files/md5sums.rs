//! `/var/lib/dpkg/info/PACKAGE.md5sums`: 32 hexadecimal digits, two spaces, a
//! path without its leading slash (deb-md5sums(5)).

use super::{Md5Sum, leads_up, relative};

/// What a file of checksums says.
#[derive(Debug, Default)]
pub struct Md5Sums<'b> {
    /// Digest and relative path, in the order of the file.
    pub sums: Vec<(Md5Sum, &'b [u8])>,
    /// Lines that are none. dpkg ends at the first of them; some packages put
    /// other checksums there.
    pub malformed: usize,
}

/// Reads all lines that can be read.
pub fn parse(bytes: &[u8]) -> Md5Sums<'_> {
    let mut all = Md5Sums::default();
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return all;
    }
    for line in body.split(|byte| *byte == b'\n') {
        match sum_and_path(line) {
            Some(sum) => all.sums.push(sum),
            None => all.malformed += 1,
        }
    }
    all
}

fn sum_and_path(line: &[u8]) -> Option<(Md5Sum, &[u8])> {
    let (digits, rest) = line.split_at_checked(32)?;
    let path = relative(rest.strip_prefix(b"  ")?);
    let fits = !path.is_empty() && !path.contains(&0) && !leads_up(path);
    Some((digest(digits)?, path)).filter(|_| fits)
}

/// 32 hexadecimal digits.
pub fn digest(digits: &[u8]) -> Option<Md5Sum> {
    let mut sum = Md5Sum::default();
    if digits.len() != 2 * sum.len() {
        return None;
    }
    for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(sum)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "d41d8cd98f00b204e9800998ecf8427e  usr/share/a b\n";

    #[test]
    fn lines_of_dpkg() {
        let all = parse(LINE.as_bytes());
        assert_eq!(all.malformed, 0);
        assert_eq!(all.sums.len(), 1);
        assert_eq!(all.sums[0].0[..2], [0xd4, 0x1d]);
        assert_eq!(all.sums[0].1, b"usr/share/a b");
        assert_eq!(parse(b"").malformed, 0);
    }

    #[test]
    fn other_checksums_and_cut_lines_are_counted() {
        let sha256 = format!("{}  usr/bin/x\n", "0".repeat(64));
        for bad in [sha256.as_str(), "\n", "d41d8cd98f00  x\n", &LINE[..34]] {
            let all = parse(bad.as_bytes());
            assert_eq!((all.sums.len(), all.malformed), (0, 1), "{bad:?}");
        }
        let up = LINE.replace("share", "..");
        assert_eq!(parse(up.as_bytes()).malformed, 1);
    }

    proptest! {
        #[test]
        fn every_line_is_read_or_counted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let all = parse(&bytes);
            let lines = bytes.iter().filter(|b| **b == b'\n').count();
            prop_assert!(all.sums.len() + all.malformed <= lines + 1);
        }

        #[test]
        fn what_dpkg_writes_is_read_back(sum: [u8; 16], name in "[a-z/ .]{1,40}") {
            let hex = hex::encode(sum);
            let path = format!("usr/x{name}y");
            prop_assume!(!leads_up(path.as_bytes()));
            let text = format!("{hex}  {path}\n");
            let all = parse(text.as_bytes());
            prop_assert_eq!(all.sums, vec![(sum, path.as_bytes())]);
        }
    }
}
