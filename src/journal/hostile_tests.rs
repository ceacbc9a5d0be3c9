//! The patient's disk is hostile, or torn.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::manifest_for_tests::{actions, stock, whole};
use super::record::{Record, read_story};
use super::tests::{fresh, header, listed, run, run_resume, run_undo, token};
use super::*;

fn journal(root: &Path, id: &str) -> PathBuf {
    root.join(".lifeboot/journal").join(id).join("journal")
}

#[test]
fn a_home_that_is_not_ours_is_refused_and_left_alone() {
    type Put = fn(&Path, &Path);
    let cases: [Put; 5] = [
        |home, _| symlink("/etc", home).unwrap(),
        |home, outside| symlink(outside, home).unwrap(),
        |home, _| fs::write(home, "a file").unwrap(),
        |home, outside| {
            fs::create_dir(home).unwrap();
            symlink(outside, home.join("journal")).unwrap();
        },
        |home, _| {
            fs::create_dir(home).unwrap();
            fs::write(home.join("journal"), "a file").unwrap();
        },
    ];
    for (index, put) in cases.iter().enumerate() {
        let outside = tempfile::tempdir().unwrap();
        let dir = fresh();
        put(&dir.path().join(".lifeboot"), outside.path());
        let before = whole(dir.path());
        let root = RootDir::open(dir.path()).unwrap();
        let error = format!("{:#}", list(&root).unwrap_err());
        assert!(error.contains("not Lifeboot's"), "{index}: {error}");
        let error = run(dir.path(), &actions()).unwrap_err();
        assert!(matches!(error.left, Left::Nothing), "{index}: {error}");
        assert!(run_undo(dir.path(), "x").is_err());
        assert_eq!(whole(dir.path()), before, "{index}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_that_is_no_transaction_stops_a_commit() {
    let dir = fresh();
    fs::create_dir_all(dir.path().join(".lifeboot/journal/mine")).unwrap();
    let error = run(dir.path(), &actions()).unwrap_err().to_string();
    assert!(error.contains("mine is damaged"), "{error}");
    assert!(run_undo(dir.path(), "mine").is_err());
    assert!(run_undo(dir.path(), "../../usr").is_err());
    assert!(dir.path().join(".lifeboot/journal/mine").exists());
}

/// The journal of a finished commit cut at every length: what its records no
/// longer tell is decided by looking at the tree.
#[test]
fn a_torn_journal_is_finished_or_taken_back() {
    let dir = fresh();
    let before = whole(dir.path());
    let steps = &actions()[..4];
    let id = run(dir.path(), steps).unwrap().id;
    let bytes = fs::read(journal(dir.path(), &id)).unwrap();
    let first = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
    for length in 0..bytes.len() {
        fs::write(journal(dir.path(), &id), &bytes[..length]).unwrap();
        let state = listed(dir.path()).remove(0).state;
        if length < first {
            assert!(
                matches!(state, State::Damaged { .. }),
                "{length}: {state:?}"
            );
            assert!(run_resume(dir.path(), &id).is_err());
            assert!(run_undo(dir.path(), &id).is_err());
            continue;
        }
        assert_eq!(state, State::Open, "{length}");
        // More records gone than a power cut can take: finished if the tree
        // still tells, else refused.
        let lost = steps.len() - read_story(&bytes[..length]).unwrap().course.standing;
        let torn = whole(dir.path());
        if let Err(error) = run_resume(dir.path(), &id) {
            assert!(lost > 1, "{length}: {error:#}");
            assert!(run_undo(dir.path(), &id).is_err(), "{length}");
            let mut now = whole(dir.path());
            now.retain(|path, _| !path.ends_with("journal"));
            assert!(
                now.iter()
                    .all(|(path, thing)| torn.get(path) == Some(thing))
            );
            continue;
        }
        assert_eq!(listed(dir.path())[0].state, State::Committed, "{length}");
    }
    fs::write(journal(dir.path(), &id), &bytes).unwrap();
    run_undo(dir.path(), &id).unwrap();
    assert_eq!(whole(dir.path()), before);
}

#[test]
fn a_damaged_journal_is_told_and_not_touched() {
    let dir = fresh();
    let id = run(dir.path(), &actions()).unwrap().id;
    let path = journal(dir.path(), &id);
    let bytes = fs::read(&path).unwrap();
    let mut wrong = bytes.clone();
    wrong[20] ^= 1;
    fs::write(&path, &wrong).unwrap();
    let error = run(dir.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("nothing to do"), "{error}");
    let error = run(dir.path(), &actions()).unwrap_err().to_string();
    assert!(error.contains("is damaged: its first line"), "{error}");
    assert!(run_undo(dir.path(), &id).is_err());
    assert_eq!(fs::read(&path).unwrap(), wrong);

    // Its journal lost altogether, but files in quarantine: never cleared.
    fs::remove_file(&path).unwrap();
    let state = listed(dir.path()).remove(0).state;
    assert!(matches!(&state, State::Damaged { why } if why.contains("quarantine")));
    assert!(run_undo(dir.path(), &id).is_err());

    // A journal that is a link, a directory, or another transaction's.
    symlink("/usr/bin/sh", &path).unwrap();
    assert!(matches!(
        listed(dir.path()).remove(0).state,
        State::Damaged { .. }
    ));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(
        listed(dir.path()).remove(0).state,
        State::Damaged { .. }
    ));
    fs::remove_dir(&path).unwrap();
    let other = String::from_utf8(bytes)
        .unwrap()
        .replace(&id, "20000101T000000Z-00000000");
    let json = &other.lines().next().unwrap()[9..];
    let line = format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
    fs::write(&path, line).unwrap();
    let state = listed(dir.path()).remove(0).state;
    assert!(
        matches!(&state, State::Damaged { why } if why.contains("20000101")),
        "{state:?}"
    );
}

/// After the commit a parent is swapped for a link that leads out.
#[test]
fn a_parent_swapped_for_a_link_stops_the_undo() {
    for to in ["outside", "/usr/share", "../../../../../../tmp"] {
        let dir = fresh();
        let outside = tempfile::tempdir().unwrap();
        let target = match to {
            "outside" => outside.path().to_owned(),
            inside => inside.into(),
        };
        let id = run(dir.path(), &actions()).unwrap().id;
        fs::rename(dir.path().join("usr/bin"), dir.path().join("usr/hidden")).unwrap();
        symlink(target, dir.path().join("usr/bin")).unwrap();
        let swapped = whole(dir.path());
        let error = format!("{:#}", run_undo(dir.path(), &id).unwrap_err());
        assert!(error.contains("/usr/bin"), "{error}");
        assert_eq!(whole(dir.path()), swapped);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

/// A well-formed journal whose steps lead where they must not.
#[test]
fn a_forged_journal_reaches_nothing_outside() {
    let dir = fresh();
    let id = run(dir.path(), &[actions().remove(1)]).unwrap().id;
    let path = journal(dir.path(), &id);
    let bytes = fs::read(&path).unwrap();
    let line = bytes.split(|&b| b == b'\n').next().unwrap();
    let Record::Intent(genuine) = Record::from_line(line).unwrap() else {
        unreachable!();
    };
    symlink("/tmp", dir.path().join("door")).unwrap();
    for to in ["/door/x", "/../x", "/lib/odd", "/usr/bin/sh/x"] {
        let mut forged = genuine.clone();
        forged.steps[0].from = to.into();
        let mut file = fs::File::create(&path).unwrap();
        for record in [
            Record::Intent(forged),
            Record::Done { step: 0 },
            Record::Committed,
        ] {
            file.write_all(&record.to_line().unwrap()).unwrap();
        }
        let before = whole(dir.path());
        assert!(run_undo(dir.path(), &id).is_err(), "{to}");
        assert_eq!(whole(dir.path()), before, "{to}");
    }
}

#[test]
fn an_interrupted_transaction_stops_the_next_commit() {
    let dir = fresh();
    let id = run(dir.path(), &actions()[..2]).unwrap().id;
    let path = journal(dir.path(), &id);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = run(dir.path(), &actions()[2..]).unwrap_err().to_string();
    assert!(error.contains("interrupted"), "{error}");
    let root = RootDir::open(dir.path()).unwrap();
    resume(&root, &token(), &id, &mut |_| {}).unwrap();
    commit_from(
        &root,
        &token(),
        header(),
        &actions()[2..],
        &stock(),
        &mut |_| {},
    )
    .unwrap();
}

/// A foreign file beside the journal is never removed with it.
#[test]
fn files_of_others_in_the_transaction_are_kept() {
    for name in ["note", "quarantine/note"] {
        let dir = fresh();
        let id = run(dir.path(), &actions()).unwrap().id;
        let note = dir.path().join(".lifeboot/journal").join(&id).join(name);
        fs::write(&note, "mine").unwrap();
        let error = format!("{:#}", run_undo(dir.path(), &id).unwrap_err());
        assert!(error.contains("note"), "{error}");
        assert_eq!(fs::read(&note).unwrap(), b"mine");
        fs::remove_file(&note).unwrap();
        run_undo(dir.path(), &id).unwrap();
        assert!(listed(dir.path()).is_empty());
    }
}

#[test]
fn a_target_that_appears_after_the_check_rolls_back() {
    let dir = fresh();
    let before = whole(dir.path());
    let root = RootDir::open(dir.path()).unwrap();
    let place = dir.path().join("usr/lib/new");
    let mut intruder = |p: &Progress<'_>| {
        if p.index == 3 && !p.undo {
            fs::create_dir(&place).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
        }
    };
    let failed = commit_from(
        &root,
        &token(),
        header(),
        &actions(),
        &stock(),
        &mut intruder,
    )
    .unwrap_err();
    assert!(matches!(failed.left, Left::Nothing), "{failed}");
    assert!(failed.to_string().contains("/usr/lib/new"), "{failed}");
    fs::remove_dir(dir.path().join("usr/lib/new")).unwrap();
    let mut now = whole(dir.path());
    // Its own time is the intruder's doing.
    now.remove(Path::new("usr/lib"));
    let mut then = before;
    then.remove(Path::new("usr/lib"));
    assert_eq!(now, then);
}
