//! Cut off at every step, then finished or taken back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;

use super::manifest_for_tests::{Manifest, actions, after, build, whole};
use super::tests::{listed, run, run_resume, run_undo};
use super::*;
use crate::sys::failpoint::{Reaction, arm, disarm};

/// More stops than any of these operations has.
const ENOUGH: usize = 1000;

/// In memory where possible: thousands of syncs.
fn fresh() -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let dir = dir.unwrap();
    build(dir.path());
    dir
}

/// Others than root cannot set the mark of `/`, without which the time of `/`
/// is lost in some cuts (`docs/journal.md`).
fn skipped() -> bool {
    let skipped = !nix::unistd::geteuid().is_root();
    if skipped {
        eprintln!("skipped: only root can mark a root");
    }
    skipped
}

struct Cut;

/// Runs `work` until its `stop`-th stop and drops it there, like a kill: no
/// code of the journal runs when its values are dropped. True when it was cut.
pub(super) fn cut<T>(stop: usize, work: impl FnOnce() -> T) -> bool {
    let mut passed = 0;
    arm(Box::new(move |_| {
        if passed == stop {
            resume_unwind(Box::new(Cut));
        }
        passed += 1;
        Reaction::Continue
    }));
    let ended = catch_unwind(AssertUnwindSafe(work));
    disarm();
    match ended {
        Ok(_) => false,
        Err(what) if what.is::<Cut>() => true,
        Err(what) => resume_unwind(what),
    }
}

/// What a finished commit gives.
fn wanted() -> (Manifest, Manifest) {
    let dir = fresh();
    let before = whole(dir.path());
    run(dir.path(), &actions()).unwrap();
    (before, after(dir.path()))
}

/// The one transaction there is, if any.
fn the_one(root: &Path) -> Option<Transaction> {
    let mut found = listed(root);
    assert!(found.len() <= 1, "{found:?}");
    found.pop()
}

fn assert_finished(root: &Path, before: &Manifest, then: &Manifest, note: &str) {
    let Some(one) = the_one(root) else {
        assert_eq!(&whole(root), before, "{note}");
        return;
    };
    match run_resume(root, &one.id).unwrap().outcome {
        Outcome::Committed => {
            assert_eq!(&after(root), then, "{note}");
            assert_eq!(the_one(root).unwrap().state, State::Committed, "{note}");
        }
        Outcome::Undone => assert_eq!(&whole(root), before, "{note}"),
    }
}

fn assert_undone(root: &Path, before: &Manifest, note: &str) {
    if let Some(one) = the_one(root) {
        run_undo(root, &one.id).unwrap_or_else(|e| panic!("{note}: {e:#}"));
    }
    assert_eq!(&whole(root), before, "{note}");
    assert!(listed(root).is_empty(), "{note}");
}

#[test]
fn a_commit_cut_at_any_step_is_finished_or_taken_back() {
    if skipped() {
        return;
    }
    let (before, then) = wanted();
    for stop in 0..ENOUGH {
        let (one, two) = (fresh(), fresh());
        let was_cut = cut(stop, || run(one.path(), &actions()));
        cut(stop, || run(two.path(), &actions()));
        assert_finished(one.path(), &before, &then, &format!("stop {stop}"));
        assert_undone(one.path(), &before, &format!("stop {stop}, resumed"));
        assert_undone(two.path(), &before, &format!("stop {stop}"));
        if !was_cut {
            assert!(stop >= 60, "only {stop} stops");
            return;
        }
    }
    panic!("it never came to an end");
}

#[test]
fn an_undo_cut_at_any_step_is_finished() {
    if skipped() {
        return;
    }
    let (before, then) = wanted();
    for stop in 0..ENOUGH {
        let (one, two) = (fresh(), fresh());
        let mut was_cut = false;
        for dir in [&one, &two] {
            let id = run(dir.path(), &actions()).unwrap().id;
            was_cut = cut(stop, || run_undo(dir.path(), &id));
        }
        assert_finished(one.path(), &before, &then, &format!("stop {stop}"));
        assert_undone(one.path(), &before, &format!("stop {stop}, resumed"));
        assert_undone(two.path(), &before, &format!("stop {stop}"));
        if !was_cut {
            assert!(stop >= 60, "only {stop} stops");
            return;
        }
    }
    panic!("it never came to an end");
}

