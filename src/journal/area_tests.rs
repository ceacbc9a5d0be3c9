//! Boot areas: cut off at every step, then finished or taken back; and refused.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use super::crash_tests::cut;
use super::manifest_for_tests::{Manifest, actions, after, build, stock, whole};
use super::tests::{header, listed, token};
use super::*;
use crate::sys::failpoint::{Reaction, arm, disarm};

/// More stops than any of these operations has.
const ENOUGH: usize = 1000;

/// The gap before the first partition, and where in it the core goes.
const GAP: Range<u64> = 512..32_768;
const CORE: usize = 1024;
const CORE_BYTES: usize = 5_000;

/// A patient's root and one of its disks.
struct Patient {
    dir: tempfile::TempDir,
}

impl Patient {
    fn new() -> Self {
        // In memory where possible: thousands of syncs.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let one = Self { dir: dir.unwrap() };
        fs::create_dir(one.root()).unwrap();
        build(&one.root());
        let bytes: Vec<u8> = (0..65_536_usize)
            .map(|i| (i * 7 % 251).to_le_bytes()[0])
            .collect();
        fs::write(one.disk(), bytes).unwrap();
        one
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn disk(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn known(&self) -> KnownDisk {
        KnownDisk {
            name: DiskName {
                called: "sdb".into(),
                bytes: 65_536,
                table: Some("mbr 12345678".into()),
                serial: Some("S1".into()),
            },
            path: self.disk(),
            areas: vec![0..440, GAP],
        }
    }

    /// Files first, then the core, then the boot code, then files again.
    fn plan(&self) -> (Vec<Action>, Disks) {
        let known = self.known();
        let name = known.name.clone();
        let mut disks = Disks::new(vec![known]);
        let now = fs::read(self.disk()).unwrap();
        let core = CORE..CORE + CORE_BYTES;
        let core = disks.boot_area(
            name.clone(),
            CORE as u64,
            &now[core],
            vec![0xC0; CORE_BYTES],
        );
        let boot = disks.boot_area(name, 0, &now[..440], vec![0xB0; 440]);
        let mut all = actions();
        all.insert(3, core);
        all.insert(12, boot);
        (all, disks)
    }

    fn run(&self) -> Result<Summary, Failed> {
        let (actions, disks) = self.plan();
        self.run_with(&actions, &disks)
    }

    fn run_with(&self, actions: &[Action], disks: &Disks) -> Result<Summary, Failed> {
        let root = RootDir::open(self.root()).unwrap();
        let stock = &stock();
        let supplies = Supplies::new(stock, disks);
        commit_with(&root, &token(), header(), actions, supplies, &mut |_| {})
    }

    fn undo(&self, id: &str) -> Result<Summary> {
        self.undo_on(id, &Disks::new(vec![self.known()]))
    }

    fn undo_on(&self, id: &str, disks: &Disks) -> Result<Summary> {
        let root = RootDir::open(self.root()).unwrap();
        undo_with(&root, &token(), id, (disks, &mut |_| {}))
    }

    fn resume(&self, id: &str) -> Result<Summary> {
        let root = RootDir::open(self.root()).unwrap();
        let disks = Disks::new(vec![self.known()]);
        resume_with(&root, &token(), id, (&disks, &mut |_| {}))
    }

    fn the_one(&self) -> Option<Transaction> {
        let mut found = listed(&self.root());
        assert!(found.len() <= 1, "{found:?}");
        found.pop()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.disk()).unwrap()
    }

    /// The tree and the disk are what a repair makes of them.
    fn assert_done(&self, then: &Manifest, old: &[u8], note: &str) {
        assert_eq!(&after(&self.root()), then, "{note}");
        let now = self.bytes();
        let end = CORE + CORE_BYTES;
        assert!(now[..440] == [0xB0; 440], "{note}");
        assert!(now[440..1024] == old[440..1024], "{note}");
        assert!(now[1024..end] == [0xC0; CORE_BYTES], "{note}");
        assert!(now[end..] == old[end..], "{note}");
    }

    fn assert_finished(&self, before: &Wanted, note: &str) {
        let Some(one) = self.the_one() else {
            assert_eq!(whole(&self.root()), before.tree, "{note}");
            assert!(self.bytes() == before.disk, "{note}");
            return;
        };
        let ended = self.resume(&one.id);
        match ended.unwrap_or_else(|e| panic!("{note}: {e:#}")).outcome {
            Outcome::Committed => self.assert_done(&before.then, &before.disk, note),
            Outcome::Undone => {
                assert_eq!(whole(&self.root()), before.tree, "{note}");
                assert!(self.bytes() == before.disk, "{note}");
            }
        }
    }

    fn assert_undone(&self, before: &Wanted, note: &str) {
        if let Some(one) = self.the_one() {
            self.undo(&one.id)
                .unwrap_or_else(|e| panic!("{note}: {e:#}"));
        }
        assert_eq!(whole(&self.root()), before.tree, "{note}");
        assert!(self.bytes() == before.disk, "{note}");
        assert!(listed(&self.root()).is_empty(), "{note}");
    }
}

/// What is before and after.
struct Wanted {
    tree: Manifest,
    disk: Vec<u8>,
    then: Manifest,
}

impl Wanted {
    fn new() -> Self {
        let one = Patient::new();
        let (tree, disk) = (whole(&one.root()), one.bytes());
        one.run().unwrap();
        let then = after(&one.root());
        one.assert_done(&then, &disk, "uncut");
        Self { tree, disk, then }
    }
}

/// Others than root cannot set the mark of `/`.
fn skipped() -> bool {
    let skipped = !nix::unistd::geteuid().is_root();
    if skipped {
        eprintln!("skipped: only root can mark a root");
    }
    skipped
}

/// As a power cut leaves a disk that wrote its sectors in any order: every
/// second one of those that were written is old again.
fn lose_some(disk: &Path, old: &[u8], area: &Range<usize>, odd: bool) {
    let mut now = fs::read(disk).unwrap();
    let old = &old[area.clone()];
    let now_there = now[area.clone()].chunks_mut(512);
    for (number, (now, old)) in now_there.zip(old.chunks(512)).enumerate() {
        if (number % 2 == 1) == odd {
            now.copy_from_slice(old);
        }
    }
    fs::write(disk, now).unwrap();
}

#[test]
fn a_commit_or_undo_cut_at_any_step_is_finished_or_taken_back() {
    if skipped() {
        return;
    }
    let before = Wanted::new();
    for undo in [false, true] {
        for stop in 0..ENOUGH {
            let (one, two) = (Patient::new(), Patient::new());
            let mut was_cut = false;
            for patient in [&one, &two] {
                was_cut = match undo {
                    false => cut(stop, || patient.run()),
                    true => {
                        let id = patient.run().unwrap().id;
                        cut(stop, || patient.undo(&id))
                    }
                };
            }
            let note = format!("stop {stop}, undo {undo}");
            one.assert_finished(&before, &note);
            one.assert_undone(&before, &format!("{note}, resumed"));
            two.assert_undone(&before, &note);
            if !was_cut {
                assert!(stop >= 60, "only {stop} stops");
                break;
            }
            assert!(stop + 1 < ENOUGH, "it never came to an end");
        }
    }
}

#[test]
fn sectors_that_a_power_cut_lost_are_written_again_forward_or_back() {
    if skipped() {
        return;
    }
    let before = Wanted::new();
    for (name, odd) in [
        ("area/half", false),
        ("area/written", true),
        ("area/written", false),
    ] {
        for passages in [1, 2] {
            for undo in [false, true] {
                let note = format!("{name} {passages} {odd} {undo}");
                let core = CORE..CORE + CORE_BYTES;
                let area = if (passages == 1) == undo {
                    0..440
                } else {
                    core
                };
                let (one, two) = (Patient::new(), Patient::new());
                for patient in [&one, &two] {
                    let id = undo.then(|| patient.run().unwrap().id);
                    let from = patient.bytes();
                    stop_at(name, passages, || match &id {
                        Some(id) => drop(patient.undo(id)),
                        None => drop(patient.run()),
                    });
                    lose_some(&patient.disk(), &from, &area, odd);
                }
                one.assert_finished(&before, &note);
                one.assert_undone(&before, &note);
                two.assert_undone(&before, &note);
            }
        }
    }
}

/// Half written, then an undo is cut at any step, then it is finished.
#[test]
fn an_undo_of_a_half_written_area_cut_at_any_step_is_finished_or_repeated() {
    if skipped() {
        return;
    }
    let before = Wanted::new();
    for stop in 0..ENOUGH {
        let (one, two) = (Patient::new(), Patient::new());
        let mut was_cut = false;
        for patient in [&one, &two] {
            stop_at("area/half", 1, || drop(patient.run()));
            let id = patient.the_one().unwrap().id;
            was_cut = cut(stop, || patient.undo(&id));
        }
        let note = format!("stop {stop}");
        one.assert_finished(&before, &note);
        one.assert_undone(&before, &note);
        two.assert_undone(&before, &note);
        if !was_cut {
            assert!(stop >= 10, "only {stop} stops");
            return;
        }
    }
    panic!("it never came to an end");
}

/// Cuts `work` at the passage of a stop.
fn stop_at(name: &'static str, passages: usize, work: impl FnOnce()) {
    let mut passed = 0;
    arm(Box::new(move |stop| {
        passed += usize::from(stop == name);
        if stop == name && passed == passages {
            resume_unwind(Box::new("cut"));
        }
        Reaction::Continue
    }));
    let ended = catch_unwind(AssertUnwindSafe(work));
    disarm();
    assert!(ended.is_err(), "{name} was not passed {passages} times");
}

#[test]
fn a_commit_that_fails_at_any_step_is_taken_back() {
    if skipped() {
        return;
    }
    let before = Wanted::new();
    for stop in 0..ENOUGH {
        let one = Patient::new();
        let mut passed = 0;
        arm(Box::new(move |_| {
            passed += 1;
            match passed == stop + 1 {
                true => Reaction::Error,
                false => Reaction::Continue,
            }
        }));
        let answer = one.run();
        disarm();
        let note = format!("stop {stop}");
        let Err(failed) = answer else {
            one.assert_done(&before.then, &before.disk, &note);
            return;
        };
        assert!(matches!(failed.left, Left::Nothing), "{note}: {failed}");
        assert_eq!(whole(&one.root()), before.tree, "{note}: {failed}");
        assert!(one.bytes() == before.disk, "{note}: {failed}");
    }
    panic!("it never came to an end");
}

#[path = "area_refusal_tests.rs"]
mod refusals;
