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
    /// True when the group root may write it.
    group_root_may_write: bool,
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
        group_root_may_write: true,
        effect: "sudo refuses it",
    },
    Rule {
        paths: &["/etc/crontab", "/etc/cron.d/"],
        root_only: true,
        forbidden: 0o022,
        needed: 0,
        group_root_may_write: false,
        effect: "cron leaves it out",
    },
    Rule {
        paths: &["/etc/logrotate.conf", "/etc/logrotate.d/"],
        root_only: true,
        forbidden: 0o022,
        needed: 0,
        group_root_may_write: false,
        effect: "logrotate leaves it out",
    },
    Rule {
        paths: &["/root"],
        root_only: true,
        forbidden: 0o022,
        needed: 0,
        group_root_may_write: false,
        effect: "sshd refuses root's keys (StrictModes)",
    },
    Rule {
        paths: &[
            "/", "/etc", "/usr", "/usr/bin", "/usr/lib", "/var", "/var/lib",
        ],
        root_only: false,
        forbidden: 0,
        needed: 0o011,
        group_root_may_write: false,
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
        let by_root = self.group_root_may_write && meta.gid == 0;
        let forbidden = self.forbidden & !(if by_root { 0o020 } else { 0 });
        matches!(meta.kind, Kind::File | Kind::Directory)
            && ((self.root_only && meta.uid != 0)
                || meta.mode & forbidden != 0
                || meta.mode & self.needed != self.needed)
    }

    /// The mode that it would be right with.
    pub(super) fn mode(&self, meta: &Meta) -> Option<u32> {
        let open = if self.needed == 0 { 0 } else { 0o055 };
        let right = (meta.mode & !self.forbidden) | open;
        (right != meta.mode).then_some(right)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rule(path: &str) -> &'static Rule {
        let mut rules = RULES.iter();
        rules.find(|rule| rule.paths.contains(&path)).unwrap()
    }

    #[test]
    fn what_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = folder.path().join("etc/cron.d");
        std::fs::create_dir_all(&jobs).unwrap();
        for name in ["job", ".placeholder", "job.dpkg-old"] {
            std::fs::write(jobs.join(name), "").unwrap();
        }
        let root = RootDir::open(folder.path()).unwrap();
        let cron = rule("/etc/cron.d/");
        assert_eq!(cron.paths(&root), ["/etc/crontab", "/etc/cron.d/job"]);
        let file = root.symlink_metadata("/etc/cron.d/job").unwrap();
        let with = |mode, uid| Meta { mode, uid, ..file };
        assert!(!cron.is_broken(&with(0o644, 0)));
        assert!(cron.is_broken(&with(0o644, 1000)) && cron.is_broken(&with(0o664, 0)));
        assert_eq!(cron.mode(&with(0o666, 0)), Some(0o644));
        let sudo = rule("/etc/sudoers");
        let by_group = |gid| Meta {
            gid,
            ..with(0o460, 0)
        };
        assert!(!sudo.is_broken(&by_group(0)) && sudo.is_broken(&by_group(27)));
        let usr = rule("/usr");
        assert!(usr.is_broken(&with(0o700, 0)) && !usr.is_broken(&with(0o755, 1000)));
        assert_eq!(usr.mode(&with(0o700, 0)), Some(0o755));
    }
}
