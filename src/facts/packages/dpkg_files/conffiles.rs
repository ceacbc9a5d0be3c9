//! `Conffiles:` in `/var/lib/dpkg/status`: a line for each, with the path, the
//! digest of what the package last shipped, and words about its state
//! (`f_conffiles` in lib/dpkg/fields.c).

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::md5sums::digest;
use super::{Md5Sum, leads_up, relative};
use crate::facts::packages::LIMIT;
use crate::sys::root_dir::RootDir;

/// A configuration file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conffile {
    /// Without its leading slash.
    pub path: Vec<u8>,
    /// What the package shipped; none while it is not configured yet
    /// (`newconffile`), which is the digest of nothing.
    pub sum: Option<Md5Sum>,
}

/// The configuration files of packages, by name and architecture.
pub type Conffiles = HashMap<(String, String), Vec<Conffile>>;

/// Those of the database in `base`.
pub fn of(root: &RootDir, base: &Path) -> Conffiles {
    let mut all = Conffiles::new();
    if let Ok(status) = root.read(base.join("status"), LIMIT) {
        read(&status, &mut all);
    }
    // Newer than the status, each in a file with a number for its name.
    let updates = base.join("updates");
    for entry in root.read_dir(&updates).unwrap_or_default() {
        if entry.name.as_bytes().iter().all(u8::is_ascii_digit)
            && let Ok(bytes) = root.read(updates.join(&entry.name), LIMIT)
        {
            read(&bytes, &mut all);
        }
    }
    all
}

/// Adds what the stanzas of a status file say; a later one replaces what an
/// earlier one said of the same package.
pub fn read(status: &[u8], all: &mut Conffiles) {
    let mut stanza = Stanza::default();
    for line in status.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            std::mem::take(&mut stanza).end(all);
        } else {
            stanza.line(line);
        }
    }
    stanza.end(all);
}

#[derive(Debug, Default)]
struct Stanza {
    name: String,
    architecture: String,
    conffiles: Vec<Conffile>,
    in_conffiles: bool,
}

impl Stanza {
    fn line(&mut self, line: &[u8]) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if self.in_conffiles {
                self.conffiles.extend(conffile(line));
            }
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (field, value) = line.split_at(colon);
        let value = || String::from_utf8_lossy(&value[1..]).trim().to_owned();
        self.in_conffiles = field.eq_ignore_ascii_case(b"Conffiles");
        if field.eq_ignore_ascii_case(b"Package") {
            self.name = value();
        } else if field.eq_ignore_ascii_case(b"Architecture") {
            self.architecture = value();
        }
    }

    fn end(self, all: &mut Conffiles) {
        if !self.name.is_empty() {
            let key = (self.name, self.architecture);
            if self.conffiles.is_empty() {
                all.remove(&key);
            } else {
                all.insert(key, self.conffiles);
            }
        }
    }
}

/// ` /etc/some file 5f4dcc3b5aa765d61d8327deb882cf99 obsolete`
fn conffile(line: &[u8]) -> Option<Conffile> {
    let mut rest = line.trim_ascii();
    let mut last = cut_last_word(&mut rest)?;
    for word in ["remove-on-upgrade", "obsolete"] {
        if last == word.as_bytes() {
            last = cut_last_word(&mut rest)?;
        }
    }
    let path = relative(rest);
    let fits = !path.is_empty() && !path.contains(&0) && !leads_up(path);
    fits.then(|| Conffile {
        path: path.to_owned(),
        sum: digest(last),
    })
}

fn cut_last_word<'l>(line: &mut &'l [u8]) -> Option<&'l [u8]> {
    let space = line.iter().rposition(u8::is_ascii_whitespace)?;
    let (rest, word) = line.split_at(space);
    *line = rest.trim_ascii_end();
    Some(&word[1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS: &str = "Package: a\nArchitecture: amd64\nConffiles:\n \
        /etc/a b 0123456789abcdef0123456789abcdef\n \
        /etc/old 0123456789abcdef0123456789abcdef obsolete\n \
        /etc/new newconffile\nDescription: x\n /etc/c is no conffile\n\n\
        Package: b\nArchitecture: all\n";

    #[test]
    fn conffiles_of_a_stanza() {
        let mut all = Conffiles::new();
        read(STATUS.as_bytes(), &mut all);
        assert_eq!(all.len(), 1);
        let a = &all[&("a".to_owned(), "amd64".to_owned())];
        let paths: Vec<_> = a.iter().map(|c| c.path.as_slice()).collect();
        assert_eq!(paths, [&b"etc/a b"[..], b"etc/old", b"etc/new"]);
        assert!(a[0].sum.is_some() && a[1].sum.is_some() && a[2].sum.is_none());
    }

    #[test]
    fn a_later_stanza_replaces_an_earlier_one() {
        let mut all = Conffiles::new();
        read(STATUS.as_bytes(), &mut all);
        read(b"Package: a\nArchitecture: amd64\n", &mut all);
        assert!(all.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes, &mut Conffiles::new());
        }
    }
}
