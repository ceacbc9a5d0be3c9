//! Users and groups by name, as the patient's own files have them (passwd(5),
//! group(5)): dpkg takes the owners in packages and overrides by their names.

use std::collections::HashMap;

use crate::sys::root_dir::RootDir;

/// The most bytes of one file.
const FILE_MAX: u64 = 16 << 20;

/// Debian's dynamic system users end here (Debian Policy 9.2.2); people's
/// accounts follow, and special ones above.
const PEOPLE: std::ops::Range<u32> = 1000..60_000;

/// Names and numbers.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    users: Ids,
    groups: Ids,
}

#[derive(Debug, Clone, Default)]
struct Ids {
    by_name: HashMap<Vec<u8>, u32>,
    by_number: HashMap<u32, String>,
}

impl Accounts {
    /// Reads those of a root.
    pub fn of(root: &RootDir) -> Self {
        let read = |path: &str| Ids::parse(&root.read(path, FILE_MAX).unwrap_or_default());
        Self {
            users: read("/etc/passwd"),
            groups: read("/etc/group"),
        }
    }

    /// The number of a user: a name, or `#` and a number.
    pub fn user(&self, name: &[u8]) -> Option<u32> {
        self.users.number(name)
    }

    /// The number of a group.
    pub fn group(&self, name: &[u8]) -> Option<u32> {
        self.groups.number(name)
    }

    /// The name of a user; the number when it has none.
    pub(super) fn user_name(&self, uid: u32) -> String {
        self.users.name(uid)
    }

    /// The name of a group; the number when it has none.
    pub(super) fn group_name(&self, gid: u32) -> String {
        self.groups.name(gid)
    }

    /// True for a person's account and for a number that nobody has: packages
    /// give nothing to either.
    pub(super) fn is_no_service(&self, uid: u32) -> bool {
        let known = !self.users.by_number.is_empty();
        PEOPLE.contains(&uid) || (known && uid != 0 && !self.users.by_number.contains_key(&uid))
    }
}

impl Ids {
    /// Lines of `NAME:PASSWORD:NUMBER:...`; of two the first counts.
    fn parse(bytes: &[u8]) -> Self {
        let mut ids = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == b':');
            let (Some(name), Some(number)) = (fields.next(), fields.nth(1)) else {
                continue;
            };
            let number = std::str::from_utf8(number)
                .ok()
                .and_then(|n| n.parse().ok());
            let Some(number) = number.filter(|_| !name.is_empty()) else {
                continue;
            };
            ids.by_name.entry(name.to_owned()).or_insert(number);
            let shown = || String::from_utf8_lossy(name).into_owned();
            ids.by_number.entry(number).or_insert_with(shown);
        }
        ids
    }

    fn number(&self, name: &[u8]) -> Option<u32> {
        match name.strip_prefix(b"#") {
            Some(number) => std::str::from_utf8(number).ok()?.parse().ok(),
            None => self.by_name.get(name).copied(),
        }
    }

    fn name(&self, number: u32) -> String {
        let name = self.by_number.get(&number).cloned();
        name.unwrap_or_else(|| number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let ids = Ids::parse(b"root:x:0:0:root:/root:/bin/sh\nbad\n:x:3:\n_apt:x:42:65534::/:/x");
        assert_eq!(ids.number(b"_apt"), Some(42));
        assert_eq!(ids.number(b"#7"), Some(7));
        assert_eq!(ids.number(b"nobody"), None);
        assert_eq!((ids.name(0), ids.name(7)), ("root".into(), "7".into()));
        let accounts = Accounts {
            users: ids,
            groups: Ids::default(),
        };
        assert!(accounts.is_no_service(1000) && accounts.is_no_service(7));
        assert!(!accounts.is_no_service(0) && !accounts.is_no_service(42));
        assert!(!Accounts::default().is_no_service(7));
    }
}
