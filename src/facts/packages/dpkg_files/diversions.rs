//! `/var/lib/dpkg/diversions` (dpkg-divert(1)): three lines each, the path,
//! where it goes, and the package that takes its place, or `:`.

use std::collections::HashMap;

use super::{leads_up, relative};

/// A file of all packages but one lies elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Diversion {
    to: Vec<u8>,
    /// The package whose file stays; none for the administrator's own.
    by: Option<Vec<u8>>,
}

/// All diversions, by the path without its leading slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diversions(HashMap<Vec<u8>, Diversion>);

/// Reads the file; a record that is cut off does not count.
pub fn parse(bytes: &[u8]) -> Diversions {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut all = Diversions::default();
    while let (Some(from), Some(to), Some(by)) = (lines.next(), lines.next(), lines.next()) {
        let (from, to) = (relative(from), relative(to));
        let odd = |path: &[u8]| path.is_empty() || path.contains(&0) || leads_up(path);
        if odd(from) || odd(to) || by.is_empty() {
            continue;
        }
        let by = (by != b":").then(|| by.to_owned());
        let to = to.to_owned();
        all.0.insert(from.to_owned(), Diversion { to, by });
    }
    all
}

impl Diversions {
    /// Where the file of `package` really lies, if that is elsewhere.
    pub fn of(&self, path: &[u8], package: &str) -> Option<&[u8]> {
        let diversion = self.0.get(path)?;
        let stays = diversion.by.as_deref() == Some(package.as_bytes());
        (!stays).then_some(diversion.to.as_slice())
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diverting_package_keeps_its_path() {
        let all =
            parse(b"/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.old\n:\n/cut\n/of");
        assert_eq!(all.of(b"bin/sh", "dash"), None);
        assert_eq!(all.of(b"bin/sh", "bash"), Some(&b"bin/sh.distrib"[..]));
        assert_eq!(all.of(b"usr/bin/x", "any"), Some(&b"usr/bin/x.old"[..]));
        assert_eq!(all.of(b"cut", "any"), None);
        assert!(parse(b"").is_empty());
    }
}
