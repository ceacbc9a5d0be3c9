//! Names that tell whose machine it is. Nothing is judged by them: a report that
//! leaves the house (`diagnose --redact`) has to know what to leave out.

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;

/// The most bytes that are read of a file.
const TEXT_MAX: u64 = 1 << 20;

/// Of each kind no more names are kept.
const MOST: usize = 4096;

/// Below it are accounts that packages made (Debian policy 9.2.2).
const FIRST_PERSON: u32 = 1000;

/// `nobody`, and what lies above it.
const NOBODY: u32 = 65534;

/// What the patient's files say of names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Private {
    /// Accounts of people, and their names in full (passwd(5)).
    pub users: Vec<String>,
    /// Machines and domains, from hosts(5), resolv.conf(5) and mailname(5).
    pub hosts: Vec<String>,
}

/// Reads them; what cannot be read has no names.
pub fn collect(root: &RootDir) -> Private {
    let text = |path: &str| root.read_text(path, TEXT_MAX).unwrap_or_default();
    let mut private = Private::default();
    for line in text("/etc/passwd").lines() {
        private.users.extend(people(line));
    }
    for line in text("/etc/hosts").lines() {
        let line = line.split('#').next().unwrap_or_default();
        let names = line.split_whitespace().skip(1);
        private.hosts.extend(names.map(str::to_owned));
    }
    for line in text("/etc/resolv.conf").lines() {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("search" | "domain")) {
            private.hosts.extend(words.map(str::to_owned));
        }
    }
    let mail = text("/etc/mailname");
    private
        .hosts
        .extend(mail.split_whitespace().map(str::to_owned));
    for names in [&mut private.users, &mut private.hosts] {
        names.sort();
        names.dedup();
        names.truncate(MOST);
    }
    private
}

/// The account and the name of the person that a line of passwd tells of.
fn people(line: &str) -> Vec<String> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, _, person, home, ..] = fields.as_slice() else {
        return Vec::new();
    };
    let uid: u32 = uid.parse().unwrap_or_default();
    let is_person = (FIRST_PERSON..NOBODY).contains(&uid) || home.starts_with("/home/");
    if !is_person {
        return Vec::new();
    }
    let person = person.split(',').next().unwrap_or_default();
    let names = [*name, person].into_iter();
    names
        .filter(|name| name.len() > 1)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_no_daemons() {
        assert_eq!(
            people("eve:x:1000:1000:Eve Long,,,:/home/eve:/bin/sh"),
            ["eve", "Eve Long"]
        );
        assert_eq!(people("dep:x:990:990::/home/dep:/bin/sh"), ["dep"]);
        for line in [
            "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin",
            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
            "a:b",
            "",
        ] {
            assert!(people(line).is_empty(), "{line}");
        }
    }
}
