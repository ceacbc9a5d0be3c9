//! What the kernel does before the loader, in roots made for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use lifeboot::facts::elf::{Closure, Link, Loader, Problem};
use lifeboot::sys::root_dir::RootDir;

use crate::fixture::{Fixture, REAL_LOADER};

/// Asks about a program in the fixture as a root of its own.
fn inside(fixture: &Fixture, program: &str) -> Closure {
    let root = RootDir::open(&fixture.path).unwrap();
    let closure = Loader::open(&root).closure(program);
    let text = serde_json::to_string(&closure).unwrap();
    assert_eq!(closure, serde_json::from_str(&text).unwrap());
    closure
}

/// A root with a C library and `/bin/app`.
fn small_root() -> Fixture {
    let fixture = Fixture::new();
    fixture.program("bin/app", &[]);
    let root = RootDir::open("/").unwrap();
    for object in Loader::open(&root).closure("/bin/sh").objects {
        fixture.write(&object.path[1..], fs::read(&object.real_path).unwrap());
        set_mode(&fixture, &object.path[1..], 0o755);
    }
    fixture
}

fn set_mode(fixture: &Fixture, name: &str, mode: u32) {
    fs::set_permissions(fixture.at(name), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_root_without_a_cache_uses_its_loaders_own_directories() {
    let fixture = small_root();
    let closure = inside(&fixture, "/bin/app");
    assert_eq!(closure.problems, []);
    assert_eq!(closure.interpreter.as_deref(), Some(REAL_LOADER));
    assert!(
        closure
            .objects
            .iter()
            .any(|object| object.name == "libc.so.6")
    );
    assert!(closure.starts());
}

#[test]
fn a_program_that_leads_nowhere_tells_where_it_breaks_off() {
    let fixture = small_root();
    fixture.link("sbin", "usr/bin");
    fixture.link("bin/init", "../lib/systemd/systemd");
    let closure = inside(&fixture, "/bin/init");
    let [Problem::ProgramMissing { at, links, why, .. }] = &closure.problems[..] else {
        panic!("{closure:#?}");
    };
    assert_eq!(at, "/lib/systemd");
    assert_eq!(why, "no such file or directory");
    let link = Link {
        at: "/bin/init".into(),
        target: "../lib/systemd/systemd".into(),
    };
    assert_eq!(links, &[link]);
    assert_eq!((closure.path, closure.objects), (None, vec![]));
}

#[test]
fn links_in_a_circle_are_told() {
    let fixture = Fixture::new();
    fixture.link("a", "b");
    fixture.link("b", "a");
    let closure = inside(&fixture, "/a");
    assert!(matches!(&closure.problems[..], [Problem::LinkLoop { .. }]));
}

#[test]
fn the_loader_itself_may_be_missing_or_broken() {
    let fixture = small_root();
    let loader = &REAL_LOADER[1..];
    let bytes = fs::read(REAL_LOADER).unwrap();
    set_mode(&fixture, loader, 0o644);
    assert_fatal(
        &inside(&fixture, "/bin/app"),
        |problem| matches!(problem, Problem::InterpreterDamaged { why, .. } if why == "not executable"),
    );
    for cut in [0, 10, bytes.len() / 2] {
        fixture.write(loader, &bytes[..cut]);
        set_mode(&fixture, loader, 0o755);
        assert_fatal(&inside(&fixture, "/bin/app"), |problem| {
            matches!(problem, Problem::InterpreterDamaged { .. })
        });
    }
    let mut other = bytes;
    other[18] = 183;
    fixture.write(loader, other);
    assert_fatal(&inside(&fixture, "/bin/app"), |problem| {
        matches!(problem, Problem::WrongMachine { .. })
    });
    fixture.remove(loader);
    assert_fatal(
        &inside(&fixture, "/bin/app"),
        |problem| matches!(problem, Problem::InterpreterMissing { at, .. } if at == REAL_LOADER),
    );
}

fn assert_fatal(closure: &Closure, is_expected: impl Fn(&Problem) -> bool) {
    assert!(!closure.starts(), "{closure:#?}");
    assert!(is_expected(&closure.problems[0]), "{closure:#?}");
}

#[test]
fn the_program_itself_may_be_no_program() {
    let fixture = small_root();
    let bytes = fs::read(fixture.at("bin/app")).unwrap();
    set_mode(&fixture, "bin/app", 0o644);
    let path = || "/bin/app".to_owned();
    assert_eq!(
        inside(&fixture, "/bin/app").problems,
        [Problem::NotExecutable { path: path() }]
    );
    set_mode(&fixture, "bin/app", 0o755);
    for (content, expected) in [
        (&b""[..], "empty file (0 bytes)"),
        (&bytes[..bytes.len() / 2], "cut off"),
        (
            &b"echo no first line, and long enough to be anything else at all\n"[..],
            "neither",
        ),
        (&b"x\n"[..], "too short"),
    ] {
        fixture.write("bin/app", content);
        let problems = inside(&fixture, "/bin/app").problems;
        let [Problem::ProgramDamaged { why, .. }] = &problems[..] else {
            panic!("{problems:#?}");
        };
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn a_script_needs_its_interpreter_and_what_that_needs() {
    let fixture = small_root();
    fixture.write("bin/script", "#!/bin/app -e\n");
    set_mode(&fixture, "bin/script", 0o755);
    let closure = inside(&fixture, "/bin/script");
    assert_eq!(closure.problems, []);
    assert_eq!(closure.interpreter.as_deref(), Some("/bin/app"));
    assert_eq!(closure.objects[0].real_path, "/bin/app");
    assert!(
        closure
            .objects
            .iter()
            .any(|object| object.name == "libc.so.6")
    );
    fixture.write("bin/script", "#!/usr/bin/env app\n");
    assert_fatal(
        &inside(&fixture, "/bin/script"),
        |problem| matches!(problem, Problem::InterpreterMissing { interpreter, .. } if interpreter == "/usr/bin/env"),
    );
    fixture.program("usr/bin/env", &[]);
    assert_eq!(inside(&fixture, "/bin/script").problems, []);
    fixture.write("bin/script", "#!/usr/bin/env gone\n");
    assert_fatal(
        &inside(&fixture, "/bin/script"),
        |problem| matches!(problem, Problem::InterpreterMissing { interpreter, .. } if interpreter == "gone"),
    );
    // A script that runs itself comes to an end.
    fixture.write("bin/script", "#!/bin/script\n");
    assert!(!inside(&fixture, "/bin/script").starts());
}

#[test]
fn a_static_program_needs_nothing() {
    let fixture = Fixture::new();
    fixture.program("app", &["-static"]);
    let closure = inside(&fixture, "/app");
    assert_eq!((closure.problems, closure.objects), (vec![], vec![]));
    assert_eq!(closure.interpreter, None);
}

#[test]
fn a_preload_that_fails_is_a_warning() {
    let fixture = small_root();
    fixture.library("opt/libgood.so", "libgood.so", &[]);
    fixture.write("etc/ld.so.preload", "/opt/libgood.so libgone.so\n");
    let closure = inside(&fixture, "/bin/app");
    assert_eq!(closure.objects[0].path, "/opt/libgood.so");
    let [Problem::PreloadIgnored { name, .. }] = &closure.problems[..] else {
        panic!("{closure:#?}");
    };
    assert_eq!(name, "libgone.so");
    assert!(closure.starts());
}

#[test]
fn a_directory_that_cache_and_loader_both_name_is_told_once() {
    let fixture = small_root();
    let directory = "/lib/x86_64-linux-gnu";
    let library = format!("{}/liba.so.1", &directory[1..]);
    fixture.library(&library, "liba.so.1", &[]);
    fixture.program("bin/app", &[&format!("@/{library}")]);
    fixture.write("etc/ld.so.conf", "");
    let mut ldconfig = Command::new("/usr/sbin/ldconfig");
    let made = ldconfig
        .arg("-X")
        .arg("-r")
        .arg(&fixture.path)
        .arg(directory);
    assert!(made.status().unwrap().success());
    fixture.remove(&library);
    let closure = inside(&fixture, "/bin/app");
    let [Problem::LibraryMissing { searched, .. }] = &closure.problems[..] else {
        panic!("{closure:#?}");
    };
    let is_it = |path: &&String| path.trim_end_matches('/') == directory;
    assert_eq!(searched.iter().filter(is_it).count(), 1, "{searched:?}");
    assert_eq!(searched[0], directory);
}

#[test]
fn a_library_only_missing_from_the_cache_is_told_apart() {
    let fixture = small_root();
    fixture.library("opt/lib/liba.so.1", "liba.so.1", &[]);
    fixture.program("bin/app", &["@/opt/lib/liba.so.1"]);
    fixture.write("etc/ld.so.conf", "include ld.so.conf.d/*.conf\n");
    fixture.write("etc/ld.so.conf.d/opt.conf", "/opt/lib\n");
    let closure = inside(&fixture, "/bin/app");
    let [Problem::LibraryMissing { not_in_cache, .. }] = &closure.problems[..] else {
        panic!("{closure:#?}");
    };
    assert_eq!(not_in_cache.as_deref(), Some("/opt/lib/liba.so.1"));
}
