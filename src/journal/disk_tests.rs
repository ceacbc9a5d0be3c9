//! On real filesystems in loop devices: power cuts, full disks, borders.
//! Root only; a skip prints why.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

use super::crash_tests::cut;
use super::manifest_for_tests::{Manifest, actions, after, build, stock, whole};
use super::tests::{header, listed, run, run_resume, run_undo, token};
use super::*;
use crate::sys::failpoint::{Reaction, arm, disarm};

/// What is made and how large: xfs takes nothing below 300 MiB.
const FILESYSTEMS: [(&str, &[&str], u64); 2] = [
    ("ext4", &["-q", "-F"], 16 << 20),
    ("xfs", &["-q", "-f"], 300 << 20),
];

fn run_tool(name: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(name).args(args).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// A filesystem in a file, mounted; taken down when dropped.
struct Mounted {
    at: PathBuf,
}

impl Mounted {
    fn new(image: &Path, at: PathBuf, options: &str) -> Result<Self, String> {
        fs::create_dir_all(&at).unwrap();
        let image = image.to_str().unwrap();
        let options = format!("loop,{options}");
        run_tool("mount", &["-o", &options, image, at.to_str().unwrap()])?;
        Ok(Self { at })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A child that another test is just starting may hold a copy of a
        // descriptor for a moment.
        for _ in 0..500 {
            match umount2(&self.at, MntFlags::empty()) {
                Err(Errno::EBUSY) => std::thread::sleep(Duration::from_millis(10)),
                Err(errno) => return eprintln!("unmounting {}: {errno}", self.at.display()),
                Ok(()) => return,
            }
        }
        eprintln!("{} stays mounted", self.at.display());
    }
}

/// Makes an image; `None` with the reason printed where that cannot be done.
fn image(dir: &Path, kind: usize, bytes: u64) -> Option<PathBuf> {
    let (name, args, _) = FILESYSTEMS[kind];
    let path = dir.join(format!("{name}.img"));
    fs::File::create(&path).unwrap().set_len(bytes).unwrap();
    let mut all = args.to_vec();
    all.push(path.to_str().unwrap());
    let made = match nix::unistd::geteuid().is_root() {
        true => run_tool(&format!("mkfs.{name}"), &all),
        false => Err("not root".into()),
    };
    let tried = made.and_then(|()| Mounted::new(&path, dir.join("try"), "rw").map(drop));
    tried
        .inspect_err(|why| eprintln!("skipped on {name}: {why}"))
        .ok()
        .map(|()| path)
}

fn scratch() -> tempfile::TempDir {
    // In memory: thousands of syncs, hundreds of copies.
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn copy_sparse(from: &Path, to: &Path) {
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    run_tool("cp", &["--sparse=always", from, to]).unwrap();
}

/// What the disk holds at each stop of `work`: what was not written to the
/// device by then is not in it, as after a power cut.
fn power_cuts(image: &Path, mut at_each: impl FnMut(&Path), work: impl FnOnce()) -> usize {
    let copies = Rc::new(RefCell::new(Vec::new()));
    let (noted, source) = (copies.clone(), image.to_owned());
    arm(Box::new(move |_| {
        let mut noted = noted.borrow_mut();
        let copy = source.with_extension(format!("cut{}", noted.len()));
        copy_sparse(&source, &copy);
        noted.push(copy);
        Reaction::Continue
    }));
    work();
    disarm();
    let copies = copies.take();
    for copy in &copies {
        at_each(copy);
        fs::remove_file(copy).unwrap();
    }
    copies.len()
}

/// Mounts a copy and brings it to an end, once by resume and once by undo.
fn recover(copy: &Path, dir: &Path, before: &Manifest, then: &Manifest) {
    let second = copy.with_extension("second");
    copy_sparse(copy, &second);
    let note = copy.display();
    {
        let disk = Mounted::new(copy, dir.join("cut"), "nouuid").or_else(|_| {
            // Only xfs knows (and needs) nouuid.
            Mounted::new(copy, dir.join("cut"), "rw")
        });
        let disk = disk.unwrap();
        let tree = disk.at.join("root");
        if let Some(found) = listed(&tree).pop() {
            let ended = run_resume(&tree, &found.id).unwrap_or_else(|e| panic!("{note}: {e:#}"));
            match ended.outcome {
                Outcome::Committed => assert_eq!(&after(&tree), then, "{note}"),
                Outcome::Undone => assert_eq!(&whole(&tree), before, "{note}"),
            }
        } else {
            assert_eq!(&whole(&tree), before, "{note}");
        }
    }
    let disk = Mounted::new(&second, dir.join("cut"), "nouuid")
        .or_else(|_| Mounted::new(&second, dir.join("cut"), "rw"))
        .unwrap();
    let tree = disk.at.join("root");
    if let Some(found) = listed(&tree).pop() {
        run_undo(&tree, &found.id).unwrap_or_else(|e| panic!("{note}: {e:#}"));
    }
    assert_eq!(&whole(&tree), before, "{note}");
    drop(disk);
    fs::remove_file(second).unwrap();
}

fn power_cuts_on(kind: usize) {
    let dir = scratch();
    let (name, _, bytes) = FILESYSTEMS[kind];
    let Some(image) = image(dir.path(), kind, bytes) else {
        return;
    };
    let disk = Mounted::new(&image, dir.path().join("disk"), "rw").unwrap();
    let tree = disk.at.join("root");
    fs::create_dir(&tree).unwrap();
    build(&tree);
    nix::unistd::sync();
    let before = whole(&tree);
    let id = run(&tree, &actions()).unwrap().id;
    let then = after(&tree);
    run_undo(&tree, &id).unwrap();
    assert_eq!(whole(&tree), before);
    nix::unistd::sync();

    let mut id = String::new();
    let at_each = |copy: &Path| recover(copy, dir.path(), &before, &then);
    let commit = power_cuts(&image, at_each, || id = run(&tree, &actions()).unwrap().id);
    let undo = power_cuts(&image, at_each, || drop(run_undo(&tree, &id).unwrap()));
    assert_eq!(whole(&tree), before);
    assert!(commit >= 60 && undo >= 60, "{commit} {undo}");
    eprintln!(
        "{name}: {} power cuts, each resumed and undone",
        commit + undo
    );
}

#[test]
fn loop_power_cuts_on_ext4() {
    power_cuts_on(0);
}

#[test]
fn loop_power_cuts_on_xfs() {
    power_cuts_on(1);
}

#[test]
fn loop_a_full_disk_changes_nothing() {
    let dir = scratch();
    let Some(image) = image(dir.path(), 0, 1 << 20) else {
        return;
    };
    let disk = Mounted::new(&image, dir.path().join("disk"), "rw").unwrap();
    build(&disk.at);
    let fill = disk.at.join("fill");
    let mut filling = fs::File::create(&fill).unwrap();
    while filling.write_all(&[0; 1024]).is_ok() {}
    filling.sync_all().unwrap();
    let full = filling.metadata().unwrap().len() / 1024 * 1024;
    // At each amount of space left, from none to enough.
    let mut refused = 0;
    for left in (0..160).step_by(4) {
        filling.set_len(full - left * 1024).unwrap();
        filling.sync_all().unwrap();
        let before = whole(&disk.at);
        match run(&disk.at, &actions()) {
            Ok(done) => drop(run_undo(&disk.at, &done.id).unwrap()),
            Err(failed) => {
                refused += 1;
                let text = failed.to_string();
                assert!(matches!(failed.left, Left::Nothing), "{text}");
                assert!(text.contains("No space left on device"), "{text}");
            }
        }
        assert_eq!(whole(&disk.at), before, "{left}");
    }
    assert!((1..40).contains(&refused), "{refused}");
}

/// What is put and taken away on another filesystem stays on it, and its top
/// has its time again after an undo.
fn further_filesystem_cut_at_any_step(tree: &Path, before: &Manifest) {
    let steps = [
        Action::Quarantine {
            path: "/srv/file".into(),
        },
        Action::Symlink {
            path: "/srv/file".into(),
            target: "x".into(),
        },
        Action::Quarantine {
            path: "/empty".into(),
        },
    ];
    let done = run(tree, &steps).unwrap();
    let kept = tree.join("srv/.lifeboot/journal").join(&done.id);
    assert!(kept.join("quarantine/0").is_file(), "{done:?}");
    let then = after(tree);
    run_undo(tree, &done.id).unwrap();
    assert_eq!(&whole(tree), before);
    for stop in 0..1000 {
        let was_cut = cut(stop, || run(tree, &steps));
        if let Some(found) = listed(tree).pop() {
            let resumed = run_resume(tree, &found.id).unwrap();
            if resumed.outcome == Outcome::Committed {
                assert_eq!(after(tree), then, "stop {stop}");
                cut(stop, || run_undo(tree, &found.id));
                if let Some(found) = listed(tree).pop() {
                    run_undo(tree, &found.id).unwrap();
                }
            }
        }
        assert_eq!(&whole(tree), before, "stop {stop}");
        if !was_cut {
            assert!(stop >= 25, "only {stop} stops");
            return;
        }
    }
    panic!("it never came to an end");
}

#[test]
fn loop_two_filesystems_and_a_read_only_one() {
    let dir = scratch();
    let Some(image) = image(dir.path(), 0, 4 << 20) else {
        return;
    };
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    build(&tree);
    {
        let disk = Mounted::new(&image, tree.join("srv"), "rw").unwrap();
        fs::write(disk.at.join("file"), "x").unwrap();
        let before = whole(&tree);
        let (from, to) = ("/srv/file".into(), "/usr/file".into());
        let quarantine = |path: &str| Action::Quarantine { path: path.into() };
        let refused = [
            (
                Action::Rename { from, to },
                "/srv/file cannot be moved to /usr/file: they are on different filesystems",
            ),
            (quarantine("/srv"), "/srv is a mount point"),
        ];
        for (step, text) in refused {
            let error = run(&tree, &[step]).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
            assert_eq!(whole(&tree), before);
        }
        further_filesystem_cut_at_any_step(&tree, &before);
        // Within the other filesystem a move is a move.
        let (from, to) = ("/srv/file".into(), "/srv/moved".into());
        let done = run(&tree, &[Action::Rename { from, to }]).unwrap();
        run_undo(&tree, &done.id).unwrap();
        assert_eq!(whole(&tree), before);
    }
    let disk = Mounted::new(&image, dir.path().join("disk"), "ro").unwrap();
    let root = RootDir::open(&disk.at).unwrap();
    let failed =
        commit_from(&root, &token(), header(), &actions(), &stock(), &mut |_| {}).unwrap_err();
    let text = failed.to_string();
    assert!(matches!(failed.left, Left::Nothing), "{text}");
    assert!(
        text.contains("cannot be changed: Read-only file system"),
        "{text}"
    );
}
