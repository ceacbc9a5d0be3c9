//! Names that are known, wherever they stand as a word.

use super::{Kind, MARK};

/// Names that tell nothing, and that reports are full of.
const COMMON: [&str; 28] = [
    "localhost",
    "localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-localnet",
    "ip6-mcastprefix",
    "root",
    "debian",
    "ubuntu",
    "fedora",
    "archlinux",
    "alpine",
    "linux",
    "any",
    "none",
    "local",
    "host",
    "user",
    "server",
    "system",
    "daemon",
    "nobody",
    "admin",
    "lifeboot",
    "disk",
    "boot",
];

/// Directories and services that hosts are named after. As a part of a path
/// they are what they are on every system.
const OF_PATHS: [&str; 30] = [
    "bin",
    "boot",
    "cache",
    "data",
    "dev",
    "etc",
    "games",
    "git",
    "home",
    "lib",
    "log",
    "mail",
    "media",
    "mnt",
    "mysql",
    "nginx",
    "opt",
    "postgresql",
    "proc",
    "run",
    "sbin",
    "spool",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "www",
    "backup",
    "backups",
];

/// True for a name that is not worth hiding.
pub(super) fn is_common(name: &str) -> bool {
    COMMON.contains(&name)
}

/// True for a name of nothing but digits and dots.
pub(super) fn is_number(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Replaces each name that stands by itself; serial numbers also where udev put
/// them into a longer name.
pub(super) fn replace(
    text: &str,
    names: &[(String, Kind)],
    word: &dyn Fn(Kind, &str) -> String,
) -> String {
    let mut text = text.to_owned();
    for (name, kind) in names {
        if !text.contains(name.as_str()) {
            continue;
        }
        let mut rest = text.as_str();
        let mut done = String::new();
        while let Some((before, after)) = rest.split_once(name.as_str()) {
            done.push_str(before);
            match stands_alone(&done, name, after, *kind) {
                true => done.push_str(&word(*kind, name)),
                false => done.push_str(name),
            }
            rest = after;
        }
        done.push_str(rest);
        text = done;
    }
    text
}

fn stands_alone(before: &str, name: &str, after: &str, kind: Kind) -> bool {
    // Short names are parts of many words.
    let is_short = name.len() < 4 && kind != Kind::Serial;
    let is_part = |c: char| c.is_alphanumeric() || (is_short && c == '-');
    let (last, next) = (before.chars().next_back(), after.chars().next());
    if last == Some(MARK) || last.is_some_and(is_part) || next.is_some_and(is_part) {
        return false;
    }
    // `/var/mail` on the host `mail`.
    !(last == Some('/') && kind == Kind::Host && OF_PATHS.contains(&name))
}
