#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::manifest_for_tests::{actions, after, build, odd_name, stock, whole};
use super::put_tests::put;
use super::*;
use crate::sys::root_dir::Resolver;

pub(super) fn token() -> WriteToken {
    WriteToken::granted("the test said yes")
}

pub(super) fn header() -> Header {
    Header::new(vec!["put /usr/sbin back".into()])
}

pub(super) fn run(root: &Path, actions: &[Action]) -> Result<Summary, Failed> {
    let root = RootDir::open(root).unwrap();
    let said = Ran {
        output: "Setting up libc6\n".into(),
        ..Ran::default()
    };
    let supplies = Supplies {
        stock: &stock(),
        disks: &Disks::default(),
        programs: &[said],
    };
    commit_with(&root, &token(), header(), actions, supplies, &mut |_| {})
}

pub(super) fn run_undo(root: &Path, id: &str) -> Result<Summary> {
    let root = RootDir::open(root).unwrap();
    undo(&root, &token(), id, &mut |_| {})
}

pub(super) fn run_resume(root: &Path, id: &str) -> Result<Summary> {
    let root = RootDir::open(root).unwrap();
    resume(&root, &token(), id, &mut |_| {})
}

pub(super) fn listed(root: &Path) -> Vec<Transaction> {
    list(&RootDir::open(root).unwrap()).unwrap()
}

pub(super) fn fresh() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path());
    dir
}

pub(super) fn away(path: &str) -> Action {
    Action::Quarantine { path: path.into() }
}

fn rename(from: &str, to: &str) -> Action {
    let (from, to) = (from.into(), to.into());
    Action::Rename { from, to }
}

#[test]
fn a_commit_does_what_was_asked_and_undo_gives_the_tree_back() {
    let dir = fresh();
    let before = whole(dir.path());
    let done = run(dir.path(), &actions()).unwrap();
    assert_eq!((done.outcome, done.actions), (Outcome::Committed, 20));

    let at = |path: &str| dir.path().join(path);
    assert_eq!(fs::read_link(at("sbin")).unwrap(), Path::new("usr/sbin"));
    assert_eq!(
        fs::read_to_string(at("usr/sbin/landed")).unwrap(),
        "in the wrong place"
    );
    assert_eq!(
        fs::read(at("usr/sbin/sub").join(odd_name())).unwrap(),
        b"odd"
    );
    assert_eq!(fs::read_to_string(at("usr/lib/new/init")).unwrap(), "init");
    assert_eq!(fs::read_to_string(at("copied")).unwrap(), "packed");
    assert_eq!(fs::metadata(at("copied")).unwrap().mode() & 0o7777, 0o4755);
    assert_eq!(
        fs::symlink_metadata(at("lib/new")).unwrap().mode() & 0o7777,
        0o2750
    );
    for gone in ["empty", "var/log", "usr/sbin.backup", "usr/bin/landed"] {
        assert!(at(gone).symlink_metadata().is_err(), "{gone}");
    }
    let stored = listed(dir.path());
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].state, State::Committed);
    assert_eq!(stored[0].actions, actions());
    assert_eq!(stored[0].consent, "the test said yes");
    assert_eq!(
        at(".lifeboot").symlink_metadata().unwrap().mode() & 0o7777,
        0o700
    );

    let taken_back = run_undo(dir.path(), &done.id).unwrap();
    assert_eq!(
        (taken_back.outcome, taken_back.actions),
        (Outcome::Undone, 20)
    );
    assert_eq!(whole(dir.path()), before);
    assert!(listed(dir.path()).is_empty());
}

#[test]
fn both_resolvers_and_a_root_without_the_mark_give_the_same() {
    let dir = fresh();
    let before = whole(dir.path());
    let root = RootDir::open_with(dir.path(), Resolver::Walk).unwrap();
    let done = commit_from(&root, &token(), header(), &actions(), &stock(), &mut |_| {}).unwrap();
    // As on a filesystem without extended attributes.
    let write = WriteRoot::new(&root, &token()).map(|w| w.clear_mark());
    write.unwrap().unwrap();
    undo(&root, &token(), &done.id, &mut |_| {}).unwrap();
    assert_eq!(whole(dir.path()), before);
}

