//! Modes and owners of what stays where it is.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::MetadataExt;

use super::crash_tests::cut;
use super::manifest_for_tests::{attributes, set_xattr, whole};
use super::put_tests::put;
use super::tests::{away, fresh, listed, run, run_undo};
use super::*;

#[test]
fn a_file_gets_a_mode_only_where_nothing_else_changes_with_it() {
    let dir = fresh();
    let before = whole(dir.path());
    // Its second name lies in /usr/share.
    let refused = run(dir.path(), &[attributes("/usr/bin/landed", 0o755)]).unwrap_err();
    assert!(refused.to_string().contains("hard links"), "{refused}");
    for other in ["/usr/sbin", "/var/log/fifo", "/nothing"] {
        run(dir.path(), &[attributes(other, 0o755)]).unwrap_err();
    }
    assert_eq!(before, whole(dir.path()));
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let program = dir.path().join("usr/bin/sh");
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    set_xattr(&program, "security.capability", capability);
    std::os::unix::fs::chown(dir.path().join("var/log/syslog"), Some(7), Some(8)).unwrap();
    let before = whole(dir.path());
    let mut to_another = attributes("/usr/bin/sh", 0o755);
    if let Action::Attributes { uid, .. } = &mut to_another {
        *uid = 7;
    }
    let refused = run(dir.path(), &[to_another]).unwrap_err();
    assert!(refused.to_string().contains("capabilities"), "{refused}");
    let wanted = [
        attributes("/usr/bin/sh", 0o711),
        attributes("/var/log/syslog", 0o4711),
    ];
    let done = run(dir.path(), &wanted).unwrap();
    let syslog = dir.path().join("var/log/syslog").metadata().unwrap();
    assert_eq!((syslog.mode() & 0o7777, syslog.uid()), (0o4711, 0));
    run_undo(dir.path(), &done.id).unwrap();
    assert_eq!(before, whole(dir.path()));
}

/// A plan may set a mode, and then put another file in the same place.
#[test]
fn what_got_a_mode_may_be_replaced_after_it() {
    // Others cannot set the mark by which the time of / is given back.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = fresh();
    let before = whole(dir.path());
    let wanted = [
        attributes("/var/log/syslog", 0o644),
        away("/var/log/syslog"),
        put("/var/log/syslog", "new\n"),
    ];
    for stop in 0.. {
        let mut id = None;
        let was_cut = cut(stop, || id = Some(run(dir.path(), &wanted).unwrap().id));
        if was_cut {
            for one in listed(dir.path()) {
                run_undo(dir.path(), &one.id).unwrap();
            }
        } else {
            let id = id.unwrap();
            let undone = cut(stop / 2, || run_undo(dir.path(), &id));
            if undone {
                run_undo(dir.path(), &id).unwrap();
            }
        }
        assert_eq!(before, whole(dir.path()), "stop {stop}");
        if !was_cut {
            return;
        }
    }
}
