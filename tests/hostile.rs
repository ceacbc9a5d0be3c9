//! A tree that changes under a repair: what was a file or a directory when the
//! plan was made is something else when it is carried out. Nothing outside of
//! the root may change, and nothing may stay half done.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboot::journal::{self, Action, Header};
use lifeboot::sys::consent::WriteToken;
use lifeboot::sys::root_dir::RootDir;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

/// A folder with a root and what lies beside it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for folder in ["root/etc/ssh", "root/usr/sbin.backup", "outside/ssh"] {
            fs::create_dir_all(place.dir.path().join(folder)).unwrap();
        }
        for (path, text) in [
            ("root/etc/fstab", "old\n"),
            ("root/etc/ssh/key", "key\n"),
            ("root/usr/sbin.backup/init", "init\n"),
            ("outside/fstab", "not yours\n"),
            ("outside/ssh/key", "not yours\n"),
        ] {
            place.write(path, text);
        }
        place
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.dir.path().join(path), text).unwrap();
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }
}

/// What a repair of lines, of a mode and of a directory comes down to.
fn actions() -> Vec<Action> {
    vec![
        Action::Quarantine {
            path: "/etc/fstab".into(),
        },
        Action::PutFile {
            path: "/etc/fstab".into(),
            text: "new\n".into(),
            mode: 0o644,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        },
        Action::Attributes {
            path: "/etc/ssh/key".into(),
            mode: 0o600,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        },
        Action::Rename {
            from: "/usr/sbin.backup".into(),
            to: "/usr/sbin".into(),
        },
    ]
}

/// The id, where it was carried out.
fn commit(root: &Path) -> Result<String, String> {
    commit_while(root, &mut |_| {})
}

/// The same; `meanwhile` hears of each action before it is done.
fn commit_while(root: &Path, meanwhile: journal::Observer<'_>) -> Result<String, String> {
    let root = RootDir::open(root).map_err(|error| error.to_string())?;
    let token = WriteToken::granted("test");
    let header = Header::new(vec!["test".into()]);
    let done = journal::commit(&root, &token, header, &actions(), meanwhile);
    match done {
        Ok(done) if done.outcome == journal::Outcome::Committed => Ok(done.id),
        Ok(done) => Err(format!("{:?}", done.outcome)),
        Err(error) => Err(error.to_string()),
    }
}

fn undo(root: &Path, id: &str) -> Result<(), String> {
    let root = RootDir::open(root).map_err(|error| error.to_string())?;
    let token = WriteToken::granted("test");
    journal::undo(&root, &token, id, &mut |_| {})
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Every name below `top` with what can be changed about it.
fn seen(top: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut names: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        for path in names {
            let meta = path.symlink_metadata().unwrap();
            let text = match meta.is_file() && meta.len() < 4096 {
                true => fs::read_to_string(&path).unwrap(),
                false => fs::read_link(&path)
                    .map_or_else(|_| String::new(), |target| target.display().to_string()),
            };
            let name = path.strip_prefix(top).unwrap().display();
            let kind = meta.mode();
            // A directory has no size of its own.
            let size = if meta.is_dir() { 0 } else { meta.len() };
            let (owner, device) = (meta.uid(), meta.rdev());
            all.push(format!("{name} {kind:o} {owner} {device} {size} {text}"));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    all
}

/// Puts something in the place of the file at `path`.
type StandIn = fn(&Path, &Path);

fn absolute_link(path: &Path, outside: &Path) {
    symlink(outside.join("fstab"), path).unwrap();
}

fn climbing_link(path: &Path, _: &Path) {
    symlink("../../../../../../../../outside/fstab", path).unwrap();
}

fn circle(path: &Path, _: &Path) {
    symlink(path.file_name().unwrap(), path).unwrap();
}

fn second_name(path: &Path, outside: &Path) {
    fs::hard_link(outside.join("fstab"), path).unwrap();
}

fn fifo(path: &Path, _: &Path) {
    mknod(path, SFlag::S_IFIFO, Mode::from_bits_truncate(0o644), 0).unwrap();
}

fn device(path: &Path, _: &Path) {
    // /dev/full: whoever writes to it fails.
    let mode = Mode::from_bits_truncate(0o666);
    mknod(path, SFlag::S_IFCHR, mode, makedev(1, 7)).unwrap();
}

fn directory(path: &Path, _: &Path) {
    fs::create_dir(path).unwrap();
    fs::write(path.join("inside"), "x").unwrap();
}

fn huge(path: &Path, _: &Path) {
    fs::File::create(path).unwrap().set_len(4 << 40).unwrap();
}

const STAND_INS: [(&str, StandIn); 8] = [
    ("a link to an absolute path", absolute_link),
    ("a link that climbs out", climbing_link),
    ("a link to itself", circle),
    ("a second name of a file outside", second_name),
    ("a FIFO", fifo),
    ("a device", device),
    ("a directory", directory),
    ("a file of 4 TiB", huge),
];

/// Devices can be made, and other owners given.
fn is_root() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: needs root");
    }
    is_root
}