#[test]
fn transactions_stack_and_only_the_newest_is_undone() {
    let dir = fresh();
    let before = whole(dir.path());
    let first = run(dir.path(), &[away("/usr/sbin")]).unwrap().id;
    let between = whole(dir.path());
    let second = run(dir.path(), &[rename("/usr/sbin.backup", "/usr/sbin")])
        .unwrap()
        .id;
    assert!(second > first);
    let refused = run_undo(dir.path(), &first).unwrap_err().to_string();
    assert!(
        refused.contains(&second) && refused.contains("newer"),
        "{refused}"
    );
    run_undo(dir.path(), &second).unwrap();
    let mut now = whole(dir.path());
    let mut then = between;
    // The journal's own directory has a new time, everything else has not.
    now.remove(Path::new(".lifeboot/journal"));
    then.remove(Path::new(".lifeboot/journal"));
    assert_eq!(now, then);
    run_undo(dir.path(), &first).unwrap();
    assert_eq!(whole(dir.path()), before);
}

#[test]
fn names_sort_even_when_the_clock_goes_backwards() {
    let dir = fresh();
    let root = RootDir::open(dir.path()).unwrap();
    let at = |time| Header { time, ..header() };
    let mut ids = Vec::new();
    for (time, path) in [(2_000_000_000, "/lib"), (5, "/empty"), (5, "/usr/share")] {
        let done = commit(&root, &token(), at(time), &[away(path)], &mut |_| {});
        ids.push(done.unwrap().id);
    }
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(ids[0].starts_with("20330518T033320Z-"), "{}", ids[0]);
}

/// Every one of these is refused before anything was written.
#[test]
fn what_cannot_be_done_is_refused_with_the_path() {
    let make = |path: &str| Action::MakeDirectory {
        path: path.into(),
        mode: 0o755,
        uid: 0,
        gid: 0,
        xattrs: Vec::new(),
    };
    let link = |path: &str, target: &str| Action::Symlink {
        path: path.into(),
        target: target.into(),
    };
    let empty = |path: &str| Action::RemoveEmptyDirectory { path: path.into() };
    let cases: Vec<(Vec<Action>, &str)> = vec![
        (vec![], "nothing to do"),
        (vec![away("/no/such")], "/no is not there"),
        (vec![away("/usr/gone")], "/usr/gone is not there"),
        (vec![away("/")], "no absolute path"),
        (vec![away("usr/sbin")], "no absolute path"),
        (vec![away("/usr/../lib")], "no absolute path"),
        (vec![away("/usr/bin/sh/x")], "/usr/bin/sh is no directory"),
        (vec![away("/.lifeboot")], "/.lifeboot is not there"),
        (
            vec![rename("/usr/bin/sh", "/usr/sbin")],
            "/usr/sbin is already there",
        ),
        (vec![rename("/usr", "/usr/bin/x")], "into itself"),
        (vec![make("/.lifeboot")], "journal"),
        (vec![make("/empty")], "already there"),
        (vec![link("/x", "")], "cannot say"),
        (vec![empty("/usr")], "/usr is not empty"),
        (vec![empty("/usr/sbin")], "/usr/sbin is no directory"),
        (vec![away("/lib"), away("/lib/x")], "/lib is not there"),
        (
            vec![make("/a"), rename("/usr/bin/sh", "/a/sh"), empty("/a")],
            "/a is not empty",
        ),
        (vec![make("/a"), rename("/a", "/b")], "made and moved"),
        (
            vec![rename("/usr/bin/sh", "/empty/sh"), empty("/empty")],
            "/empty is not empty",
        ),
    ];
    let dir = fresh();
    symlink("a", dir.path().join("b1")).unwrap();
    let before = whole(dir.path());
    for (wanted, text) in cases {
        let error = run(dir.path(), &wanted).unwrap_err();
        assert!(matches!(error.left, Left::Nothing), "{error}");
        assert!(error.to_string().contains(text), "{error} / {text}");
        assert_eq!(whole(dir.path()), before, "{text}");
    }
}

#[test]
fn later_steps_are_judged_by_what_earlier_ones_do() {
    let dir = fresh();
    let before = whole(dir.path());
    let steps = [
        rename("/usr/bin/sh", "/empty/sh"),
        rename("/empty/sh", "/usr/bin/sh"),
        rename("/usr", "/usr.moved"),
        Action::Symlink {
            path: "/usr".into(),
            target: "usr.moved/../usr.moved".into(),
        },
        rename("/lib/caf", "/x"),
    ];
    let error = run(dir.path(), &steps).unwrap_err().to_string();
    assert!(error.contains("/lib/caf is not there"), "{error}");
    let done = run(dir.path(), &steps[..4]).unwrap();
    assert!(dir.path().join("usr/bin/sh").exists());
    run_undo(dir.path(), &done.id).unwrap();
    assert_eq!(whole(dir.path()), before);
}

