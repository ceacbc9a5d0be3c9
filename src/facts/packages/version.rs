//! The order of Debian versions (deb-version(7); dpkg's lib/dpkg/version.c).

use std::cmp::Ordering;

/// Compares two versions as dpkg does.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    numbers(a.epoch, b.epoch)
        .then_with(|| pieces(a.upstream, b.upstream))
        .then_with(|| pieces(a.revision, b.revision))
}

/// The version without its epoch, as it stands in names of files.
pub fn without_epoch(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

/// `[EPOCH:]UPSTREAM[-REVISION]`
struct Parts<'a> {
    epoch: &'a [u8],
    upstream: &'a [u8],
    revision: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        let (epoch, rest) = version.split_once(':').unwrap_or(("", version));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self {
            epoch: epoch.as_bytes(),
            upstream: upstream.as_bytes(),
            revision: revision.as_bytes(),
        }
    }
}

/// Turns of what is no number and of what is one.
fn pieces(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_word, a_rest) = split(a, |byte| !byte.is_ascii_digit());
        let (b_word, b_rest) = split(b, |byte| !byte.is_ascii_digit());
        let (a_number, a_rest) = split(a_rest, u8::is_ascii_digit);
        let (b_number, b_rest) = split(b_rest, u8::is_ascii_digit);
        let order = words(a_word, b_word).then_with(|| numbers(a_number, b_number));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}

fn split(text: &[u8], inside: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !inside(byte));
    text.split_at(end.unwrap_or(text.len()))
}

fn words(a: &[u8], b: &[u8]) -> Ordering {
    let length = a.len().max(b.len());
    (0..length)
        .map(|at| rank(a.get(at)).cmp(&rank(b.get(at))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// A tilde before the end, the end before letters, letters before the rest.
fn rank(byte: Option<&u8>) -> i32 {
    match byte {
        None => 0,
        Some(b'~') => -1,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    }
}

/// Numbers of any length.
fn numbers(a: &[u8], b: &[u8]) -> Ordering {
    let plain = |text: &[u8]| text.iter().skip_while(|byte| **byte == b'0').count();
    let (a_length, b_length) = (plain(a), plain(b));
    a_length
        .cmp(&b_length)
        .then_with(|| a[a.len() - a_length..].cmp(&b[b.len() - b_length..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn the_usual_surprises() {
        for (less, more) in [
            ("1.0~rc1-1", "1.0-1"),
            ("2.36-9+deb12u9", "2.36-9+deb12u13"),
            ("2.36-9", "2.36-9+deb12u1"),
            ("9.9", "1:0.1"),
            ("1.0", "1.0a"),
            ("252.39-1~deb12u1", "252.39-1"),
            ("1.9", "1.10"),
            ("1-1", "1-1.1"),
        ] {
            assert_eq!(compare(less, more), Ordering::Less, "{less} {more}");
            assert_eq!(compare(more, less), Ordering::Greater, "{more} {less}");
        }
        assert_eq!(compare("0:1.0-0", "1.0"), Ordering::Equal);
        assert_eq!(without_epoch("1:2.0-3"), "2.0-3");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn dpkg_says_the_same(
            a in "([0-9]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?",
            b in "([0-9]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?",
        ) {
            let says = |operator: &str| {
                let words = ["--compare-versions", &a, operator, &b];
                Command::new("dpkg").args(words).status().unwrap().success()
            };
            let order = compare(&a, &b);
            prop_assert_eq!(says("lt"), order.is_lt(), "{} lt {}", a, b);
            prop_assert_eq!(says("eq"), order.is_eq(), "{} eq {}", a, b);
            prop_assert_eq!(compare(&b, &a), order.reverse());
        }
    }
}
