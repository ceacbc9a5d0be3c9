//! One fixture for each rule of the search; the real loader must agree.

use std::fs;

use lifeboot::facts::elf::Problem;

use crate::fixture::Fixture;

/// A program that needs `libf.so.1`, which lies in `good/`; `bad/` comes first
/// in its RPATH.
fn two_directories() -> Fixture {
    let fixture = Fixture::new();
    fixture.library("good/libf.so.1", "libf.so.1", &[]);
    let rpath = "-Wl,--disable-new-dtags,-rpath,@/bad:@/good";
    fixture.program("app", &["@/good/libf.so.1", rpath]);
    fixture
}

#[test]
fn rpath_is_inherited() {
    let fixture = Fixture::new();
    fixture.library("lib/libb.so.1", "libb.so.1", &[]);
    fixture.library("lib/liba.so.1", "liba.so.1", &["@/lib/libb.so.1"]);
    let rpath = "-Wl,--disable-new-dtags,-rpath,@/lib";
    fixture.program("app", &["@/lib/liba.so.1", rpath]);
    let (own, problems) = fixture.agreed("app");
    assert_eq!(own, ["lib/liba.so.1", "lib/libb.so.1"]);
    assert_eq!(problems, []);
}

#[test]
fn runpath_is_not_inherited() {
    let fixture = Fixture::new();
    fixture.library("lib/libb.so.1", "libb.so.1", &[]);
    fixture.library("lib/liba.so.1", "liba.so.1", &["@/lib/libb.so.1"]);
    let runpath = "-Wl,--enable-new-dtags,-rpath,@/lib";
    fixture.program("app", &["@/lib/liba.so.1", runpath]);
    let (own, problems) = fixture.agreed("app");
    assert_eq!(own, ["lib/liba.so.1"]);
    let [
        Problem::LibraryMissing {
            name,
            needed_by,
            searched,
            ..
        },
    ] = &problems[..]
    else {
        panic!("{problems:#?}");
    };
    assert_eq!(name, "libb.so.1");
    assert_eq!(needed_by, &fixture.at("lib/liba.so.1"));
    assert!(!searched.contains(&fixture.at("lib")));
}

#[test]
fn a_library_with_a_runpath_does_without_the_programs_rpath() {
    let fixture = Fixture::new();
    fixture.library("lib/libb.so.1", "libb.so.1", &[]);
    let runpath = "-Wl,--enable-new-dtags,-rpath,@/nowhere";
    fixture.library("lib/liba.so.1", "liba.so.1", &["@/lib/libb.so.1", runpath]);
    let rpath = "-Wl,--disable-new-dtags,-rpath,@/lib";
    fixture.program("app", &["@/lib/liba.so.1", rpath]);
    let (own, problems) = fixture.agreed("app");
    assert_eq!(own, ["lib/liba.so.1"]);
    assert_eq!(problems.len(), 1);
}

#[test]
fn the_rpath_chain_goes_on_above_an_object_with_a_runpath() {
    let fixture = Fixture::new();
    fixture.library("deep/libc1.so", "libc1.so", &[]);
    fixture.library("mid/libb.so", "libb.so", &["@/deep/libc1.so"]);
    let runpath = "-Wl,--enable-new-dtags,-rpath,@/mid";
    fixture.library("lib/liba.so", "liba.so", &["@/mid/libb.so", runpath]);
    let rpath = "-Wl,--disable-new-dtags,-rpath,@/lib:@/deep";
    fixture.program("app", &["@/lib/liba.so", rpath]);
    let (own, problems) = fixture.agreed("app");
    assert_eq!(own, ["lib/liba.so", "mid/libb.so", "deep/libc1.so"]);
    assert_eq!(problems, []);
}

