//! sshd lacks the user or the directory for its lesser part, and ends.

use super::Check;
use super::sshd::started;
use crate::facts::Facts;
use crate::facts::reach::ssh::Separation;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/privilege-separation-missing",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/privilege-separation-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(ssh) = started(facts) else { return };
    for fault in &ssh.separation {
        let (subject, title, evidence, advice) = match fault {
            Separation::NoUser {
                user,
                may_be_made: true,
                ..
            } => {
                let what = format!("whether there will be a user {user}");
                let why = "passwd has none; systemd-sysusers may make it at the boot";
                out.could_not_tell(Stage::Reach, what, why);
                continue;
            }
            Separation::NoUser { user, .. } => (
                "/etc/passwd",
                format!("sshd will not start: there is no user {user}"),
                Evidence::seen("/etc/passwd", format!("no line of {user}")),
                "grep -h ^sshd: ROOT/etc/passwd- ROOT/var/backups/passwd.bak | head -n 1 \
                 >> ROOT/etc/passwd; without a line: chroot ROOT dpkg-reconfigure openssh-server"
                    .to_owned(),
            ),
            Separation::NoDirectory {
                path, beside_run, ..
            } => {
                let evidence = if *beside_run {
                    Evidence::seen("/var/run", "a directory").expected("a link to /run")
                } else {
                    Evidence::seen(path.as_str(), "nothing makes it at a boot")
                        .expected("RuntimeDirectory=sshd in ssh.service")
                };
                (
                    path.as_str(),
                    format!("sshd will not start: {path} will be missing"),
                    evidence,
                    match beside_run {
                        true => {
                            "mv ROOT/var/run ROOT/var/run.old; ln -s /run ROOT/var/run".to_owned()
                        }
                        false if path.starts_with("/run/") => format!(
                            "echo 'd {path} 0755 root root -' > ROOT/etc/tmpfiles.d/sshd-dir.conf"
                        ),
                        false => format!("mkdir -m 755 ROOT{path}"),
                    },
                )
            }
            Separation::NotRoots { path, uid, mode } => (
                path.as_str(),
                format!("sshd will not start: {path} is open to others"),
                Evidence::seen(path.as_str(), format!("owner {uid}, mode {mode:04o}"))
                    .expected("owner 0, mode 0755"),
                format!("chown root:root ROOT{path}; chmod 755 ROOT{path}"),
            ),
        };
        let finding = CHECK.finding(Severity::Unreachable, subject, title);
        out.push(finding.with([evidence]).by_hand(advice));
    }
}
