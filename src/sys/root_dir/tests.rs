#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

const BOTH: [Resolver; 2] = [Resolver::Kernel, Resolver::Walk];

/// A root inside a directory that also holds a secret outside the root.
fn hostile() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::create_dir_all(root.join("usr/lib")).unwrap();
    fs::write(dir.path().join("secret"), "outside").unwrap();
    fs::write(root.join("secret"), "inside").unwrap();
    fs::write(root.join("usr/lib/init"), "init").unwrap();
    symlink("/usr/lib", root.join("lib")).unwrap();
    symlink("../../../../../../secret", root.join("etc/up")).unwrap();
    symlink("/secret", root.join("etc/absolute")).unwrap();
    symlink("loop-b", root.join("loop-a")).unwrap();
    symlink("loop-a", root.join("loop-b")).unwrap();
    symlink("/proc/self/root/etc/hostname", root.join("etc/magic")).unwrap();
    symlink("nowhere/at/all", root.join("dangling")).unwrap();
    nix::unistd::mkfifo(&root.join("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
    dir
}

fn roots() -> Vec<(tempfile::TempDir, RootDir)> {
    BOTH.iter()
        .map(|&resolver| {
            let dir = hostile();
            let root = RootDir::open_with(dir.path().join("root"), resolver).unwrap();
            (dir, root)
        })
        .collect()
}

#[test]
fn links_that_climb_out_end_inside() {
    for (_dir, root) in roots() {
        for path in [
            "etc/up",
            "/etc/absolute",
            "../../secret",
            "/etc/../../secret",
        ] {
            assert_eq!(root.read(path, 100).unwrap(), b"inside", "{path}");
        }
    }
}

#[test]
fn loops_and_dangling_links_are_errors() {
    for (_dir, root) in roots() {
        let error = root.open_file("loop-a").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ELOOP as i32));
        let end = root.resolve("dangling").unwrap_err();
        assert_eq!(end.at, Path::new("/nowhere"));
        assert_eq!(end.errno, Errno::ENOENT);
        assert_eq!(end.links.len(), 1);
    }
}

#[test]
fn the_running_system_is_not_reached_through_proc() {
    for (_dir, root) in roots() {
        assert!(root.read("etc/magic", 100).is_err());
    }
}

#[test]
fn a_fifo_does_not_block_and_is_refused() {
    for (_dir, root) in roots() {
        let error = root.open_file("fifo").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn resolve_tells_links_and_the_real_path() {
    for (_dir, root) in roots() {
        let found = root.resolve("/lib/init").unwrap();
        assert_eq!(found.path, Path::new("/usr/lib/init"));
        assert_eq!(found.links, [("/lib".into(), "/usr/lib".into())]);
        let link = root.resolve_parent("/lib").unwrap();
        assert_eq!(link.meta.kind, Kind::Symlink);
        assert_eq!(link.path, Path::new("/lib"));
        let top = root.resolve("/..").unwrap();
        assert_eq!(top.path, Path::new("/"));
    }
}

#[test]
fn directories_are_listed_with_kinds() {
    for (_dir, root) in roots() {
        let names: Vec<_> = root.read_dir("/").unwrap();
        let lib = names.iter().find(|e| e.name == "lib").unwrap();
        assert_eq!(lib.kind, Kind::Symlink);
        assert_eq!(root.read_link("lib").unwrap(), Path::new("/usr/lib"));
        assert!(root.read_link("usr").is_err());
        assert_eq!(root.read_dir("lib").unwrap().len(), 1);
        assert!(root.read_dir("usr/lib/init").is_err());
    }
}

#[test]
fn a_file_larger_than_the_limit_is_refused() {
    for (_dir, root) in roots() {
        let error = root.read("secret", 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