#[test]
fn a_library_already_loaded_is_found_by_its_soname() {
    // As systemd: libcore needs libshared and has no RUNPATH of its own, but
    // the program loads libshared from its own.
    let fixture = Fixture::new();
    fixture.library("priv/libshared.so", "libshared.so", &[]);
    fixture.library("priv/libcore.so", "libcore.so", &["@/priv/libshared.so"]);
    let runpath = "-Wl,--enable-new-dtags,-rpath,@/priv";
    fixture.program(
        "app",
        &["@/priv/libcore.so", "@/priv/libshared.so", runpath],
    );
    let (own, problems) = fixture.agreed("app");
    assert_eq!(own, ["priv/libcore.so", "priv/libshared.so"]);
    assert_eq!(problems, []);
    // Asked for by a path first, by its soname later.
    fixture.library("odd/x.so", "libshared.so", &[]);
    fs::copy(fixture.at("odd/x.so"), fixture.at("plain.so")).unwrap();
    fixture.library("odd/nosoname.so", "/", &[]);
    fixture.program(
        "second",
        &["@/priv/libshared.so", "@/priv/libcore.so", runpath],
    );
    let (own, _) = fixture.agreed("second");
    assert_eq!(own, ["priv/libshared.so", "priv/libcore.so"]);
}

#[test]
fn two_names_of_one_file_are_one_object() {
    let fixture = Fixture::new();
    fixture.library("lib/liba.so.1", "liba.so.1", &[]);
    fixture.library("tmp/libb.so.1", "libb.so.1", &[]);
    let rpath = "-Wl,--disable-new-dtags,-rpath,@/lib";
    fixture.program("app", &["@/lib/liba.so.1", "@/tmp/libb.so.1", rpath]);
    fixture.link("lib/libb.so.1", "liba.so.1");
    let (own, problems) = fixture.agreed("app");
    assert_eq!(own, ["lib/liba.so.1"]);
    assert_eq!(problems, []);
}

#[test]
fn origin_of_a_program_is_real_and_of_a_library_is_as_opened() {
    let fixture = Fixture::new();
    fixture.library("real/liba.so.1", "liba.so.1", &[]);
    fixture.library("real/sub/libdeep.so.1", "libdeep.so.1", &[]);
    fixture.library("store/libdeep.so.1", "libdeep.so.1", &[]);
    let origin = "-Wl,--enable-new-dtags,-rpath,${ORIGIN}/sub";
    fixture.library(
        "store/libx.so.1",
        "libx.so.1",
        &["@/store/libdeep.so.1", origin],
    );
    fixture.link("real/libx.so.1", "../store/libx.so.1");
    let runpath = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../real";
    fixture.program(
        "bin/app",
        &["@/real/liba.so.1", "@/store/libx.so.1", runpath],
    );
    let (own, problems) = fixture.agreed("bin/app");
    let expected = [
        "bin/../real/liba.so.1",
        "bin/../real/libx.so.1",
        "bin/../real/sub/libdeep.so.1",
    ];
    assert_eq!(own, expected);
    assert_eq!(problems, []);
    // Started through a link elsewhere, $ORIGIN stays where the program is.
    fixture.link("elsewhere/app", "../bin/app");
    let closure = fixture.closure("elsewhere/app");
    assert_eq!(closure.problems, []);
    assert_eq!(closure.path, Some(fixture.at("bin/app")));
}

#[test]
fn a_needed_path_may_hold_origin() {
    let fixture = Fixture::new();
    fixture.library("lib/liba.so.1", "$ORIGIN/../lib/liba.so.1", &[]);
    fixture.program("bin/app", &["@/lib/liba.so.1"]);
    let (own, problems) = fixture.agreed("bin/app");
    assert_eq!(own, ["bin/../lib/liba.so.1"]);
    assert_eq!(problems, []);
}

#[test]
fn nodeflib_does_without_system_directories() {
    let fixture = Fixture::new();
    fixture.program("app", &["-Wl,-z,nodefaultlib"]);
    let (_, problems) = fixture.agreed("app");
    let missing = |problem: &Problem| matches!(problem, Problem::LibraryMissing { name, .. } if name == "libc.so.6");
    assert!(problems.iter().any(missing), "{problems:#?}");
}

