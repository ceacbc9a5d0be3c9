//! Users and groups of a root, as its own files have them (passwd(5),
//! group(5)).

use std::collections::HashMap;

use super::record::{Group, User};
use crate::sys::root_dir::RootDir;

/// The most bytes of one file.
const FILE_MAX: u64 = 16 << 20;

/// All of them; of two with one number the first gives the name.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// In the order of the file.
    pub users: Vec<User>,
    /// In the order of the file.
    pub groups: Vec<Group>,
    /// Files that could not be read, and why.
    pub unread: Vec<(&'static str, String)>,
    user_names: HashMap<u32, String>,
    group_names: HashMap<u32, String>,
    user_places: HashMap<String, usize>,
    group_places: HashMap<String, usize>,
}

impl Accounts {
    /// Reads those of a root.
    pub fn of(root: &RootDir) -> Self {
        let mut unread = Vec::new();
        let mut read = |path: &'static str| {
            root.read_text(path, FILE_MAX).unwrap_or_else(|error| {
                unread.push((path, error.to_string()));
                String::new()
            })
        };
        let (passwd, group) = (read("/etc/passwd"), read("/etc/group"));
        Self {
            unread,
            ..Self::parse(&passwd, &group)
        }
    }

    fn parse(passwd: &str, group: &str) -> Self {
        let mut all = Self::default();
        for user in passwd.lines().filter_map(user) {
            let name = user.name.clone();
            all.user_places
                .entry(name.clone())
                .or_insert(all.users.len());
            all.user_names.entry(user.uid).or_insert(name);
            all.users.push(user);
        }
        for group in group.lines().filter_map(self::group) {
            let name = group.name.clone();
            all.group_places
                .entry(name.clone())
                .or_insert(all.groups.len());
            all.group_names.entry(group.gid).or_insert(name);
            all.groups.push(group);
        }
        all
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(*self.user_places.get(name)?)
    }

    /// The group of that name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(*self.group_places.get(name)?)
    }

    /// The name of a user.
    pub fn user_name(&self, uid: u32) -> Option<&str> {
        self.user_names.get(&uid).map(String::as_str)
    }

    /// The name of a group.
    pub fn group_name(&self, gid: u32) -> Option<&str> {
        self.group_names.get(&gid).map(String::as_str)
    }

    /// The home directories in which a user of this root may keep files.
    pub fn homes(&self) -> Vec<&str> {
        let no_home = |home: &&str| {
            let system = ["/usr", "/bin", "/sbin", "/dev", "/proc", "/run", "/etc"];
            *home == "/" || !home.starts_with('/') || system.iter().any(|top| home.starts_with(top))
        };
        let homes = self
            .users
            .iter()
            .map(|user| user.home.trim_end_matches('/'));
        homes
            .filter(|home| !home.is_empty() && !no_home(home))
            .collect()
    }
}

/// `name:x:uid:gid:words:home:shell`
fn user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else {
        return None;
    };
    (!name.is_empty()).then_some(User {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

/// `name:x:gid:member,member`
fn group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields[..] else {
        return None;
    };
    let members = members.split(',').filter(|member| !member.is_empty());
    (!name.is_empty()).then_some(Group {
        name: name.to_owned(),
        gid: gid.parse().ok()?,
        members: members.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_members_and_homes() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbad\ntoor:x:0:0::/:/x\n\
            app:x:1500:1500:App,,,:/srv/app/:/usr/sbin/nologin\nbin:x:2:2::/bin:/x\n";
        let all = Accounts::parse(passwd, "root:x:0:\nadm:x:4:a,b\n::1:\n");
        assert_eq!(all.user_name(0), Some("root"));
        assert_eq!(all.user_name(7), None);
        assert_eq!(all.group_name(4), Some("adm"));
        assert_eq!(all.groups[1].members, ["a", "b"]);
        assert_eq!(all.users.len(), 4);
        assert_eq!(all.homes(), ["/root", "/srv/app"]);
    }
}
