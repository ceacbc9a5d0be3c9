//! What is usual where nothing says what is right: what nearly all files of a
//! directory have, and programs that have rights of their own.

use std::collections::HashMap;

use super::rights::Rights;
use crate::sys::root_dir::RootDir;

/// So many files of a directory are needed to learn from, and so many in a
/// hundred must be alike.
const FILES_MIN: usize = 10;
const SHARE_MIN: usize = 95;

/// Programs that Debian ships with rights of their own, by their path
/// without a leading slash and `usr/`. Source: data.tar of passwd, login, mount,
/// util-linux, libpam-modules-bin, openssh-client and sudo in Debian 11, 12
/// and 13.
const SHIPPED: [(&str, u32); 13] = [
    ("bin/chage", 0o2755),
    ("bin/chfn", 0o4755),
    ("bin/chsh", 0o4755),
    ("bin/expiry", 0o2755),
    ("bin/gpasswd", 0o4755),
    ("bin/mount", 0o4755),
    ("bin/newgrp", 0o4755),
    ("bin/passwd", 0o4755),
    ("bin/su", 0o4755),
    ("bin/sudo", 0o4755),
    ("bin/umount", 0o4755),
    ("lib/openssh/ssh-keysign", 0o4755),
    ("sbin/unix_chkpwd", 0o2755),
];

/// Of these, what Debian's relatives and later releases ship so as well.
const EVERYWHERE: [&str; 5] = [
    "bin/mount",
    "bin/passwd",
    "bin/su",
    "bin/sudo",
    "bin/umount",
];

/// What is known of the programs of a system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// It is one of the releases that the table was made from.
    is_one_of_them: bool,
}

impl Known {
    pub(super) fn of(root: &RootDir) -> Self {
        let version = root.read_text("/etc/debian_version", 1 << 10);
        let version = version.unwrap_or_default();
        // Relatives and unreleased versions have a name there.
        let number = version.split('.').next().unwrap_or_default().trim();
        Self {
            is_one_of_them: ["11", "12", "13"].contains(&number),
        }
    }

    /// The mode that a path, without a leading slash and `usr/`, is shipped
    /// with.
    pub(super) fn shipped_mode(self, path: &str) -> Option<u32> {
        let known = SHIPPED.iter().find(|(known, _)| *known == path)?;
        (self.is_one_of_them || EVERYWHERE.contains(&path)).then_some(known.1)
    }
}

/// What the files of each directory have, learned from all of them.
#[derive(Debug, Default)]
pub(super) struct Neighbours(HashMap<Vec<u8>, Files>);

#[derive(Debug, Default)]
struct Files {
    all: usize,
    /// By owner, and by mode apart for files with and without an execute bit.
    uids: HashMap<u32, usize>,
    modes: [HashMap<u32, usize>; 2],
}

/// What is usual among the files of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usual {
    pub(super) value: u32,
    pub(super) same: usize,
    pub(super) of: usize,
}

impl Neighbours {
    /// Takes a file of `directory` into account.
    pub(super) fn learn(&mut self, directory: &[u8], rights: Rights) {
        if !self.0.contains_key(directory) {
            self.0.insert(directory.to_owned(), Files::default());
        }
        if let Some(files) = self.0.get_mut(directory) {
            files.all += 1;
            *files.uids.entry(rights.uid).or_default() += 1;
            let modes = &mut files.modes[usize::from(rights.mode & 0o111 != 0)];
            *modes.entry(rights.mode).or_default() += 1;
        }
    }

    /// The owner of nearly all files there.
    pub(super) fn uid(&self, directory: &[u8]) -> Option<Usual> {
        let files = self.0.get(directory)?;
        most(&files.uids, files.all)
    }

    /// The mode of nearly all files there that are programs, or that are none.
    pub(super) fn mode(&self, directory: &[u8], is_program: bool) -> Option<Usual> {
        let modes = &self.0.get(directory)?.modes[usize::from(is_program)];
        // Programs with more rights than others say nothing of those.
        let plain = modes.iter().filter(|(mode, _)| *mode & 0o6000 == 0);
        let plain: HashMap<u32, usize> = plain.map(|(mode, count)| (*mode, *count)).collect();
        most(&plain, plain.values().sum())
    }
}

fn most(counts: &HashMap<u32, usize>, of: usize) -> Option<Usual> {
    let (value, same) = counts
        .iter()
        .max_by_key(|(value, count)| (**count, **value))?;
    let usual = Usual {
        value: *value,
        same: *same,
        of,
    };
    (of >= FILES_MIN && usual.same * 100 >= of * SHARE_MIN).then_some(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nearly_all_have_is_usual() {
        let mut neighbours = Neighbours::default();
        let rights = |mode, uid| Rights { mode, uid, gid: 0 };
        for _ in 0..40 {
            neighbours.learn(b"usr/bin", rights(0o755, 0));
        }
        neighbours.learn(b"usr/bin", rights(0o700, 1000));
        for _ in 0..5 {
            neighbours.learn(b"usr/bin", rights(0o4755, 0));
            neighbours.learn(b"usr/lib/x", rights(0o711, 0));
        }
        let usual = neighbours.mode(b"usr/bin", true);
        assert_eq!(
            usual.map(|u| (u.value, u.same, u.of)),
            Some((0o755, 40, 41))
        );
        assert_eq!(neighbours.uid(b"usr/bin").map(|u| u.value), Some(0));
        assert_eq!(neighbours.mode(b"usr/bin", false), None);
        assert_eq!(neighbours.mode(b"usr/lib/x", true), None);
    }

    #[test]
    fn other_releases_have_less_that_is_known() {
        let of = |is_one_of_them| Known { is_one_of_them };
        assert_eq!(of(true).shipped_mode("bin/chage"), Some(0o2755));
        assert_eq!(of(false).shipped_mode("bin/chage"), None);
        assert_eq!(of(false).shipped_mode("bin/su"), Some(0o4755));
        assert_eq!(of(true).shipped_mode("bin/true"), None);
    }
}
