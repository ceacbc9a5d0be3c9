//! Has the directory made without which sshd does not start.

use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::reach::ssh::Separation;
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-separation",
    removes: &["reach/privilege-separation-missing"],
    plan,
};

/// tmpfiles.d(5): read at each boot.
const LINES: &str = "/etc/tmpfiles.d/lifeboot-sshd.conf";

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let ssh = facts.tree.as_ref()?.reach.ssh.as_ref()?;
    let (path, by_tmpfiles) = ssh.separation.iter().find_map(|fault| match fault {
        Separation::NoDirectory {
            path,
            beside_run: false,
            by_tmpfiles,
        } if *path == finding.subject => Some((path, *by_tmpfiles)),
        _ => None,
    })?;
    // What is below /run is gone at the next boot.
    let below_run = path.starts_with("/run/") || path.starts_with("/var/run/");
    let (title, action) = if by_tmpfiles {
        let line = format!("# lifeboot: sshd needs it\nd {path} 0755 root root -\n");
        let put = Action::PutFile {
            path: LINES.into(),
            text: line,
            mode: 0o644,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        };
        (format!("have {path} made at each boot ({LINES})"), put)
    } else if !below_run {
        let make = Action::MakeDirectory {
            path: path.into(),
            mode: 0o755,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        };
        (format!("make {path}"), make)
    } else {
        return None;
    };
    Some(Outline {
        title,
        risk: Risk::Safe,
        actions: vec![action],
        ..Outline::default()
    })
}
