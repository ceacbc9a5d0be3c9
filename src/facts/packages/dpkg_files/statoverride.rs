//! `/var/lib/dpkg/statoverride` (dpkg-statoverride(1)): owner, group, mode and
//! path of files whose package's own are not wanted.

use std::collections::HashMap;

use super::relative;

/// The modes that the administrator or a package asked for, by the path
/// without its leading slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statoverrides(HashMap<Vec<u8>, u32>);

/// Reads the file; lines that are none do not count.
pub fn parse(bytes: &[u8]) -> Statoverrides {
    let lines = bytes.split(|byte| *byte == b'\n');
    let all = lines.filter_map(|line| {
        let mut words = line.splitn(4, |byte| *byte == b' ');
        let (_owner, _group, mode) = (words.next()?, words.next()?, words.next()?);
        let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
        Some((relative(words.next()?).to_owned(), mode))
    });
    Statoverrides(all.collect())
}

impl Statoverrides {
    /// The mode that is asked for at a relative path.
    pub fn mode(&self, path: &[u8]) -> Option<u32> {
        self.0.get(path).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_by_path() {
        let all = parse(b"root crontab 2755 /usr/bin/crontab\nroot root 4754\nx y zz /a\n");
        assert_eq!(all.mode(b"usr/bin/crontab"), Some(0o2755));
        assert_eq!(all.0.len(), 1);
    }
}
