//! The journal as others see it: through the public interface, and with
//! nothing but the format in `docs/journal.md` when Lifeboot is gone.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::{self, FileTimes};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lifeboot::journal::{self, Action, Header, Outcome};
use lifeboot::sys::consent::WriteToken;
use lifeboot::sys::root_dir::RootDir;
use serde_json::Value;

/// A root whose `/usr/sbin` was swapped for a link.
fn swapped() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
    fs::create_dir(dir.path().join("usr/sbin.backup")).unwrap();
    fs::write(dir.path().join("usr/sbin.backup/init"), "init").unwrap();
    symlink("bin", dir.path().join("usr/sbin")).unwrap();
    for (path, second) in [("usr/bin", 11), ("usr", 12), ("", 13)] {
        let time = SystemTime::UNIX_EPOCH + Duration::new(second, 7_000_001);
        let dir = fs::File::open(dir.path().join(path)).unwrap();
        dir.set_times(FileTimes::new().set_modified(time)).unwrap();
    }
    dir
}

fn put_back() -> Vec<Action> {
    vec![
        Action::Quarantine {
            path: "/usr/sbin".into(),
        },
        Action::Rename {
            from: "/usr/sbin.backup".into(),
            to: "/usr/sbin".into(),
        },
    ]
}

fn commit(root: &Path, actions: &[Action]) -> String {
    let root = RootDir::open(root).unwrap();
    let token = WriteToken::granted("test");
    let header = Header::new(vec!["put /usr/sbin back".into()]);
    let done = journal::commit(&root, &token, header, actions, &mut |_| {}).unwrap();
    assert_eq!(done.outcome, Outcome::Committed);
    done.id
}

fn times(root: &Path) -> Vec<(i64, i64)> {
    ["", "usr", "usr/bin"]
        .iter()
        .map(|path| root.join(path).symlink_metadata().unwrap())
        .map(|meta| (meta.mtime(), meta.mtime_nsec()))
        .collect()
}

#[test]
fn a_swapped_directory_is_put_back_and_swapped_again() {
    let dir = swapped();
    let before = times(dir.path());
    let id = commit(dir.path(), &put_back());
    assert!(dir.path().join("usr/sbin/init").exists());
    let root = RootDir::open(dir.path()).unwrap();
    let token = WriteToken::granted("test");
    journal::undo(&root, &token, &id, &mut |_| {}).unwrap();
    assert_eq!(
        fs::read_link(dir.path().join("usr/sbin")).unwrap(),
        Path::new("bin")
    );
    assert!(dir.path().join("usr/sbin.backup/init").exists());
    assert!(!dir.path().join(".lifeboot").exists());
    assert_eq!(times(dir.path()), before);
}

/// The section "By hand" of `docs/journal.md`, without any code of Lifeboot.
#[test]
fn a_person_can_undo_with_the_documented_format_alone() {
    let dir = swapped();
    let before = times(dir.path());
    let id = commit(dir.path(), &put_back());
    let place = dir.path().join(".lifeboot/journal").join(id);
    let text = fs::read_to_string(place.join("journal")).unwrap();
    let intent: Value = serde_json::from_str(&text.lines().next().unwrap()[9..]).unwrap();
    assert_eq!(intent["format"], 1);
    let inside = |path: &Value| -> PathBuf {
        let path = path.as_str().unwrap();
        dir.path().join(path.strip_prefix('/').unwrap())
    };
    for step in intent["steps"].as_array().unwrap().iter().rev() {
        fs::rename(inside(&step["to"]), inside(&step["from"])).unwrap();
    }
    assert_eq!(fs::read_dir(place.join("quarantine")).unwrap().count(), 0);
    fs::remove_dir_all(dir.path().join(".lifeboot")).unwrap();
    for touched in intent["touched"].as_array().unwrap() {
        set_time(&inside(&touched["path"]), &touched["mtime"]);
    }
    set_time(dir.path(), &intent["root_mtime"]);
    assert_eq!(times(dir.path()), before);
    assert_eq!(
        fs::read_link(dir.path().join("usr/sbin")).unwrap(),
        Path::new("bin")
    );
}

fn set_time(path: &Path, stamp: &Value) {
    let sec = stamp["sec"].as_u64().unwrap();
    let nsec = u32::try_from(stamp["nsec"].as_u64().unwrap()).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(sec, nsec);
    let dir = fs::File::open(path).unwrap();
    dir.set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// A repair that carries many files back stays a matter of seconds.
#[test]
fn hundreds_of_files_are_moved_and_taken_back() {
    let dir = swapped();
    let names: Vec<_> = (0..300).map(|n| format!("file-{n}")).collect();
    for name in &names {
        fs::write(dir.path().join("usr/bin").join(name), name).unwrap();
    }
    let bin = Path::new("/usr/bin");
    let carry = |name: &String| Action::Rename {
        from: bin.join(name),
        to: Path::new("/usr/sbin.backup").join(name),
    };
    let actions: Vec<_> = names.iter().map(carry).collect();
    let start = SystemTime::now();
    let id = commit(dir.path(), &actions);
    let root = RootDir::open(dir.path()).unwrap();
    let token = WriteToken::granted("test");
    let undone = journal::undo(&root, &token, &id, &mut |_| {}).unwrap();
    assert_eq!(undone.actions, 300);
    assert!(dir.path().join("usr/bin/file-299").exists());
    println!("{:?} for 300 moves and back", start.elapsed().unwrap());
}
