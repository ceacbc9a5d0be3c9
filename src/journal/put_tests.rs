//! Files that are written or copied.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::Action;
use super::manifest_for_tests::whole;
use super::tests::{away, fresh, run, run_undo};

pub(super) fn put(path: &str, text: &str) -> Action {
    Action::PutFile {
        path: path.into(),
        text: text.into(),
        mode: 0o640,
        uid: 0,
        gid: 0,
        xattrs: Vec::new(),
    }
}

#[test]
fn a_file_is_put_in_the_place_of_another_and_undo_brings_the_other_back() {
    let dir = fresh();
    fs::write(dir.path().join("conf"), "old\n").unwrap();
    let before = whole(dir.path());
    let done = run(dir.path(), &[away("/conf"), put("/conf", "new\n")]).unwrap();
    let conf = dir.path().join("conf");
    assert_eq!(fs::read_to_string(&conf).unwrap(), "new\n");
    assert_eq!(conf.metadata().unwrap().mode() & 0o7777, 0o640);
    run_undo(dir.path(), &done.id).unwrap();
    assert_eq!(before, whole(dir.path()));
}

#[test]
fn what_is_copied_must_be_what_was_judged() {
    let dir = fresh();
    fs::write(dir.path().join("conf"), "new\n").unwrap();
    let before = whole(dir.path());
    let copy = |size| Action::Copy {
        path: "/copy".into(),
        source: "/conf".into(),
        size,
        mode: 0o600,
        uid: 0,
        gid: 0,
    };
    for size in [3, 5] {
        let refused = run(dir.path(), &[copy(size)]).unwrap_err().to_string();
        assert!(refused.contains("/conf has not the"), "{refused}");
        assert_eq!(before, whole(dir.path()));
    }
    let done = run(dir.path(), &[copy(4)]).unwrap();
    fs::write(dir.path().join("copy"), "somebody's work\n").unwrap();
    let refused = run_undo(dir.path(), &done.id).unwrap_err().to_string();
    assert!(refused.contains("edited"), "{refused}");
}

#[test]
fn a_file_that_was_edited_since_is_not_taken_away() {
    let dir = fresh();
    let done = run(dir.path(), &[put("/conf", "ours\n")]).unwrap();
    fs::write(dir.path().join("conf"), "somebody's work\n").unwrap();
    let refused = run_undo(dir.path(), &done.id).unwrap_err();
    assert!(refused.to_string().contains("edited"), "{refused:#}");
    let left = fs::read_to_string(dir.path().join("conf")).unwrap();
    assert_eq!(left, "somebody's work\n");
}