#[test]
fn what_stands_in_for_a_file_is_moved_as_it_is_or_refused() {
    if !is_root() {
        return;
    }
    let mut done = 0;
    for file in ["etc/fstab", "etc/ssh/key"] {
        for (name, make) in STAND_INS {
            let place = Place::new();
            let path = place.root().join(file);
            fs::remove_file(&path).unwrap();
            make(&path, &place.outside());
            let (before, outside) = (seen(&place.root()), seen(&place.outside()));
            let committed = commit(&place.root());
            assert_eq!(seen(&place.outside()), outside, "{file}: {name}");
            if let Ok(id) = &committed {
                done += 1;
                undo(&place.root(), id).unwrap();
                assert_eq!(seen(&place.outside()), outside, "{file}: {name}, undone");
            }
            assert_eq!(seen(&place.root()), before, "{file}: {name}: {committed:?}");
        }
    }
    // Some are taken away like any other file.
    assert!(done > 0);
}

#[test]
fn a_link_in_the_place_of_a_directory_leads_nowhere_outside() {
    for target in ["../outside", "../../../../../../outside", "/proc/self/root"] {
        for folder in ["etc", "etc/ssh", "usr"] {
            let place = Place::new();
            let path = place.root().join(folder);
            fs::remove_dir_all(&path).unwrap();
            symlink(target, &path).unwrap();
            let (before, outside) = (seen(&place.root()), seen(&place.outside()));
            let committed = commit(&place.root());
            assert!(committed.is_err(), "{folder} -> {target}");
            assert_eq!(seen(&place.outside()), outside, "{folder} -> {target}");
            assert_eq!(seen(&place.root()), before, "{folder} -> {target}");
        }
    }
}

/// `/etc` becomes a link to outside between two actions of a commit, and is a
/// directory again when somebody takes back what is left.
#[test]
fn a_directory_that_is_swapped_between_two_actions() {
    for at in 0..actions().len() {
        let place = Place::new();
        let (root, outside) = (place.root(), place.outside());
        symlink("../outside", root.join("etc.link")).unwrap();
        let (before, beside) = (seen(&root), seen(&outside));
        let swap = || {
            let (one, other) = (root.join("etc"), root.join("etc.link"));
            let how = RenameFlags::RENAME_EXCHANGE;
            renameat2(AT_FDCWD, &one, AT_FDCWD, &other, how).unwrap();
        };
        let mut swapped = false;
        let committed = commit_while(&root, &mut |progress| {
            if progress.index == at && !progress.undo && !swapped {
                swap();
                swapped = true;
            }
        });
        assert!(swapped, "action {at} was not told");
        assert_eq!(seen(&outside), beside, "action {at}: {committed:?}");
        swap();
        match &committed {
            Ok(id) => undo(&root, id).unwrap(),
            Err(_) => finish(&root),
        }
        assert_eq!(seen(&outside), beside, "action {at}, taken back");
        assert_eq!(seen(&root), before, "action {at}: {committed:?}");
    }
}

/// Rounds of the race: a commit, and what takes it back.
const ROUNDS: usize = 60;

/// Tries until a moment is met at which it can be taken back.
const TRIES: usize = 10_000;

/// `/etc` is a directory at one moment and a link to outside at the next, while
/// repairs are carried out and taken back.
#[test]
fn a_directory_that_is_swapped_all_the_time_lets_nothing_out() {
    let place = Place::new();
    let (root, outside) = (place.root(), place.outside());
    let link = root.join("etc.link");
    symlink("../outside", &link).unwrap();
    let before = seen(&outside);
    let ends = AtomicBool::new(false);
    let (mut carried_out, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                let (one, other) = (root.join("etc"), root.join("etc.link"));
                let swap = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, &one, AT_FDCWD, &other, swap).unwrap();
                std::thread::yield_now();
            }
        });
        for _ in 0..ROUNDS {
            match commit(&root) {
                Ok(id) => {
                    carried_out += 1;
                    // It may meet the link as often as the directory.
                    assert!((0..TRIES).any(|_| undo(&root, &id).is_ok()), "{id} stays");
                }
                Err(_) => {
                    refused += 1;
                    finish(&root);
                }
            }
        }
        ends.store(true, Ordering::Relaxed);
    });
    assert_eq!(seen(&outside), before);
    eprintln!("{carried_out} carried out and taken back, {refused} refused");
    let folder = if root.join("etc").symlink_metadata().unwrap().is_dir() {
        root.join("etc")
    } else {
        root.join("etc.link")
    };
    assert_eq!(fs::read_to_string(folder.join("fstab")).unwrap(), "old\n");
    let mode = fs::metadata(folder.join("ssh/key")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o644);
    assert!(root.join("usr/sbin.backup/init").exists());
    assert!(!root.join(".lifeboot").exists());
}

/// What was left half done by a round is taken back, as the next run does it.
fn finish(root: &Path) {
    for _ in 0..TRIES {
        let open = RootDir::open(root).unwrap();
        let listed = journal::list(&open).unwrap();
        let Some(first) = listed.first() else { return };
        let _again = undo(root, &first.id);
    }
    assert!(!root.join(".lifeboot").exists(), "something stays");
}
