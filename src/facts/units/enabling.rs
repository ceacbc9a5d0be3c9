//! What `systemctl enable` would do: the links that a unit's [Install] section
//! asks for, and what masks the unit.
//!
//! Source: systemd.unit(5), "[Install] Section Options".

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::text;
use crate::sys::root_dir::{Kind, RootDir};

/// Where an administrator's links lie.
const OWN: &str = "/etc/systemd/system";

/// Where a unit's own file may lie, what counts most first.
const PLACES: [&str; 4] = [
    OWN,
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

const LIMIT: u64 = 1 << 20;

/// Links that are made for one unit at most.
const LINKS_MAX: usize = 20;

/// What has a unit started at the boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Enabling {
    /// What masks it: links to /dev/null and empty files.
    pub masks: Vec<String>,
    /// Directories that the links need and that are not there.
    pub folders: Vec<String>,
    /// Links that are not there, with what they say.
    pub links: Vec<(String, String)>,
}

impl Enabling {
    /// For the unit `name`; none when it has no file, or cannot be enabled by
    /// links alone.
    pub(in crate::facts) fn of(root: &RootDir, name: &str) -> Option<Self> {
        let mut enabling = Self::default();
        let mut file = None;
        for place in PLACES {
            let path = format!("{place}/{name}");
            let Ok(meta) = root.symlink_metadata(&path) else {
                continue;
            };
            if is_mask(root, &path) {
                // Only an administrator masks; a mask elsewhere is meant.
                if place != OWN {
                    return None;
                }
                enabling.masks.push(path);
            } else if meta.kind == Kind::File {
                file = Some(path);
                break;
            } else {
                return None; // an alias of another unit
            }
        }
        let file = file?;
        let settings = text::parse(&root.read_text(&file, LIMIT).ok()?);
        let words = |key: &str| {
            let values = text::values(&settings, "Install", key).into_iter();
            let words = values.flat_map(str::split_whitespace).map(str::to_owned);
            words.collect::<Vec<String>>()
        };
        let mut wanted = Vec::new();
        for (key, folder) in [("WantedBy", "wants"), ("RequiredBy", "requires")] {
            let by = words(key).into_iter();
            wanted.extend(by.map(|by| (by.clone(), format!("{OWN}/{by}.{folder}"))));
        }
        let aliases = words("Alias");
        let plain = |name: &String| !name.contains(['%', '/']);
        let all_plain = wanted.iter().all(|(by, _)| plain(by)) && aliases.iter().all(plain);
        if wanted.is_empty() || !all_plain || wanted.len() + aliases.len() > LINKS_MAX {
            return None;
        }
        for (_, folder) in wanted {
            enabling.link(root, format!("{folder}/{name}"), &file)?;
            let is_known = enabling.folders.contains(&folder);
            if !is_known && root.symlink_metadata(&folder).is_err() {
                enabling.folders.push(folder);
            }
        }
        for alias in aliases.iter().filter(|alias| *alias != name) {
            enabling.link(root, format!("{OWN}/{alias}"), &file)?;
        }
        Some(enabling)
    }

    /// Notes a link that is not there; none where something else stands.
    fn link(&mut self, root: &RootDir, path: String, file: &str) -> Option<()> {
        if root.symlink_metadata(&path).is_err() {
            self.links.push((path, file.to_owned()));
            return Some(());
        }
        let there = root.resolve(&path).ok()?;
        let wanted = root.resolve(file).ok()?;
        (there.path == wanted.path).then_some(())
    }
}

/// True for a link to /dev/null and for an empty file.
fn is_mask(root: &RootDir, path: &str) -> bool {
    let link = root.read_link(path);
    let empty = root.symlink_metadata(path);
    link.is_ok_and(|target| target == Path::new("/dev/null"))
        || empty.is_ok_and(|meta| meta.kind == Kind::File && meta.size == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn root() -> (tempfile::TempDir, RootDir) {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["etc/systemd/system", "usr/lib/systemd/system"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let text = "[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n";
        fs::write(dir.path().join("usr/lib/systemd/system/ssh.service"), text).unwrap();
        let root = RootDir::open(dir.path()).unwrap();
        (dir, root)
    }

    #[test]
    fn links_and_masks_of_a_unit() {
        let (dir, root) = root();
        let enabling = Enabling::of(&root, "ssh.service").unwrap();
        let wants = "/etc/systemd/system/multi-user.target.wants";
        let file = "/usr/lib/systemd/system/ssh.service".to_owned();
        assert_eq!(enabling.folders, [wants]);
        assert_eq!(
            enabling.links,
            [
                (format!("{wants}/ssh.service"), file.clone()),
                ("/etc/systemd/system/sshd.service".to_owned(), file)
            ]
        );
        let own = dir.path().join("etc/systemd/system");
        symlink("/dev/null", own.join("ssh.service")).unwrap();
        symlink(
            "/usr/lib/systemd/system/ssh.service",
            own.join("sshd.service"),
        )
        .unwrap();
        let enabling = Enabling::of(&root, "ssh.service").unwrap();
        assert_eq!(enabling.masks, ["/etc/systemd/system/ssh.service"]);
        assert_eq!(enabling.links.len(), 1);
        // Something else has the alias: nothing is done.
        fs::remove_file(own.join("sshd.service")).unwrap();
        fs::write(own.join("sshd.service"), "[Service]\n").unwrap();
        assert_eq!(Enabling::of(&root, "ssh.service"), None);
        assert_eq!(Enabling::of(&root, "other.service"), None);
    }
}
