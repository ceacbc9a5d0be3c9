//! What the maintainer scripts of a package say of modes and owners: they may
//! give what its archive does not (Debian Policy, 10.9.1).
//!
//! Nothing is run. A line counts as an assignment only with a literal absolute
//! path; whatever else in a script could mean a path excuses that path.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;

use crate::facts::packages::Package;
use crate::sys::root_dir::RootDir;

/// The most bytes of one script (that of keyboard-configuration has 2 MB).
const SCRIPT_MAX: u64 = 4 << 20;

/// So many bytes of the scripts of one package are searched for paths.
const SEARCHED_MAX: usize = 512 << 20;

/// What changes a mode or an owner.
const CHANGERS: [&str; 8] = [
    "chmod",
    "chown",
    "chgrp",
    "setcap",
    "setfacl",
    "statoverride",
    "install -",
    "setperm",
];

/// The most bytes of the scripts of all packages together; a server has some 5
/// MB.
const TOGETHER_MAX: usize = 256 << 20;

/// So many paths are looked for in the scripts of all packages.
const ASKED_MAX: usize = 5000;

/// Directories that scripts name for many reasons.
const COMMON: [&str; 4] = ["var/cache", "var/lib", "var/log", "var/spool"];

/// The scripts that run when a package is configured.
const SCRIPTS: [&str; 3] = ["postinst", "preinst", "config"];

/// What a script gives a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) mode: Option<u32>,
    pub(super) user: Option<String>,
}

/// The scripts of one package.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    /// The script with the assignments.
    pub(super) file: String,
    text: String,
    changes: bool,
    /// One of them could not be read.
    is_unread: bool,
    searched: AtomicUsize,
    assigned: HashMap<String, Assigned>,
}

impl Scripts {
    pub(super) fn of(root: &RootDir, base: &Path, package: &Package) -> Self {
        let Package {
            name, architecture, ..
        } = package;
        let info = base.join("info");
        let mut is_unread = false;
        let mut read = |ending: &str| -> Option<(PathBuf, String)> {
            let names = [
                format!("{name}.{ending}"),
                format!("{name}:{architecture}.{ending}"),
            ];
            names.iter().find_map(|file| {
                let path = info.join(file);
                match root.read_text(&path, SCRIPT_MAX) {
                    Ok(text) => Some((path, text)),
                    Err(error) => {
                        is_unread |= error.kind() != std::io::ErrorKind::NotFound;
                        None
                    }
                }
            })
        };
        let mut scripts = Self::default();
        for ending in SCRIPTS {
            let Some((path, text)) = read(ending) else {
                continue;
            };
            if ending == "postinst" {
                scripts.file = path.display().to_string();
                scripts.assigned = assignments(&text);
            }
            scripts.text.push_str(&text);
            scripts.text.push('\n');
        }
        scripts.is_unread = is_unread;
        scripts.changes = CHANGERS.iter().any(|word| scripts.text.contains(word));
        scripts
    }

    /// What a script gives this path, without its leading slash, by a literal
    /// line of its own.
    pub(super) fn assigned(&self, path: &str) -> Option<&Assigned> {
        let spelled = path.strip_prefix("usr/").unwrap_or(path);
        [path, spelled]
            .iter()
            .find_map(|path| self.assigned.get(*path))
    }

    /// True when a script gives this program a capability, and set-user-id
    /// where it cannot.
    pub(super) fn gives_capability(&self, path: &str) -> bool {
        let named = path.strip_prefix("usr/").unwrap_or(path);
        ["setcap cap_", "chmod u+s", named]
            .iter()
            .all(|word| self.text.contains(word))
    }

    /// True when a script may have changed this path: it names it, its last
    /// part, or a directory above it, beside a command that changes modes or
    /// owners.
    pub(super) fn may_change(&self, path: &str) -> bool {
        if self.is_unread || !self.changes {
            return self.is_unread;
        }
        let searched = self.searched.fetch_add(self.text.len(), Relaxed);
        if searched > SEARCHED_MAX {
            return true;
        }
        let inside = path.strip_prefix("usr/").unwrap_or(path);
        let mut parts = inside.rsplit('/');
        let name = parts.next().unwrap_or_default();
        // Programs have names that are words of other commands, too.
        let directory = parts.next().unwrap_or_default();
        let needle = match directory {
            "bin" | "sbin" => &inside[inside.len() - name.len() - directory.len() - 1..],
            _ => name,
        };
        if needle.len() > 2 && self.text.contains(needle) {
            return true;
        }
        self.names(inside)
    }

    /// True when a script names this path, without `usr/`, or a directory above
    /// it, beside such a command.
    fn names(&self, inside: &str) -> bool {
        if self.changes && self.text.contains(&format!("/{inside}")) {
            return true;
        }
        // `/var/lib/x` of `/var/lib/x/y`, but not `/var/lib`.
        let mut above = inside;
        while let Some((directory, _)) = above.rsplit_once('/') {
            let is_common = !directory.contains('/') || COMMON.contains(&directory);
            if self.changes && !is_common && self.text.contains(&format!("/{directory}")) {
                return true;
            }
            above = directory;
        }
        false
    }
}

/// The scripts of all packages: those of a service may go over the files that
/// another package has for it.
#[derive(Debug, Default)]
pub(super) struct Everyone {
    scripts: Vec<Scripts>,
    asked: AtomicUsize,
}