#[test]
fn undo_refuses_when_the_tree_changed_since() {
    type Change = fn(&Path);
    let cases: [(Change, &str); 4] = [
        (
            |root| fs::remove_dir_all(root.join("usr/sbin")).unwrap(),
            "/usr/sbin",
        ),
        (
            |root| fs::create_dir(root.join("empty")).unwrap(),
            "/empty is already there",
        ),
        (
            |root| {
                fs::remove_file(root.join("sbin")).unwrap();
                symlink("usr/bin", root.join("sbin")).unwrap();
            },
            "/sbin is not what the journal noted",
        ),
        (
            |root| fs::write(root.join("usr/lib/new/mine"), "x").unwrap(),
            "/usr/lib/new is not empty",
        ),
    ];
    for (change, text) in cases {
        let dir = fresh();
        let done = run(dir.path(), &actions()).unwrap();
        change(dir.path());
        let changed = whole(dir.path());
        let error = format!("{:#}", run_undo(dir.path(), &done.id).unwrap_err());
        assert!(error.contains(text), "{error} / {text}");
        assert_eq!(whole(dir.path()), changed, "{text}");
    }
}

#[test]
fn undo_keeps_what_was_changed_inside_what_it_moves_back() {
    let dir = fresh();
    let done = run(dir.path(), &actions()).unwrap();
    fs::write(dir.path().join("usr/sbin/since"), "new").unwrap();
    run_undo(dir.path(), &done.id).unwrap();
    let kept = dir.path().join("usr/sbin.backup/since");
    assert_eq!(fs::read_to_string(kept).unwrap(), "new");
}

#[test]
fn the_observer_hears_every_step_both_ways() {
    let dir = fresh();
    let root = RootDir::open(dir.path()).unwrap();
    let mut heard = Vec::new();
    let mut note = |p: &Progress<'_>| heard.push((p.index, p.undo, p.action.to_string()));
    let id = commit(&root, &token(), header(), &actions()[..2], &mut note)
        .unwrap()
        .id;
    undo(&root, &token(), &id, &mut note).unwrap();
    let order: Vec<_> = heard.iter().map(|(i, undo, _)| (*i, *undo)).collect();
    assert_eq!(order, [(0, false), (1, false), (1, true), (0, true)]);
    assert_eq!(heard[1].2, "move /usr/sbin into quarantine");
}

#[test]
fn one_writer_at_a_time() {
    let dir = fresh();
    let root = RootDir::open(dir.path()).unwrap();
    let token = token();
    let _first = WriteRoot::new(&root, &token).unwrap();
    let error = run(dir.path(), &actions()).unwrap_err().to_string();
    assert!(error.contains("another Lifeboot"), "{error}");
}

#[test]
fn preflight_reads_only() {
    let dir = fresh();
    let before = whole(dir.path());
    let root = RootDir::open(dir.path()).unwrap();
    preflight(&root, &actions()[..11]).unwrap();
    assert!(preflight(&root, &[away("/gone")]).is_err());
    assert_eq!(whole(dir.path()), before);
}

#[test]
fn paths_survive_json() {
    let odd: PathBuf = Path::new("/a").join(odd_name());
    let text = serde_json::to_string(&away_path(&odd)).unwrap();
    assert_eq!(
        text,
        r#"{"action":"quarantine","path":"/a/caf%E9%252F%0A"}"#
    );
    assert_eq!(
        serde_json::from_str::<Action>(&text).unwrap(),
        away_path(&odd)
    );
    for wrong in ["%", "%1", "%zz", "a%+1"] {
        assert_eq!(encoded::decode(wrong), None, "{wrong}");
    }
}

fn away_path(path: &Path) -> Action {
    Action::Quarantine { path: path.into() }
}

#[test]
fn the_tree_after_a_commit_does_not_depend_on_the_journal() {
    let (one, two) = (fresh(), fresh());
    run(one.path(), &actions()).unwrap();
    run(two.path(), &actions()).unwrap();
    assert_eq!(after(one.path()), after(two.path()));
}

#[test]
fn a_note_of_lasting_work_stays_and_hinders_no_older_undo() {
    let dir = fresh();
    let done = run(dir.path(), &[put("/conf", "ours\n")]).unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    let noted = note(&root, &token(), "re-add b".into(), "it overwrites b").unwrap();
    let refused = run_undo(dir.path(), &noted.id).unwrap_err();
    assert!(refused.to_string().contains("overwrites"), "{refused:#}");
    run_undo(dir.path(), &done.id).unwrap();
    let left = listed(dir.path());
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].lasting(), Some("it overwrites b"));
}
