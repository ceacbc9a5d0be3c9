//! Files and directories that programs refuse, or cannot use, with a wrong mode
//! or owner: rules of those programs, whatever package or person made the file.

use crate::sys::root_dir::{Kind, Meta, RootDir};

/// The most files of one directory that are looked at.
const FILES_MAX: usize = 1000;

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// Paths; every file of a directory where one ends in a slash.
    paths: &'static [&'static str],
    /// It must belong to root.
    pub(super) root_only: bool,
    /// Bits that must not be set.
    forbidden: u32,
    /// Bits that must be set.
    needed: u32,
    /// What does not work otherwise.
    pub(super) effect: &'static str,
}

/// Sources: sudoers(5) and `sudo_secure_path` in lib/util/secure_path.c of sudo;
/// cron(8) of Debian; `readConfigFile` in config.c of logrotate; StrictModes in
/// sshd_config(5); path_resolution(7).
pub(super) const RULES: &[Rule] = &[
    Rule {
        paths: &["/etc/sudoers", "/etc/sudoers.d/"],
        root_only: true,
        forbidden: 0o022,
        needed: 0,
        effect: "sudo refuses it",
    },
    Rule {
        paths: &["/etc/crontab", "/etc/cron.d/"],
        root_only: true,
        forbidden: 0o022,
        needed: 0,
        effect: "cron leaves it out",
    },
    Rule {
        paths: &["/etc/logrotate.conf", "/etc/logrotate.d/"],
        root_only: true,
        forbidden: 0o022,
        needed: 0,
        effect: "logrotate leaves it out",
    },
    Rule {
        paths: &["/root"],
        root_only: true,
        forbidden: 0o022,
        needed: 0,
        effect: "sshd refuses root's keys (StrictModes)",
    },
    Rule {
        paths: &[
            "/", "/etc", "/usr", "/usr/bin", "/usr/lib", "/var", "/var/lib",
        ],
        root_only: false,
        forbidden: 0,
        needed: 0o011,
        effect: "only root gets through: services with a user of their own fail",
    },
];

impl Rule {
    /// The paths that it is about.
    pub(super) fn paths(&self, root: &RootDir) -> Vec<String> {
        let mut all = Vec::new();
        for path in self.paths {
            match path.strip_suffix('/').filter(|path| !path.is_empty()) {
                Some(directory) => {
                    let entries = root.read_dir(directory).unwrap_or_default();
                    let files = entries.iter().filter(|e| e.kind == Kind::File);
                    let names = files.filter_map(|e| e.name.to_str());
                    // What has a dot in its name or a ~ at its end is read by
                    // none of them.
                    let names = names.filter(|name| !name.contains(['.', '~']));
                    all.extend(names.take(FILES_MAX).map(|name| format!("{path}{name}")));
                }
                None => all.push((*path).to_owned()),
            }
        }
        all
    }

    pub(super) fn is_broken(&self, meta: &Meta) -> bool {
        matches!(meta.kind, Kind::File | Kind::Directory)
            && ((self.root_only && meta.uid != 0)
                || meta.mode & self.forbidden != 0
                || meta.mode & self.needed != self.needed)
    }

    /// The mode that it would be right with.
    pub(super) fn mode(&self, meta: &Meta) -> Option<u32> {
        let right = (meta.mode & !self.forbidden) | self.needed;
        (right != meta.mode).then_some(right)
    }
}
