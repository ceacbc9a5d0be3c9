//! `Release`: what an archive says of a suite, with the digests of its indexes
//! (<https://wiki.debian.org/DebianRepository/Format>).

use std::collections::HashMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::facts::packages::control;

/// More than any suite has (the biggest have some thousand).
const FILES_MAX: usize = 100_000;

/// A file of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256, in small letters.
    pub sha256: String,
}

/// The fields that count here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// `stable`
    pub suite: String,
    /// `bookworm`
    pub codename: String,
    /// Seconds since 1970 after which it should not be used any more.
    pub valid_until: Option<i64>,
    /// True when files are also there by their digest.
    pub by_hash: bool,
    /// True when packages of the architecture `all` stand in every index.
    pub all_in_each: bool,
    /// The files by their names below the suite.
    pub files: HashMap<String, Listed>,
}

impl Release {
    /// Reads its text.
    pub fn read(text: &[u8]) -> Self {
        let stanza = control::stanzas(text).next().map_or(text, |(_, s)| s);
        let field = |name: &str| control::text(stanza, name).unwrap_or_default();
        let yes = |name: &str| field(name).eq_ignore_ascii_case("yes");
        let files = field("SHA256");
        let files = files.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let sha256 = words.next().filter(|digest| is_digest(digest))?;
            let size = words.next()?.parse().ok()?;
            let sha256 = sha256.to_ascii_lowercase();
            Some((words.next()?.to_owned(), Listed { size, sha256 }))
        });
        let without = field("No-Support-for-Architecture-all");
        Self {
            suite: field("Suite"),
            codename: field("Codename"),
            valid_until: seconds(&field("Valid-Until")),
            by_hash: yes("Acquire-By-Hash"),
            all_in_each: without.trim() == "Packages",
            files: files.take(FILES_MAX).collect(),
        }
    }

    /// True when it is the suite that was asked for, under one of its names.
    pub fn is(&self, suite: &str) -> bool {
        // `buster/updates` may call itself `buster`.
        let asked = [suite, suite.split('/').next().unwrap_or(suite)];
        let names = [&self.suite, &self.codename];
        names
            .iter()
            .any(|name| !name.is_empty() && asked.contains(&name.as_str()))
    }
}

/// True for a SHA-256 in hexadecimal.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `Sat, 28 Nov 2026 01:04:03 UTC` in seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    let time = DateTime::strptime("%a, %d %b %Y %H:%M:%S UTC", text.trim()).ok()?;
    let time = TimeZone::UTC.to_timestamp(time).ok()?;
    Some(time.as_second())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_and_files() {
        let digest = "0A".repeat(32);
        let text = format!(
            "Origin: Debian\nSuite: oldstable\nCodename: bookworm\nValid-Until: Sat, 28 Nov 2026 \
             01:04:03 UTC\nAcquire-By-Hash: yes\nMD5Sum:\n 00 1 main/x\nSHA256:\n {digest} 12 \
             main/binary-amd64/Packages.xz\n short 1 y\n"
        );
        let release = Release::read(text.as_bytes());
        assert_eq!(release.valid_until, Some(1_795_827_843));
        assert!(release.by_hash && !release.all_in_each);
        assert_eq!(release.files.len(), 1);
        let listed = &release.files["main/binary-amd64/Packages.xz"];
        assert_eq!(
            (listed.size, listed.sha256.as_str()),
            (12, &*digest.to_lowercase())
        );
        assert!(release.is("bookworm") && release.is("oldstable"));
        assert!(!release.is("trixie") && !release.is(""));
    }

    #[test]
    fn security_suites_of_old() {
        let named = |suite: &str, codename: &str| Release {
            suite: suite.into(),
            codename: codename.into(),
            ..Release::default()
        };
        assert!(named("oldstable", "buster").is("buster/updates"));
        assert!(named("stable-security", "bookworm-security").is("bookworm-security"));
        assert!(!named("stable-security", "bookworm-security").is("bookworm"));
        assert!(named("stable/updates", "buster/updates").is("buster/updates"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_failing(text in "(SHA256:|Valid-Until:| |\n|[0-9a-f]{64}|Sat, 1 Jan){0,30}") {
            Release::read(text.as_bytes());
            seconds(&text);
        }
    }
}