#[test]
fn a_hwcaps_directory_comes_first_where_the_processor_allows() {
    let fixture = Fixture::new();
    fixture.library("lib/liba.so.1", "liba.so.1", &[]);
    for level in ["x86-64-v2", "x86-64-v3", "x86-64-v4"] {
        fixture.library(
            &format!("lib/glibc-hwcaps/{level}/liba.so.1"),
            "liba.so.1",
            &[],
        );
    }
    let rpath = "-Wl,--disable-new-dtags,-rpath,@/lib";
    fixture.program("app", &["@/lib/liba.so.1", rpath]);
    let (own, problems) = fixture.agreed("app");
    assert_eq!(own.len(), 1);
    assert_eq!(problems, []);
}

#[test]
fn an_auxiliary_filter_is_optional_and_a_filter_is_not() {
    let fixture = Fixture::new();
    fixture.library("lib/libfilter.so.1", "libfilter.so.1", &[]);
    fixture.library("lib/liba.so.1", "liba.so.1", &["-Wl,-f,libabsent.so.1"]);
    fixture.library("lib/libb.so.1", "libb.so.1", &["-Wl,-F,libfilter.so.1"]);
    let rpath = "-Wl,--disable-new-dtags,-rpath,@/lib";
    fixture.program("app", &["@/lib/liba.so.1", "@/lib/libb.so.1", rpath]);
    let (own, problems) = fixture.agreed("app");
    assert_eq!(
        own,
        ["lib/liba.so.1", "lib/libfilter.so.1", "lib/libb.so.1"]
    );
    assert_eq!(problems, []);
    fixture.remove("lib/libfilter.so.1");
    assert_eq!(fixture.agreed("app").1.len(), 1);
}

#[test]
fn what_is_absent_or_for_another_machine_is_passed_over() {
    let fixture = two_directories();
    assert_eq!(fixture.agreed("app").0, ["good/libf.so.1"]);
    // Another class, then another machine of the same class.
    let good = fs::read(fixture.at("good/libf.so.1")).unwrap();
    for (at, value) in [(4, 1), (18, 183)] {
        let mut other = good.clone();
        other[at] = value;
        fixture.write("bad/libf.so.1", &other);
        assert_eq!(fixture.agreed("app").0, ["good/libf.so.1"]);
    }
    fixture.remove("good/libf.so.1");
    let (_, problems) = fixture.agreed("app");
    let [Problem::WrongMachine { path, .. }] = &problems[..] else {
        panic!("{problems:#?}");
    };
    assert_eq!(path, &fixture.at("bad/libf.so.1"));
}

#[test]
fn a_dangling_link_is_passed_over_and_a_loop_is_not() {
    let fixture = two_directories();
    fixture.link("bad/libf.so.1", "gone");
    assert_eq!(fixture.agreed("app").0, ["good/libf.so.1"]);
    fixture.remove("bad/libf.so.1");
    fixture.link("bad/libf.so.1", "libf.so.1");
    let (own, problems) = fixture.agreed("app");
    assert!(own.is_empty());
    assert!(
        matches!(&problems[..], [Problem::LinkLoop { .. }]),
        "{problems:#?}"
    );
}

#[test]
fn a_broken_file_is_fatal_though_a_good_one_follows() {
    let fixture = two_directories();
    let good = fs::read(fixture.at("good/libf.so.1")).unwrap();
    let mut no_dynamic = good.clone();
    // An executable's type: refused as a library.
    no_dynamic[16] = 2;
    let cases: [(&[u8], &str); 6] = [
        (b"", "empty file (0 bytes)"),
        (b"\x7fELF", "too short for an ELF file (4 bytes)"),
        (b"INPUT(libf.so.2)\n", "not an ELF file"),
        (&[b'#'; 200], "not an ELF file"),
        (&good[..100], "cut off: 100 bytes"),
        (&no_dynamic, "cannot be loaded: a program, not a library"),
    ];
    for (bytes, expected) in cases {
        fixture.write("bad/libf.so.1", bytes);
        let (own, problems) = fixture.agreed("app");
        assert!(own.is_empty());
        let [Problem::LibraryDamaged { why, path, .. }] = &problems[..] else {
            panic!("{problems:#?}");
        };
        assert!(why.starts_with(expected), "{why}");
        assert_eq!(path, &fixture.at("bad/libf.so.1"));
    }
    fixture.remove("bad/libf.so.1");
    fs::create_dir(fixture.at("bad/libf.so.1")).unwrap();
    assert!(matches!(
        &fixture.agreed("app").1[..],
        [Problem::LibraryDamaged { .. }]
    ));
}