impl Everyone {
    pub(super) fn of(root: &RootDir, base: &Path, packages: &[&Package]) -> Self {
        let kept = AtomicUsize::new(0);
        let fits = |scripts: &Scripts| {
            let length = scripts.text.len();
            scripts.changes && kept.fetch_add(length, Relaxed) + length < TOGETHER_MAX
        };
        let scripts = packages.par_iter().map(|p| Scripts::of(root, base, p));
        Self {
            scripts: scripts.filter(fits).collect(),
            asked: AtomicUsize::new(0),
        }
    }

    /// True when a script of any package may have changed this path in /etc,
    /// /var or the like.
    pub(super) fn may_change(&self, path: &str) -> bool {
        let is_first = self.asked.fetch_add(1, Relaxed) < ASKED_MAX;
        !is_first || self.scripts.iter().any(|scripts| scripts.names(path))
    }
}

/// Lines `chown USER PATH`, `chmod MODE PATH` and `ANYTHING USER GROUP MODE
/// PATH`, by the path without its leading slash and `usr/`.
fn assignments(text: &str) -> HashMap<String, Assigned> {
    let mut all: HashMap<String, Assigned> = HashMap::new();
    for line in text.lines() {
        let words = words(line);
        // What an override says is in dpkg's own file of them.
        if words.iter().any(|word| word.contains("statoverride")) {
            continue;
        }
        match words.as_slice() {
            ["chown", rest @ ..] => {
                let rest = without_flags(rest);
                if let Some((owner, paths)) = rest.split_first()
                    && let Some(user) = user(owner)
                {
                    for path in paths.iter().filter_map(|path| literal(path)) {
                        all.entry(path).or_default().user = Some(user.clone());
                    }
                }
            }
            ["chmod", mode, paths @ ..] => {
                for path in paths.iter().filter_map(|path| literal(path)) {
                    all.entry(path).or_default().mode = octal(mode);
                }
            }
            [_, owner, group, mode, path]
                if user(group).is_some() && octal(mode).is_some() && literal(path).is_some() =>
            {
                if let (Some(user), Some(path)) = (user(owner), literal(path)) {
                    let given = all.entry(path).or_default();
                    (given.mode, given.user) = (octal(mode), Some(user));
                }
            }
            _ => {}
        }
    }
    all
}

/// The words of a simple command, up to what ends it.
fn words(line: &str) -> Vec<&str> {
    let ends = |word: &&str| {
        !matches!(*word, "&&" | "||" | "|" | ";" | ";;" | "}")
            && !word.starts_with(['#', '>'])
            && !word.starts_with("2>")
    };
    let words = line.split_whitespace().take_while(ends);
    words
        .map(|word| word.trim_matches(['"', '\'', ';']))
        .collect()
}

fn without_flags<'w, 'a>(words: &'w [&'a str]) -> &'w [&'a str] {
    let flags = words.iter().take_while(|word| word.starts_with('-'));
    &words[flags.count()..]
}

/// The user of `user`, `user:group` or `user.group`.
fn user(owner: &str) -> Option<String> {
    let name = owner.split([':', '.']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    (starts && owner.chars().all(|c| plain(c) || matches!(c, ':' | '.'))).then(|| name.to_owned())
}

fn octal(mode: &str) -> Option<u32> {
    let digits = (3..=5).contains(&mode.len());
    u32::from_str_radix(mode, 8).ok().filter(|_| digits)
}

/// A path without anything that a shell would replace.
fn literal(word: &str) -> Option<String> {
    let path = word.strip_prefix('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+:@-".contains(c);
    let is_plain = !path.is_empty() && path.chars().all(plain) && !path.contains("..");
    let path = path.trim_end_matches('/');
    is_plain.then(|| path.strip_prefix("usr/").unwrap_or(path).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_that_assign() {
        let text = "  chown -R munin:adm /var/log/munin\n\tchmod 4755 /bin/fusermount3\n\
            set_perms root root 4755 /usr/bin/pkexec\nchown \"$USER\" /var/lib/x\n\
            chown daemon /var/lib/$y /srv/z || true\nchmod u+s /usr/bin/mtr-packet\n\
            dpkg-statoverride --update --add root crontab 2755 /usr/bin/crontab\n";
        let all = assignments(text);
        let user = |path: &str| all.get(path).and_then(|a| a.user.clone());
        let mode = |path: &str| all.get(path).and_then(|a| a.mode);
        assert_eq!(user("var/log/munin").as_deref(), Some("munin"));
        assert_eq!(user("srv/z").as_deref(), Some("daemon"));
        assert_eq!(user("var/lib/x"), None);
        assert_eq!(mode("bin/fusermount3"), Some(0o4755));
        assert_eq!(mode("bin/pkexec"), Some(0o4755));
        assert_eq!(mode("bin/mtr-packet"), None);
        assert_eq!(mode("bin/crontab"), None);
    }

    #[test]
    fn what_a_script_names_is_excused() {
        let script = |text: &str| Scripts {
            text: text.to_owned(),
            changes: true,
            ..Scripts::default()
        };
        let munin = script("chown munin $DIR/munin; chmod -R g+w /var/lib/x");
        assert!(munin.may_change("var/lib/munin"));
        assert!(munin.may_change("var/lib/x/y"));
        assert!(!munin.may_change("var/lib/other"));
        let scripts = Scripts {
            assigned: assignments("chmod 4755 /usr/bin/x"),
            ..Scripts::default()
        };
        assert_eq!(scripts.assigned("usr/bin/x").unwrap().mode, Some(0o4755));
        assert_eq!(scripts.assigned("bin/x").unwrap().mode, Some(0o4755));
    }
}
