//! What has a form of its own: addresses, UUIDs, keys, names of domains.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Kind;

/// Gives a thing its word.
type Word<'a> = &'a dyn Fn(Kind, &str) -> String;

/// Last parts of names of machines and domains. Names of files and units end in
/// others.
const DOMAINS: [&str; 32] = [
    "com", "net", "org", "info", "biz", "io", "dev", "cloud", "de", "eu", "at", "ch", "fr", "nl",
    "uk", "us", "it", "es", "pl", "cz", "se", "fi", "dk", "be", "ru", "local", "lan", "internal",
    "corp", "intern", "test", "example",
];

/// Where distributions live: no secret, and needed to understand a report.
const PUBLIC: [&str; 13] = [
    "debian.org",
    "debian.net",
    "ubuntu.com",
    "kernel.org",
    "freedesktop.org",
    "gnu.org",
    "fedoraproject.org",
    "redhat.com",
    "centos.org",
    "archlinux.org",
    "alpinelinux.org",
    "launchpad.net",
    "nodesource.com",
];

/// Directories of people, and what stands in files named after them.
const HOMES: [&str; 4] = [
    "/home/",
    "/var/mail/",
    "/spool/cron/crontabs/",
    "/spool/cron/",
];

/// UUIDs: lengths of their groups of letters, and what is between.
const UUIDS: [(&[usize], char, bool); 3] = [
    (&[8, 4, 4, 4, 12], '-', true),
    (&[8, 8, 8, 8], ':', true),
    // LVM's, of any letters and digits.
    (&[6, 4, 4, 4, 4, 4, 6], '-', false),
];

/// The text with a word in place of each.
pub(super) fn replace(text: &str, versions: &BTreeSet<String>, word: Word<'_>) -> String {
    let text = uuids(&keys(text, word), word);
    let mut done = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_in_token) {
        let (before, from) = rest.split_at(start);
        done.push_str(before);
        let end = from.find(|c| !is_in_token(c)).unwrap_or(from.len());
        let (found, after) = from.split_at(end);
        // A full stop, or a colon before more words.
        let core = found.trim_end_matches(['.', ':', '-']);
        done.push_str(&token(core, versions, word));
        done.push_str(&found[core.len()..]);
        rest = after;
    }
    done.push_str(rest);
    done
}

fn is_in_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '@' | '+' | '~')
}

fn token(text: &str, versions: &BTreeSet<String>, word: Word<'_>) -> String {
    if versions.contains(text) {
        return text.to_owned();
    }
    if is_mac(text) {
        return word(Kind::Mac, text);
    }
    if let Ok(address) = text.parse::<Ipv6Addr>()
        && text.contains(|c: char| c.is_ascii_digit())
    {
        return match address.is_loopback() || address.is_unspecified() {
            true => text.to_owned(),
            false => word(Kind::Address, text),
        };
    }
    if let Some((name, domain)) = text.split_once('@')
        && !name.is_empty()
        && is_domain(domain)
    {
        return word(Kind::Mail, text);
    }
    for prefix in ["eui.", "naa.", "wwn-0x", "nvme-eui.", "nvme."] {
        let rest = text.strip_prefix(prefix).unwrap_or_default();
        if rest.len() >= 12 && rest.starts_with(|c: char| c.is_ascii_hexdigit()) {
            return format!("{prefix}{}", word(Kind::Serial, rest));
        }
    }
    parts(text, versions, word)
}

/// Several things between colons, or a range of addresses.
fn parts(text: &str, versions: &BTreeSet<String>, word: Word<'_>) -> String {
    let pieces: Vec<&str> = text.split(':').collect();
    // `2:1.2.3.4`, the epoch of a version.
    let is_version = matches!(pieces.as_slice(), [epoch, _]
        if !epoch.is_empty() && epoch.chars().all(|c| c.is_ascii_digit()));
    if is_version {
        return text.to_owned();
    }
    let one = |piece: &str| match piece.split_once('-') {
        Some((from, to)) if is_address(from) && is_address(to) => {
            format!("{}-{}", address(from, word), address(to, word))
        }
        _ if versions.contains(piece) => piece.to_owned(),
        _ if is_address(piece) => address(piece, word),
        _ if is_domain(piece) => word(Kind::Host, piece),
        _ => piece.to_owned(),
    };
    let pieces: Vec<String> = pieces.into_iter().map(one).collect();
    pieces.join(":")
}

