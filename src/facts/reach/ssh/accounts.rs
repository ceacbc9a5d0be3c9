//! The accounts of the patient, and which of them could log in through sshd.
//!
//! Sources: passwd(5), shadow(5), sshd_config(5); OpenSSH, auth.c
//! (`allowed_user`, `auth_key_is_revoked`), misc.c (`safe_path`).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::keys;
use super::policy::Policy;
use crate::facts::place::Place;
use crate::sys::root_dir::{Kind, RootDir};

const LIMIT: u64 = 1 << 20;

/// Accounts that are looked at.
pub(super) const MOST: usize = 200;

/// Groups of one account; the kernel takes 65536, and nobody has them.
const GROUPS_MAX: usize = 500;

/// Shells of users who shall not log in.
const NO_SHELLS: [&str; 4] = ["nologin", "false", "true", "sync"];

/// One account that a person may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    #[serde(default)]
    pub uid: u32,
    /// What keeps everybody out of it; none when somebody could get in.
    pub shut: Option<Obstacle>,
    /// Its keys are there, and sshd does not take them.
    #[serde(default)]
    pub keys_refused: Option<Unsafe>,
}

/// Why nobody gets into an account through sshd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Obstacle {
    /// Its shell is not there or cannot be started.
    Shell {
        /// The shell.
        path: String,
    },
    /// The account expired.
    Expired {
        /// Days since 1970.
        day: u64,
    },
    /// A line of sshd_config keeps it out.
    Configured {
        /// The file and the line.
        place: String,
        /// What stands there.
        text: String,
    },
    /// It has keys, and their files can be changed by others.
    Keys,
    /// It has neither a password nor a key that sshd would take.
    NoCredential,
}

/// A place on the way to a file of keys that sshd does not trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unsafe {
    /// The file of keys.
    pub file: String,
    /// The place.
    pub path: String,
    /// Its owner.
    pub uid: u32,
    /// Its permission bits.
    pub mode: u32,
    /// Every place on the way that is not trusted, with this one.
    #[serde(default)]
    pub way: Vec<Place>,
}

/// One line of passwd, with what shadow says.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) home: String,
    pub(super) shell: String,
    pub(super) groups: Vec<String>,
    hash: String,
    expires: Option<u64>,
}

impl User {
    /// True when a password can be right.
    pub(super) fn has_password(&self) -> bool {
        self.hash.starts_with('$') || (self.hash.len() >= 13 && !self.hash.starts_with(['!', '*']))
    }
}

/// The people of a root; `None` when passwd cannot be read.
pub(super) fn people(root: &RootDir) -> Option<Vec<User>> {
    let passwd = root.read_text("/etc/passwd", LIMIT).ok()?;
    let shadow = root.read_text("/etc/shadow", LIMIT).unwrap_or_default();
    let groups = root.read_text("/etc/group", LIMIT).unwrap_or_default();
    let lines = passwd
        .lines()
        .filter_map(|line| user(line, &shadow, &groups));
    Some(lines.take(MOST).collect())
}

fn user(line: &str, shadow: &str, groups: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, password, uid, gid, _, home, shell] = fields[..] else {
        return None;
    };
    let uid: u32 = uid.parse().ok()?;
    let last = shell.rsplit('/').next().unwrap_or_default();
    if NO_SHELLS.contains(&last) {
        return None;
    }
    let own = |line: &&str| line.split(':').next() == Some(name);
    let secret: Vec<&str> = shadow
        .lines()
        .find(own)
        .map(|line| line.split(':').collect())
        .unwrap_or_default();
    let hash = match password {
        "x" => secret.get(1).copied().unwrap_or("*"),
        other => other,
    };
    Some(User {
        name: name.to_owned(),
        uid,
        home: home.to_owned(),
        shell: if shell.is_empty() { "/bin/sh" } else { shell }.to_owned(),
        groups: member_of(name, gid, groups),
        hash: hash.to_owned(),
        expires: secret.get(7).and_then(|day| day.parse().ok()),
    })
}

fn member_of(name: &str, gid: &str, groups: &str) -> Vec<String> {
    let lines = groups.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [group, _, number, members] = fields[..] else {
            return None;
        };
        let is_in = number == gid || members.split(',').any(|member| member == name);
        is_in.then(|| group.to_owned())
    });
    lines.take(GROUPS_MAX).collect()
}

/// Judges every account; `today` is in days since 1970.
pub(super) fn judge(
    root: &RootDir,
    config: &Config,
    policy: &Policy,
    people: &[User],
    today: u64,
) -> Vec<Account> {
    let judged = people.iter().map(|user| {
        let keys = keys::of(root, config, user, policy.strict);
        Account {
            name: user.name.clone(),
            uid: user.uid,
            shut: shut(root, policy, user, &keys, today),
            keys_refused: match &keys {
                keys::Keys::Refused(place) => Some(place.clone()),
                _ => None,
            },
        }
    });
    judged.collect()
}

fn shut(
    root: &RootDir,
    policy: &Policy,
    user: &User,
    keys: &keys::Keys,
    today: u64,
) -> Option<Obstacle> {
    if let Some((place, text)) = policy.forbids(user) {
        return Some(Obstacle::Configured { place, text });
    }
    if !can_be_started(root, &user.shell) {
        let path = user.shell.clone();
        return Some(Obstacle::Shell { path });
    }
    if let Some(day) = user.expires.filter(|day| *day < today) {
        return Some(Obstacle::Expired { day });
    }
    let by_password = user.has_password() && policy.takes_passwords(user);
    let by_key = policy.takes_keys && matches!(keys, keys::Keys::Good | keys::Keys::Unclear);
    if by_password || by_key || policy.has_other_ways {
        return None;
    }
    Some(match keys {
        keys::Keys::Refused(_) if policy.takes_keys => Obstacle::Keys,
        _ => match policy.forbids_credential(user, keys) {
            Some((place, text)) => Obstacle::Configured { place, text },
            None => Obstacle::NoCredential,
        },
    })
}

fn can_be_started(root: &RootDir, shell: &str) -> bool {
    root.metadata(Path::new(shell))
        .is_ok_and(|meta| meta.kind == Kind::File && meta.is_executable())
}
