//! mtree(5) as makepkg writes it: what a package of pacman's has in each path,
//! with defaults in lines of `/set`.

use super::dpkg_files::Md5Sum;
use super::dpkg_files::md5sums;
use super::rpm::package::unhex;

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Something that no package of pacman's has.
    Other,
}

/// What is known of one path. What was not recorded is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path, beginning with `./`.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Type,
    /// Its permissions.
    pub mode: Option<u32>,
    /// Its owner.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// Its time of modification, whole seconds.
    pub time: Option<i64>,
    /// Its size.
    pub size: Option<u64>,
    /// The MD5 digest of its content.
    pub md5: Option<Md5Sum>,
    /// The SHA-256 digest of its content.
    pub sha256: Option<[u8; 32]>,
    /// Where a link leads.
    pub link: Vec<u8>,
}

/// All that a file of this kind says.
#[derive(Debug, Default)]
pub struct Mtree {
    /// In the order of the file.
    pub entries: Vec<Entry>,
    /// Lines that make no sense, or were too many.
    pub malformed: usize,
}

/// Reads it, `most` paths of it.
pub fn parse(bytes: &[u8], most: usize) -> Mtree {
    let mut all = Mtree::default();
    let mut defaults = nothing();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut words = line
            .split(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
            .filter(|word| !word.is_empty());
        let Some(first) = words.next().filter(|first| first[0] != b'#') else {
            continue;
        };
        let understood = match first {
            b"/set" => words.try_for_each(|word| defaults.set(word)).is_some(),
            // Names without a slash belong to the directory before them; makepkg
            // writes none.
            _ if !first.contains(&b'/') || first[0] == b'/' => false,
            _ if all.entries.len() >= most => false,
            _ => {
                let mut entry = defaults.clone();
                let known = words.try_for_each(|word| entry.set(word));
                entry.path = unescaped(first);
                all.entries.extend(known.map(|()| entry));
                known.is_some()
            }
        };
        all.malformed += usize::from(!understood);
    }
    all
}

fn nothing() -> Entry {
    Entry {
        path: Vec::new(),
        kind: Type::File,
        mode: None,
        uid: None,
        gid: None,
        time: None,
        size: None,
        md5: None,
        sha256: None,
        link: Vec::new(),
    }
}

impl Entry {
    /// Takes a `keyword=value`; other keywords are passed over.
    fn set(&mut self, word: &[u8]) -> Option<()> {
        let cut = word.iter().position(|byte| *byte == b'=');
        let (name, value) = word.split_at(cut.unwrap_or(word.len()));
        let value = value.get(1..).unwrap_or_default();
        match name {
            b"type" => {
                self.kind = match value {
                    b"file" => Type::File,
                    b"dir" => Type::Directory,
                    b"link" => Type::Link,
                    _ => Type::Other,
                }
            }
            b"mode" => {
                let mode = u32::from_str_radix(text(value)?, 8).ok()?;
                self.mode = Some(mode).filter(|mode| *mode <= 0o7777);
                self.mode?;
            }
            b"uid" => self.uid = Some(text(value)?.parse().ok()?),
            b"gid" => self.gid = Some(text(value)?.parse().ok()?),
            b"time" => {
                let whole = text(value)?.split('.').next()?;
                self.time = Some(whole.parse().ok()?);
            }
            b"size" => self.size = Some(text(value)?.parse().ok()?),
            b"md5" | b"md5digest" => self.md5 = Some(md5sums::digest(value)?),
            b"sha256" | b"sha256digest" => {
                self.sha256 = Some(unhex(value).try_into().ok()?);
            }
            b"link" => self.link = unescaped(value),
            _ => {}
        }
        Some(())
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// `\040` and the like stand for bytes, as in vis(3).
fn unescaped(mut word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    while let Some((first, rest)) = word.split_first() {
        let octal = rest
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| {
                let value = u16::from_str_radix(text(digits)?, 8).ok()?;
                u8::try_from(value).ok()
            });
        bytes.push(octal.unwrap_or(*first));
        word = match octal {
            Some(_) => &rest[3..],
            None => rest,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_as_bsdtar_writes_them() {
        let all = parse(
            b"#mtree\n/set type=file uid=0 gid=0 mode=644\n\
            ./.PKGINFO time=1700000000.0 size=40\n\
            ./usr time=1700000000.0 mode=755 type=dir\n\
            ./usr/a\\040b time=1700000000.5 size=3 md5digest=d41d8cd98f00b204e9800998ecf8427e\n\
            ./usr/l time=1700000000.0 mode=777 type=link link=a\\040b\n\
            ./usr/bad mode=9\nusr size=1\n",
            9,
        );
        assert_eq!((all.entries.len(), all.malformed), (4, 2));
        let [info, usr, file, link] = &all.entries[..] else {
            panic!("{all:?}")
        };
        assert_eq!((info.mode, info.size), (Some(0o644), Some(40)));
        assert_eq!((usr.kind, usr.mode), (Type::Directory, Some(0o755)));
        assert_eq!(file.path, b"./usr/a b");
        assert_eq!(file.time, Some(1_700_000_000));
        assert!(file.md5.is_some() && file.sha256.is_none());
        assert_eq!((link.kind, &link.link[..]), (Type::Link, &b"a b"[..]));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(text in "(/set |\\./|[a-z0-9]{1,4}=|\\\\0|[0-7]|\n| |\\PC){0,60}") {
            assert!(parse(text.as_bytes(), 3).entries.len() <= 3);
        }
    }
}