fn is_address(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// Those that are the same everywhere, and masks, stay.
fn address(text: &str, word: Word<'_>) -> String {
    match text.parse::<Ipv4Addr>() {
        Ok(found) if found.is_loopback() || found.is_unspecified() => text.to_owned(),
        Ok(found) if found.octets()[0] == 255 => text.to_owned(),
        _ => word(Kind::Address, text),
    }
}

fn is_mac(text: &str) -> bool {
    let is_of = |separator: char| {
        let groups: Vec<&str> = text.split(separator).collect();
        let is_hex = |group: &&str| group.len() == 2 && all_hex(group);
        groups.len() == 6 && groups.iter().all(is_hex)
    };
    let says_nothing = |c: char| matches!(c, '0' | 'f' | 'F' | ':' | '-');
    (is_of(':') || is_of('-')) && !text.chars().all(says_nothing)
}

fn all_hex(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_domain(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let Some((before, last)) = text.rsplit_once('.') else {
        return false;
    };
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let is_public = PUBLIC.iter().any(|public| {
        let above = text.strip_suffix(public);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    });
    DOMAINS.contains(&last) && before.split('.').all(is_label) && !is_public
}

/// Keys, their fingerprints, and hashes of passwords: from where such a thing
/// begins to where its letters end.
fn keys(text: &str, word: Word<'_>) -> String {
    const BEGINNINGS: [(&str, usize); 9] = [
        ("AAAAB3Nza", 24),
        ("AAAAC3Nza", 24),
        ("AAAAE2Vj", 24),
        ("AAAAG", 40),
        ("SHA256:", 40),
        ("grub.pbkdf2.", 24),
        ("$6$", 12),
        ("$5$", 12),
        ("$y$", 12),
    ];
    let mut text = pem(text, word);
    for (beginning, shortest) in BEGINNINGS {
        let mut done = String::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find(beginning) {
            let (before, from) = rest.split_at(start);
            let is_key = |c: char| c.is_ascii_alphanumeric() || "+/=$.:-".contains(c);
            let end = from.find(|c| !is_key(c)).unwrap_or(from.len());
            // What ends a sentence is no part of it.
            let end = from[..end].trim_end_matches(['.', ':', '-']).len();
            let end = end.max(beginning.len());
            done.push_str(before);
            match end >= shortest {
                true => done.push_str(&word(Kind::Key, &from[..end])),
                false => done.push_str(&from[..end]),
            }
            rest = &from[end..];
        }
        done.push_str(rest);
        text = done;
    }
    text
}

/// Private keys in full.
fn pem(text: &str, word: Word<'_>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN ") {
        let (before, from) = rest.split_at(start);
        let end = from.find("-----END ").unwrap_or(from.len());
        let line = from[end..]
            .find('\n')
            .map_or(from.len(), |length| end + length);
        done.push_str(before);
        done.push_str(&word(Kind::Key, &from[..line]));
        rest = &from[line..];
    }
    done.push_str(rest);
    done
}

fn uuids(text: &str, word: Word<'_>) -> String {
    let mut done = String::new();
    let mut rest = text;
    let mut last = ' ';
    while let Some(letter) = rest.chars().next() {
        let found = (!last.is_ascii_alphanumeric())
            .then(|| uuid_at(rest))
            .flatten();
        match found {
            Some(length) => {
                done.push_str(&word(Kind::Uuid, &rest[..length]));
                rest = &rest[length..];
                last = 'x';
            }
            None => {
                done.push(letter);
                rest = &rest[letter.len_utf8()..];
                last = letter;
            }
        }
    }
    done
}

/// The length of the UUID that stands here.
fn uuid_at(text: &str) -> Option<usize> {
    UUIDS.iter().find_map(|(groups, separator, is_hex)| {
        let length = groups.iter().sum::<usize>() + groups.len() - 1;
        let own = text.get(..length)?;
        let parts: Vec<&str> = own.split(*separator).collect();
        let fits = |(part, wanted): (&&str, &usize)| {
            let letters = |c: char| match is_hex {
                true => c.is_ascii_hexdigit(),
                false => c.is_ascii_alphanumeric(),
            };
            part.len() == *wanted && part.chars().all(letters)
        };
        let ends = !text[length..].starts_with(|c: char| c.is_ascii_alphanumeric());
        // Words between hyphens have no digits.
        let has_digit = own.contains(|c: char| c.is_ascii_digit());
        let all = parts.len() == groups.len() && parts.iter().zip(*groups).all(fits);
        (all && ends && has_digit).then_some(length)
    })
}

/// The people whose directories are named.
pub(super) fn homes(text: &str) -> impl Iterator<Item = &str> {
    let names = HOMES.iter().flat_map(move |place| after(text, place));
    names.filter(|name| !matches!(*name, "crontabs" | "lost"))
}

/// What is named as an id, also where its form alone says little, as that of a
/// FAT filesystem.
pub(super) fn ids(text: &str) -> impl Iterator<Item = &str> {
    let places = ["UUID=", "UUID=\"", "by-uuid/", "by-partuuid/"];
    let ids = places.into_iter().flat_map(move |place| after(text, place));
    ids.filter(|id| id.len() >= 8 && id.contains(|c: char| c.is_ascii_digit()))
}

/// The names that stand after `place`.
fn after<'t>(text: &'t str, place: &'static str) -> impl Iterator<Item = &'t str> {
    text.split(place).skip(1).filter_map(|after| {
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
        let name = after.get(..end.unwrap_or(after.len()))?;
        let name = name.trim_end_matches('.');
        (!name.is_empty()).then_some(name)
    })
}

/// The machine's id, by which its journal's directory is named.
pub(super) fn machine_id(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("log/journal/")?;
    let id = after.get(..32)?;
    all_hex(id).then_some(id)
}
