//! `LD_LIBRARY_PATH`: the real loader must agree.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use lifeboot::facts::elf::Problem;

use crate::fixture::Fixture;

/// `app`, which needs `libf.so.1`, and that in `one/` and in `two/`.
fn fixture(arguments: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    for directory in ["one", "two"] {
        fixture.library(&format!("{directory}/libf.so.1"), "libf.so.1", &[]);
    }
    let all = [&["@/one/libf.so.1"], arguments].concat();
    fixture.program("app", &all);
    fixture
}

#[test]
fn it_comes_after_the_rpath_and_before_the_runpath() {
    for (tags, expected) in [("disable", "one"), ("enable", "two")] {
        let tags = format!("-Wl,--{tags}-new-dtags,-rpath,@/one");
        let fixture = fixture(&[&tags]);
        let (own, problems) = fixture.agreed_told("app", "@/two");
        assert_eq!(own, [format!("{expected}/libf.so.1")], "{tags}");
        assert_eq!(problems, []);
    }
}

#[test]
fn the_first_directory_that_has_it_counts() {
    let fixture = fixture(&[]);
    for (path, expected) in [
        ("@/one:@/two", "one"),
        ("@/nowhere;@/two:@/one", "two"),
        ("$ORIGIN/two", "two"),
        ("${ORIGIN}/one/", "one"),
        (":@/one", "one"),
    ] {
        let (own, problems) = fixture.agreed_told("app", path);
        assert_eq!(own, [format!("{expected}/libf.so.1")], "{path}");
        assert_eq!(problems, []);
    }
    let (own, problems) = fixture.agreed_told("app", "@/nowhere");
    assert!(own.is_empty());
    assert!(matches!(&problems[..], [Problem::LibraryMissing { .. }]));
}

#[test]
fn libraries_are_searched_with_it_as_well_and_nothing_is_remembered_of_it() {
    let fixture = fixture(&[]);
    fixture.library("two/libg.so.1", "libg.so.1", &["@/one/libf.so.1"]);
    fixture.program("more", &["@/two/libg.so.1"]);
    let (own, problems) = fixture.agreed_told("more", "@/two");
    assert_eq!(own, ["two/libg.so.1", "two/libf.so.1"]);
    assert_eq!(problems, []);
    let root = lifeboot::sys::root_dir::RootDir::open("/").unwrap();
    let loader = lifeboot::facts::elf::Loader::open(&root);
    let path = fixture.at("more");
    assert_eq!(loader.closure_with(&path, &fixture.at("two")).problems, []);
    assert_eq!(loader.closure(&path).problems.len(), 1);
}

#[test]
fn a_program_with_rights_of_its_own_is_not_told() {
    let fixture = fixture(&[]);
    let path = fixture.at("app");
    let root = lifeboot::sys::root_dir::RootDir::open("/").unwrap();
    let ask = || {
        let loader = lifeboot::facts::elf::Loader::open(&root);
        loader
            .closure_with(&path, &fixture.at("one"))
            .problems
            .len()
    };
    assert_eq!(ask(), 0);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
    assert_eq!(ask(), 1);
}