#[test]
fn a_library_cut_after_its_headers_is_damaged() {
    // The real loader maps it, and the program dies of SIGBUS later.
    let fixture = two_directories();
    let good = fs::read(fixture.at("good/libf.so.1")).unwrap();
    fixture.write("bad/libf.so.1", &good[..good.len() / 3]);
    let problems = fixture.closure("app").problems;
    let [Problem::LibraryDamaged { why, .. }] = &problems[..] else {
        panic!("{problems:#?}");
    };
    assert!(why.starts_with("cut off"), "{why}");
}

/// Sets `VER_FLG_WEAK` in the record that needs the version `V2`: its ELF hash,
/// then the flags. Not every linker sets it for weak symbols.
fn mark_weak(path: &str) {
    const RECORD: [u8; 6] = [0x92, 0x05, 0, 0, 0, 0];
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(6).position(|part| part == RECORD).unwrap();
    bytes[at + 4] = 2;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_missing_version_is_a_problem_unless_weak_or_unversioned() {
    let fixture = Fixture::new();
    fixture.write(
        "new.map",
        "V1 { global: old; local: *; };\nV2 { global: fresh; } V1;\n",
    );
    fixture.write("old.map", "V1 { global: old; local: *; };\n");
    let source = "int old(void){return 1;} int fresh(void){return 2;}";
    let shared = ["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libv.so.1"];
    let versioned = |name: &str, map: &str| {
        let map = format!("-Wl,--version-script,@/{map}");
        let mut arguments = shared.to_vec();
        arguments.push(&map);
        fixture.compile(name, source, &arguments);
    };
    versioned("lib/libv.so.1", "new.map");
    let rpath = "-Wl,--disable-new-dtags,-rpath,@/lib";
    let strong = "int fresh(void); int main(void){return fresh();}";
    fixture.compile("strong", strong, &["@/lib/libv.so.1", rpath]);
    fs::copy(fixture.at("strong"), fixture.at("weak")).unwrap();
    mark_weak(&fixture.at("weak"));
    assert_eq!(fixture.agreed("strong").1, []);
    versioned("lib/libv.so.1", "old.map");
    let expected = Problem::VersionMissing {
        library: "libv.so.1".into(),
        path: fixture.at("lib/libv.so.1"),
        version: "V2".into(),
        needed_by: fixture.at("strong"),
    };
    assert_eq!(fixture.agreed("strong").1, [expected]);
    assert_eq!(fixture.agreed("weak").1, []);
    fixture.compile("lib/libv.so.1", source, &shared);
    assert_eq!(fixture.agreed("strong").1, []);
}

#[test]
fn another_version_of_a_missing_library_is_pointed_out() {
    let fixture = Fixture::new();
    fixture.library("lib/libz.so.999", "libz.so.999", &[]);
    fixture.program("app", &["@/lib/libz.so.999"]);
    let (_, problems) = fixture.agreed("app");
    let [
        Problem::LibraryMissing {
            found_elsewhere,
            not_in_cache,
            ..
        },
    ] = &problems[..]
    else {
        panic!("{problems:#?}");
    };
    assert_eq!(not_in_cache, &None);
    let other = |path: &String| path.contains("/libz.so");
    assert!(found_elsewhere.iter().all(other), "{found_elsewhere:?}");
}
