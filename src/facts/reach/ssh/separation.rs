//! The user and the empty directory without which sshd does not start.
//!
//! Source: OpenSSH, sshd.c: `Privilege separation user %s does not exist`,
//! `Missing privilege separation directory: %s`, and `%s must be owned by root
//! and not group or world-writable`.

use serde::{Deserialize, Serialize};

use super::program::Program;
use crate::facts::reach::boot::Boot;
use crate::facts::text_file::{CHANGED_MAX, TextFile};
use crate::sys::root_dir::{Kind, RootDir};

const USER: &str = "sshd";

/// Copies of passwd: of the shadow tools, and of Debian's daily one.
const COPIES: [&str; 2] = ["/etc/passwd-", "/var/backups/passwd.bak"];

const LIMIT: u64 = 4 << 20;

/// What distributions build in. The program has one of them.
const DIRECTORIES: [&str; 8] = [
    "/run/sshd",
    "/var/run/sshd",
    "/usr/share/empty.sshd",
    "/var/empty/sshd",
    "/var/lib/sshd",
    "/var/lib/empty",
    "/usr/share/empty",
    "/var/empty",
];

const TMPFILES: [&str; 3] = ["/etc/tmpfiles.d", "/usr/lib/tmpfiles.d", "/lib/tmpfiles.d"];
const SYSUSERS: [&str; 3] = ["/etc/sysusers.d", "/usr/lib/sysusers.d", "/lib/sysusers.d"];

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Separation {
    /// passwd has no such user.
    NoUser {
        /// The user.
        user: String,
        /// Something may make it at the boot: systemd-sysusers.
        may_be_made: bool,
        /// passwd, and the user's line in its copies, where these agree.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved: Option<(TextFile, String)>,
    },
    /// The directory is not there, and nothing makes it.
    NoDirectory {
        /// The directory.
        path: String,
        /// `/var/run` is a directory of its own.
        beside_run: bool,
        /// Below /run, a line of tmpfiles.d would have it made at the boot.
        #[serde(default)]
        by_tmpfiles: bool,
    },
    /// Others than root could write there.
    NotRoots {
        /// The directory.
        path: String,
        /// Its owner.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
}

pub(super) fn look(root: &RootDir, boot: &Boot<'_>, program: &Program) -> Vec<Separation> {
    let mut found = Vec::new();
    found.extend(user(root, boot, program));
    found.extend(directory(root, boot, program));
    found
}

fn user(root: &RootDir, boot: &Boot<'_>, program: &Program) -> Option<Separation> {
    // A build may name another.
    if !program.contains("Privilege separation user") || !program.has(USER) {
        return None;
    }
    let passwd = root.read_text("/etc/passwd", LIMIT).ok()?;
    let there = passwd
        .lines()
        .any(|line| line.split(':').next() == Some(USER));
    if there || super::policy::has_other_accounts(root) {
        return None;
    }
    let made = boot.starts("systemd-sysusers.service") && mentions(root, &SYSUSERS, USER);
    Some(Separation::NoUser {
        user: USER.into(),
        may_be_made: made,
        saved: saved(root),
    })
}

/// passwd and the line that its copies have of the user: of passwd(5) with a
/// number that nobody has, and no shell.
fn saved(root: &RootDir) -> Option<(TextFile, String)> {
    let file = TextFile::read(root, "/etc/passwd", CHANGED_MAX).ok()?;
    let lines = COPIES.iter().filter_map(|copy| {
        let text = root.read_text(copy, CHANGED_MAX).ok()?;
        let mut lines = text.lines();
        lines
            .find(|line| line.split(':').next() == Some(USER))
            .map(str::to_owned)
    });
    let mut lines: Vec<String> = lines.collect();
    lines.dedup();
    let [line] = lines.as_slice() else {
        return None;
    };
    let fields: Vec<&str> = line.split(':').collect();
    let [_, "x", uid, gid, _, home, shell] = fields[..] else {
        return None;
    };
    let system = uid.parse().is_ok_and(|uid: u32| (1..1000).contains(&uid));
    let is_free = file
        .text
        .lines()
        .all(|line| line.split(':').nth(2) != Some(uid));
    let is_closed = ["nologin", "false"].iter().any(|end| shell.ends_with(end));
    let is_whole = gid.parse::<u32>().is_ok() && home.starts_with('/');
    (system && is_free && is_closed && is_whole).then(|| (file, line.clone()))
}

fn directory(root: &RootDir, boot: &Boot<'_>, program: &Program) -> Option<Separation> {
    if !program.contains("Missing privilege separation directory") {
        return None;
    }
    let path = DIRECTORIES.iter().find(|path| program.has_whole(path))?;
    let real = real_path(root, path);
    if real.starts_with("/run/") {
        return (!is_made(root, boot, &real)).then(|| Separation::NoDirectory {
            path: (*path).to_owned(),
            beside_run: false,
            by_tmpfiles: real == **path && boot.starts("systemd-tmpfiles-setup.service"),
        });
    }
    match root.metadata(path) {
        Ok(meta) if meta.kind == Kind::Directory => {
            let open = meta.uid != 0 || meta.mode & 0o022 != 0;
            open.then(|| Separation::NotRoots {
                path: (*path).to_owned(),
                uid: meta.uid,
                mode: meta.mode,
            })
        }
        _ if is_made(root, boot, path) => None,
        _ => Some(Separation::NoDirectory {
            path: (*path).to_owned(),
            beside_run: path.starts_with("/var/run/"),
            by_tmpfiles: false,
        }),
    }
}

/// `/var/run` is `/run` where it is a link to it.
fn real_path(root: &RootDir, path: &str) -> String {
    let Some(rest) = path.strip_prefix("/var/run/") else {
        return path.to_owned();
    };
    match root.read_link("/var/run") {
        Ok(target) if target.ends_with("run") => format!("/run/{rest}"),
        _ => path.to_owned(),
    }
}

/// True when the unit, its commands, tmpfiles or an init script make it.
fn is_made(root: &RootDir, boot: &Boot<'_>, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let units = [
        "ssh.service",
        "sshd.service",
        "ssh@0.service",
        "sshd@0.service",
    ];
    let units: Vec<_> = units.iter().filter_map(|unit| boot.unit(unit)).collect();
    if units.is_empty() {
        // An init script makes it.
        return true;
    }
    let by_unit = units.iter().any(|unit| {
        let named = unit.words("Service", "RuntimeDirectory");
        let commands = unit.values("Service", "ExecStartPre");
        named.iter().any(|word| word == name) || commands.iter().any(|line| line.contains(path))
    });
    by_unit || mentions(root, &TMPFILES, path)
}

/// True when a file in one of these folders has the word.
fn mentions(root: &RootDir, folders: &[&str], word: &str) -> bool {
    folders.iter().any(|folder| {
        let entries = root.read_dir(folder).unwrap_or_default();
        entries.iter().any(|entry| {
            let path = format!("{folder}/{}", entry.name.to_string_lossy());
            let text = root.read_text(&path, LIMIT).unwrap_or_default();
            let mut lines = text
                .lines()
                .filter(|line| !line.trim_start().starts_with('#'));
            lines.any(|line| line.split_whitespace().nth(1) == Some(word))
        })
    })
}
