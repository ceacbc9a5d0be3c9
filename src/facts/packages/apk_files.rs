//! The files of apk's packages, as `installed` lists them (`apk_db_fdb_write` in
//! apk-tools' `src/database.c`): `F:` a directory, `M:` its owner, group and mode,
//! `R:` a file in it, `a:` the same of the file, `Z:` the digest of what it
//! holds, and of a link's text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pacman::Installed;

/// Files of a package that are read: the largest has a tenth of it.
const FILES_MAX: usize = 1_000_000;

/// Bytes of a path.
const PATH_BYTES_MAX: usize = 4096;

/// What is recorded of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// Nothing: a directory.
    None,
    /// Of SHA-1.
    Sha1([u8; 20]),
    /// Of SHA-256.
    Sha256([u8; 32]),
    /// Of another kind.
    Unknown,
}

/// One path of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Without a leading slash.
    pub path: Vec<u8>,
    /// A directory.
    pub is_directory: bool,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its content.
    pub sum: Sum,
}

/// Hands out each package with its files, and counts lines that make no sense.
pub fn parse(text: &[u8], take: &mut dyn FnMut(Installed, Vec<File>)) -> usize {
    let mut malformed = 0;
    let mut reader = Reader::default();
    for line in text.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            reader.finish(take);
        } else if reader.line(line).is_none() {
            malformed += 1;
        }
    }
    reader.finish(take);
    malformed
}

#[derive(Default)]
struct Reader {
    name: String,
    version: String,
    architecture: String,
    directory: Vec<u8>,
    files: Vec<File>,
    /// The last path was one too many, or too long: what follows is not of the
    /// one before it.
    is_left_out: bool,
}

impl Reader {
    fn finish(&mut self, take: &mut dyn FnMut(Installed, Vec<File>)) {
        let done = std::mem::take(self);
        if done.name.is_empty() || done.version.is_empty() {
            return;
        }
        let package = Installed {
            name: done.name,
            version: done.version,
            architecture: done.architecture,
        };
        take(package, done.files);
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        let (field, value) = line.split_at_checked(2)?;
        let text = || String::from_utf8_lossy(value).into_owned();
        match field {
            b"P:" => self.name = text(),
            b"V:" => self.version = text(),
            b"A:" => self.architecture = text(),
            b"F:" => {
                self.directory = value.to_vec();
                self.add(value.to_vec(), true)?;
            }
            b"R:" => {
                let path = match &self.directory[..] {
                    b"" => value.to_vec(),
                    directory => [directory, b"/", value].concat(),
                };
                self.add(path, false)?;
            }
            b"M:" => self.rights(value, true)?,
            b"a:" => self.rights(value, false)?,
            b"Z:" => {
                let file = self.last(false)?;
                file.sum = sum(value);
            }
            _ => {}
        }
        Some(())
    }

    fn add(&mut self, path: Vec<u8>, is_directory: bool) -> Option<()> {
        self.is_left_out = path.len() > PATH_BYTES_MAX || self.files.len() >= FILES_MAX;
        if self.is_left_out {
            return None;
        }
        self.files.push(File {
            path,
            is_directory,
            mode: if is_directory { 0o755 } else { 0o644 },
            uid: 0,
            gid: 0,
            sum: Sum::None,
        });
        Some(())
    }

    /// The path that a line is about.
    fn last(&mut self, is_directory: bool) -> Option<&mut File> {
        let last = self.files.last_mut().filter(|_| !self.is_left_out)?;
        (last.is_directory == is_directory).then_some(last)
    }

    /// `UID:GID:MODE`, and a digest of extended attributes.
    fn rights(&mut self, value: &[u8], is_directory: bool) -> Option<()> {
        let mut words = std::str::from_utf8(value).ok()?.split(':');
        let (uid, gid) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let mode = u32::from_str_radix(words.next()?, 8).ok()?;
        let file = self.last(is_directory)?;
        (file.uid, file.gid, file.mode) = (uid, gid, mode & 0o7777);
        Some(())
    }
}

/// The kind is told by the length: `Q1` may stand before either
/// (`apk_blob_pull_digest` in apk-tools' `src/blob.c`).
fn sum(value: &[u8]) -> Sum {
    let digits = value.strip_prefix(b"Q1").or(value.strip_prefix(b"Q2"));
    let bytes = digits.and_then(|digits| STANDARD.decode(digits).ok());
    let bytes = bytes.unwrap_or_default();
    match (bytes[..].try_into(), bytes[..].try_into()) {
        (Ok(sum), _) => Sum::Sha1(sum),
        (_, Ok(sum)) => Sum::Sha256(sum),
        _ => Sum::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_a_package() {
        let text = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nM:0:0:1777\n\
            R:libc.so\na:1:2:755\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\nR:plain\nZ:nonsense\n\nP:cut\n";
        let mut found = Vec::new();
        let malformed = parse(text.as_bytes(), &mut |package, files| {
            found.push((package, files));
        });
        assert_eq!((found.len(), malformed), (1, 0));
        let [lib, libc, plain] = &found[0].1[..] else {
            panic!("{found:?}")
        };
        assert!(lib.is_directory && lib.mode == 0o1777);
        assert_eq!(libc.path, b"lib/libc.so");
        assert_eq!((libc.uid, libc.gid, libc.mode), (1, 2, 0o755));
        assert!(matches!(libc.sum, Sum::Sha1([0xda, 0x39, ..])));
        assert_eq!((plain.mode, plain.sum), (0o644, Sum::Unknown));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(text in "(P:a\n|V:1\n|[FRaMZ]:|Q1|[0-9:/=]{1,9}|\n|\\PC){0,60}") {
            parse(text.as_bytes(), &mut |_, _| {});
        }
    }
}