/// Cut, and what is to help is cut again.
#[test]
fn a_second_cut_does_no_harm() {
    if skipped() {
        return;
    }
    let (before, then) = wanted();
    for stop in 0..ENOUGH {
        let mut commit_was_cut = false;
        // Not every pair, but over all first stops every second one.
        for again in (stop % 5..ENOUGH).step_by(5) {
            let (one, two) = (fresh(), fresh());
            commit_was_cut = cut(stop, || run(one.path(), &actions()));
            cut(stop, || run(two.path(), &actions()));
            let mut cuts = 0;
            if let Some(found) = the_one(one.path()) {
                cuts += usize::from(cut(again, || run_resume(one.path(), &found.id)));
                cuts += usize::from(cut(again, || run_undo(two.path(), &found.id)));
            }
            let note = format!("stops {stop} and {again}");
            assert_finished(one.path(), &before, &then, &note);
            assert_undone(two.path(), &before, &note);
            if cuts == 0 {
                break;
            }
        }
        if !commit_was_cut {
            return;
        }
    }
    panic!("it never came to an end");
}

#[test]
fn a_commit_that_fails_at_any_step_is_taken_back() {
    let (before, then) = wanted();
    for stop in 0..ENOUGH {
        let dir = fresh();
        let mut passed = 0;
        arm(Box::new(move |_| {
            passed += 1;
            match passed == stop + 1 {
                true => Reaction::Error,
                false => Reaction::Continue,
            }
        }));
        let answer = run(dir.path(), &actions());
        disarm();
        let Err(failed) = answer else {
            assert_eq!(after(dir.path()), then);
            return;
        };
        assert!(
            matches!(failed.left, Left::Nothing),
            "stop {stop}: {failed}"
        );
        assert!(failed.to_string().contains("failpoint"), "{failed}");
        assert_eq!(whole(dir.path()), before, "stop {stop}: {failed}");
    }
    panic!("it never came to an end");
}

#[test]
fn when_taking_back_fails_too_both_errors_are_told_and_undo_can_be_repeated() {
    if skipped() {
        return;
    }
    let (before, _) = wanted();
    for stop in 0..ENOUGH {
        let dir = fresh();
        let mut passed = 0;
        arm(Box::new(move |_| {
            passed += 1;
            match passed > stop {
                true => Reaction::Error,
                false => Reaction::Continue,
            }
        }));
        let answer = run(dir.path(), &actions());
        disarm();
        let Err(failed) = answer else { return };
        if let Left::Open { error, .. } = &failed.left {
            let text = failed.to_string();
            assert!(text.contains(&error.to_string()), "{text}");
            assert!(text.matches("failpoint").count() == 2, "{text}");
        }
        assert_undone(dir.path(), &before, &format!("stop {stop}: {failed}"));
    }
    panic!("it never came to an end");
}

/// Runs in a child process: `ROOT`, `STOP` and `commit` or an id to undo.
#[test]
fn child() {
    let Ok(order) = env::var("LIFEBOOT_TEST_CHILD") else {
        return;
    };
    let mut order = order.splitn(3, ' ');
    let mut next = || order.next().unwrap();
    let (stop, what, root) = (next().parse::<usize>().unwrap(), next(), next());
    let mut passed = 0;
    arm(Box::new(move |_| {
        passed += 1;
        match passed > stop {
            true => Reaction::Abort,
            false => Reaction::Continue,
        }
    }));
    match what {
        "commit" => drop(run(Path::new(root), &actions()).unwrap()),
        id => drop(run_undo(Path::new(root), id).unwrap()),
    }
}

/// True when the child was killed at the stop.
fn abort_at(stop: usize, what: &str, root: &Path) -> bool {
    let order = format!("{stop} {what} {}", root.display());
    let ended = Command::new(env::current_exe().unwrap())
        .args(["--exact", "journal::crash_tests::child", "--nocapture"])
        .env("LIFEBOOT_TEST_CHILD", order)
        .output()
        .unwrap();
    use std::os::unix::process::ExitStatusExt;
    let killed = ended.status.signal() == Some(nix::libc::SIGABRT);
    assert!(killed || ended.status.success(), "{ended:?}");
    killed
}

#[test]
fn a_process_killed_at_any_step_leaves_what_the_next_one_finishes() {
    if skipped() {
        return;
    }
    let (before, then) = wanted();
    for stop in 0..ENOUGH {
        let (one, two, three) = (fresh(), fresh(), fresh());
        let id = run(three.path(), &actions()).unwrap().id;
        let more = [
            abort_at(stop, "commit", one.path()),
            abort_at(stop, "commit", two.path()),
            abort_at(stop, &id, three.path()),
        ];
        let note = format!("stop {stop}");
        assert_finished(one.path(), &before, &then, &note);
        assert_undone(two.path(), &before, &note);
        assert_finished(three.path(), &before, &then, &note);
        if more == [false; 3] {
            return;
        }
    }
    panic!("it never came to an end");
}
