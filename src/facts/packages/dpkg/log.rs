//! What `/var/log/dpkg.log` last said of each package (dpkg(1), `--log`).

use std::collections::HashMap;
use std::io::BufReader;

use super::status::Package;
use crate::facts::packages::{history, unpack};
use crate::sys::root_dir::RootDir;

/// The most bytes of an older log.
const OLDER_MAX: u64 = 32 << 20;

/// The version of each `name:architecture` that the logs name; none for one
/// that was removed.
#[derive(Debug, Default)]
pub(super) struct LastSaid(HashMap<String, Option<String>>);

impl LastSaid {
    /// Reads the log and the one before it.
    pub(super) fn read(root: &RootDir) -> Self {
        let mut said = Self::default();
        let older = ["/var/log/dpkg.log.1", "/var/log/dpkg.log.1.gz"]
            .iter()
            .find_map(|path| {
                let file = root.open_file(path).ok()?;
                unpack::whole(BufReader::new(file), OLDER_MAX).ok()
            });
        said.hear(&String::from_utf8_lossy(&older.unwrap_or_default()));
        said.hear(&history::tail(root, "/var/log/dpkg.log").unwrap_or_default());
        said
    }

    /// `DATE TIME status STATE PACKAGE:ARCHITECTURE VERSION`
    fn hear(&mut self, log: &str) {
        for line in log.lines() {
            let mut words = line.split(' ').skip(2);
            if words.next() != Some("status") {
                continue;
            }
            let (Some(state), Some(package), Some(version)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let there = !matches!(state, "not-installed" | "config-files");
            let version = (there && version != "<none>").then(|| version.to_owned());
            self.0.insert(package.to_owned(), version);
        }
    }

    /// The packages of which `packages` says something else; none when the
    /// logs say nothing at all.
    pub(super) fn differing(&self, packages: &[Package]) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let known: HashMap<String, &Package> = packages
            .iter()
            .filter(|p| p.on_disk())
            .map(|p| (format!("{}:{}", p.name, p.architecture), p))
            .collect();
        let differs = self.0.iter().filter(|(name, version)| {
            let version_known = known.get(name.as_str()).map(|p| p.version.as_str());
            // Half-installed for the first time, a package has no version.
            version_known.filter(|v| !v.is_empty()) != version.as_deref()
        });
        Some(differs.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::packages::status;

    #[test]
    fn the_last_word_counts() {
        let mut said = LastSaid::default();
        assert_eq!(said.differing(&[]), None);
        said.hear(
            "2026-11-27 10:12:51 startup packages configure\n\
             2026-11-27 10:12:51 status unpacked a:amd64 2\n\
             2026-11-27 10:12:51 configure a:amd64 2 <none>\n\
             2026-11-27 10:12:51 status installed a:amd64 2\n\
             2026-11-27 10:12:51 status installed b:all 1\n\
             2026-11-27 10:12:52 status not-installed b:all <none>\n",
        );
        let now = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n\n";
        assert_eq!(said.differing(&status::parse(now.as_bytes()).0), Some(0));
        let before = now.replace("Version: 2", "Version: 1")
            + "Package: b\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n";
        assert_eq!(said.differing(&status::parse(before.as_bytes()).0), Some(2));
    }
}
