#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use super::*;

fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir(dir.path().join("outside")).unwrap();
    fs::write(root.join("a"), "a").unwrap();
    fs::write(root.join("b"), "b").unwrap();
    symlink(dir.path().join("outside"), root.join("absolute")).unwrap();
    symlink("../outside", root.join("relative")).unwrap();
    symlink("etc", root.join("inside")).unwrap();
    dir
}

fn with_root(dir: &tempfile::TempDir, test: impl FnOnce(&WriteRoot<'_>)) {
    let root = RootDir::open(dir.path().join("root")).unwrap();
    let token = WriteToken::granted("test");
    test(&WriteRoot::new(&root, &token).unwrap());
}

#[test]
fn no_call_follows_a_link_in_a_parent() {
    let dir = dir();
    let wrong = |answer: io::Result<()>, path: &Path| {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{path:?}");
    };
    with_root(&dir, |write| {
        for parent in ["/absolute", "/relative", "/inside", "/etc/../absolute"] {
            let path = Path::new(parent).join("x");
            if parent.contains("..") {
                assert!(write.make_dir(&path, 0o755).is_err());
                continue;
            }
            wrong(write.make_dir(&path, 0o755), &path);
            wrong(write.symlink(&path, Path::new("y")), &path);
            wrong(write.create(&path).map(drop), &path);
            wrong(write.open_append(&path).map(drop), &path);
            wrong(write.rename(Path::new("/a"), &path), &path);
            wrong(write.rename_checked(Path::new("/a"), &path), &path);
            wrong(write.rename(&path, Path::new("/c")), &path);
            wrong(
                write.set_mtime(&path, exact::Stamp { sec: 1, nsec: 1 }),
                &path,
            );
            wrong(write.set_owner(&path, 0, 0), &path);
            let refused = write.set_mode(Path::new(parent), 0o700).unwrap_err();
            let wanted = nix::errno::Errno::ELOOP as i32;
            assert_eq!(refused.raw_os_error(), Some(wanted), "{parent}");
            wrong(write.remove_file(&path), &path);
            wrong(write.remove_dir(&path), &path);
            wrong(write.sync_dir(Path::new(parent)), &path);
        }
    });
    assert_eq!(fs::read_dir(dir.path().join("outside")).unwrap().count(), 0);
}

#[test]
fn a_link_at_the_end_is_never_followed() {
    let dir = dir();
    with_root(&dir, |write| {
        assert!(write.open_append(Path::new("/inside")).is_err());
        assert!(write.create(Path::new("/inside")).is_err());
        write
            .rename(Path::new("/inside"), Path::new("/moved"))
            .unwrap();
        let mtime = exact::Stamp { sec: 7, nsec: 9 };
        write.set_mtime(Path::new("/moved"), mtime).unwrap();
        let found = exact::look(write.root(), Path::new("/moved"))
            .unwrap()
            .unwrap();
        assert_eq!(found.mtime, mtime);
        let etc = exact::look(write.root(), Path::new("/etc"))
            .unwrap()
            .unwrap();
        assert_ne!(etc.mtime, mtime);
        write.remove_file(Path::new("/moved")).unwrap();
    });
    assert!(dir.path().join("root/etc").exists());
}

#[test]
fn nothing_is_overwritten_on_old_kernels_either() {
    let dir = dir();
    with_root(&dir, |write| {
        type Rename = fn(&WriteRoot<'_>, &Path, &Path) -> io::Result<()>;
        let both: [Rename; 2] = [|w, a, b| w.rename(a, b), |w, a, b| w.rename_checked(a, b)];
        for rename in both {
            let error = rename(write, Path::new("/a"), Path::new("/b")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            let error = rename(write, Path::new("/none"), Path::new("/c")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            rename(write, Path::new("/a"), Path::new("/etc/a")).unwrap();
            rename(write, Path::new("/etc/a"), Path::new("/a")).unwrap();
        }
        assert!(write.create(Path::new("/a")).is_err());
        let mut file = write.create(Path::new("/new")).unwrap();
        durable::append(&mut file, b"one").unwrap();
        let mut file = write.open_append(Path::new("/new")).unwrap();
        file.write_all(b" two").unwrap();
    });
    let root = dir.path().join("root");
    assert_eq!(fs::read(root.join("b")).unwrap(), b"b");
    assert_eq!(fs::read(root.join("new")).unwrap(), b"one two");
}

#[test]
fn exact_paths_are_told_from_others() {
    for good in ["/a", "/a/b", "/...", "/a/..b"] {
        assert!(exact::is_exact(Path::new(good)), "{good}");
    }
    for bad in [
        "/", "", "a", "/a/", "/a//b", "/./a", "/a/../b", "/..", "/a\0b",
    ] {
        assert!(!exact::is_exact(Path::new(bad)), "{bad:?}");
    }
}

#[test]
fn the_mark_comes_and_goes() {
    let dir = dir();
    with_root(&dir, |write| {
        assert_eq!(mark(write.root()), None);
        if write.set_mark(b"seven").unwrap() {
            assert_eq!(mark(write.root()).unwrap(), b"seven");
        }
        write.clear_mark().unwrap();
        write.clear_mark().unwrap();
        assert_eq!(mark(write.root()), None);
    });
}
