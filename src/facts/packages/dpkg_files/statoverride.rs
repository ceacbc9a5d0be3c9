//! `/var/lib/dpkg/statoverride` (dpkg-statoverride(1)): owner, group, mode and
//! path of files whose package's own are not wanted.

use super::{leads_up, relative};

/// The most lines that count.
const LINES_MAX: usize = 20_000;

/// One line: what the administrator or a package asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statoverride {
    /// A name, or `#` and a number.
    pub user: Vec<u8>,
    /// A name, or `#` and a number.
    pub group: Vec<u8>,
    /// All twelve bits.
    pub mode: u32,
    /// The path without its leading slash.
    pub path: Vec<u8>,
}

/// Reads the file; lines that are none do not count.
pub fn parse(bytes: &[u8]) -> Vec<Statoverride> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let all = lines.filter_map(|line| {
        let mut words = line.splitn(4, |byte| *byte == b' ');
        let (user, group, mode) = (words.next()?, words.next()?, words.next()?);
        let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
        let path = relative(words.next()?);
        let odd = path.is_empty() || path.contains(&0) || leads_up(path) || mode > 0o7777;
        (!odd).then(|| Statoverride {
            user: user.to_owned(),
            group: group.to_owned(),
            mode,
            path: path.to_owned(),
        })
    });
    all.take(LINES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_overrides() {
        let all = parse(
            b"root crontab 2755 /usr/bin/crontab\nroot root 4754\nx y zz /a\n\
              #0 #104 0750 /srv/a b\nroot root 4755 /../x\n",
        );
        let shown: Vec<_> = all.iter().map(|o| (o.mode, o.path.as_slice())).collect();
        let expected = [(0o2755, &b"usr/bin/crontab"[..]), (0o750, b"srv/a b")];
        assert_eq!(shown, expected);
        assert_eq!(all[1].group, b"#104");
    }
}
