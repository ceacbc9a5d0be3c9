//! `lifeboot elf` as a program, on roots made of this machine's own files, and
//! against its own loader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A program with several libraries that every Debian has.
const PROGRAM: &str = "/usr/bin/mount";

fn elf(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .arg("elf")
        .args(args)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What ldd says that the program loads: names and paths.
fn ldd(program: &str) -> BTreeSet<(String, PathBuf)> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = said.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let path = rest.split_whitespace().next()?;
        Some((name.to_owned(), PathBuf::from(path)))
    });
    lines.collect()
}

/// A root with the program, its loader and libraries, all where they are here.
fn root() -> TempDir {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut files: Vec<PathBuf> = ldd(PROGRAM).into_iter().map(|(_, path)| path).collect();
    files.push(PROGRAM.into());
    files.push(interpreter());
    for file in files {
        let to = dir.path().join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(fs::canonicalize(&file).unwrap(), to).unwrap();
    }
    dir
}

fn interpreter() -> PathBuf {
    let bytes = fs::read(PROGRAM).unwrap();
    let elf = goblin::elf::Elf::parse(&bytes).unwrap();
    elf.interpreter.unwrap().into()
}

fn in_root(dir: &TempDir, args: &[&str]) -> Output {
    let dir: &Path = dir.path();
    elf(&[&["--root", dir.to_str().unwrap()], args].concat())
}

#[test]
fn it_says_what_ldd_says() {
    let output = elf(&["--root", "/", "--json", PROGRAM]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = json["programs"][0]["objects"].as_array().unwrap();
    let said: BTreeSet<(String, PathBuf)> = objects
        .iter()
        .map(|object| {
            let word = |key: &str| object[key].as_str().unwrap().to_owned();
            (word("name"), PathBuf::from(word("path")))
        })
        .filter(|(name, _)| !name.starts_with('/'))
        .collect();
    assert_eq!(said, ldd(PROGRAM));
}

#[test]
fn a_missing_library_is_named_and_ends_with_a_code() {
    let dir = root();
    let whole = in_root(&dir, &["mount"]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    assert!(text(&whole).starts_with(&format!("{PROGRAM}  (started by ")));
    assert!(text(&whole).lines().all(|line| line.chars().count() <= 80));
    assert_eq!(text(&in_root(&dir, &["--missing", PROGRAM])), "");
    let why = text(&in_root(&dir, &["--why", "libblkid.so.1", PROGRAM]));
    assert!(why.contains("`- needs libmount.so.1"), "{why}");
    assert!(why.contains("   `- needs libblkid.so.1"), "{why}");
    let (_, library) = ldd(PROGRAM)
        .into_iter()
        .find(|(name, _)| name == "libblkid.so.1")
        .unwrap();
    fs::remove_file(dir.path().join(library.strip_prefix("/").unwrap())).unwrap();
    // A path as it is outside means the same.
    let outside = dir.path().join(PROGRAM.trim_start_matches('/'));
    for path in [PROGRAM, outside.to_str().unwrap()] {
        let output = in_root(&dir, &["--missing", path]);
        assert_eq!(output.status.code(), Some(40));
        assert!(
            text(&output).contains("libblkid.so.1 NOT FOUND"),
            "{}",
            text(&output)
        );
    }
    let all = in_root(&dir, &[]);
    assert_eq!(all.status.code(), Some(40));
    let said = text(&all);
    assert!(said.contains(": 1 would be refused\n"), "{said}");
    assert!(said.contains("libblkid.so.1 NOT FOUND"), "{said}");
}

#[test]
fn a_version_that_no_library_offers_is_named() {
    let dir = root();
    // The loader's own library stands in for libblkid: none of its versions.
    let blkid = ldd(PROGRAM)
        .into_iter()
        .find(|(name, _)| name == "libblkid.so.1");
    let place = dir.path().join(blkid.unwrap().1.strip_prefix("/").unwrap());
    fs::copy(fs::canonicalize(interpreter()).unwrap(), place).unwrap();
    let output = in_root(&dir, &["--missing", PROGRAM]);
    assert_eq!(output.status.code(), Some(40));
    assert!(
        text(&output).contains("NOT OFFERED by libblkid.so.1"),
        "{}",
        text(&output)
    );
}

#[test]
fn what_is_no_program_is_said() {
    let dir = root();
    let output = in_root(&dir, &["no-such-program"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("no program is called no-such-program"),
        "{stderr}"
    );
    let output = in_root(&dir, &["/usr/bin/absent"]);
    assert_eq!(output.status.code(), Some(40));
    assert!(text(&output).contains("no such file"), "{}", text(&output));
    let output = in_root(&dir, &["--why", "libz.so.1", PROGRAM]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn other_systems_below_the_root_are_left_out_and_counted() {
    let dir = root();
    let counted =
        |args: &[&str]| -> Value { serde_json::from_slice(&in_root(&dir, args).stdout).unwrap() };
    let alone = counted(&["--json"]);
    assert_eq!(alone["nested_roots"], 0);
    let copy = |to: &str| {
        let to = dir.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(PROGRAM, to).unwrap();
    };
    // A chroot: its programs use its own libraries.
    copy("srv/jail/usr/bin/mount");
    for (name, text) in [
        ("etc/os-release", "ID=x"),
        ("lib64/ld-linux-x86-64.so.2", ""),
    ] {
        let path = dir.path().join("srv/jail").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    // Layers of containers, and an empty place for them.
    copy("var/lib/docker/overlay2/layer/diff/mount");
    fs::create_dir_all(dir.path().join("var/lib/machines")).unwrap();
    // What dpkg had not yet put in its place, and debug files.
    copy("usr/lib/libx.so.1.dpkg-new");
    copy("usr/lib/debug/usr/bin/mount");
    let all = counted(&["--json"]);
    assert_eq!(all["nested_roots"], 2);
    assert_eq!(all["programs"], alone["programs"]);
    assert_eq!(all["libraries"], alone["libraries"]);
    let said = text(&in_root(&dir, &[]));
    let told = "2 directories hold other systems and were left out";
    assert!(said.contains(told), "{said}");
}

#[test]
fn a_symbol_that_nothing_defines_is_named() {
    let dir = root();
    let compile = |name: &str, source: &str, arguments: &[&str]| {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(dir.path().join("source.c"), source).unwrap();
        let done = Command::new("gcc")
            .arg("-o")
            .arg(&file)
            .arg(dir.path().join("source.c"))
            .args(arguments)
            .status()
            .unwrap();
        assert!(done.success(), "{name}");
    };
    let shared = ["-shared", "-fPIC", "-Wl,-soname,liba.so"];
    let library = dir.path().join("lib/liba.so");
    let library = library.to_str().unwrap();
    compile("lib/liba.so", "int lost(void){return 0;}", &shared);
    let calls = "int lost(void); int main(void){return lost();}";
    compile("sbin/init", calls, &[library, "-Wl,-z,now"]);
    compile("bin/late", calls, &[library, "-Wl,-z,lazy"]);
    let whole = in_root(&dir, &["--symbols"]);
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    assert!(text(&whole).ends_with(" of the boot: 0 would be refused\n"));
    let one = in_root(&dir, &["--symbols", "/sbin/init", PROGRAM]);
    assert_eq!(one.status.code(), Some(0), "{one:?}");
    assert_eq!(text(&one).matches("every symbol is defined").count(), 2);
    compile("lib/liba.so", "int kept(void){return 0;}", &shared);
    let said = "/sbin/init: undefined symbol lost: refused at the start";
    for args in [
        &["--symbols", "/sbin/init"][..],
        &["--symbols", "--missing", "/sbin/init"],
        &["--symbols"],
    ] {
        let output = in_root(&dir, args);
        assert_eq!(output.status.code(), Some(40));
        assert!(text(&output).contains(said), "{}", text(&output));
    }
    let late = in_root(&dir, &["--symbols", "/bin/late"]);
    assert_eq!(late.status.code(), Some(0));
    let said = "/bin/late: undefined symbol lost: fails when it is called";
    assert!(text(&late).contains(said), "{}", text(&late));
    let json = in_root(&dir, &["--symbols", "--json", "/sbin/init"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["programs"][0]["undefined"][0]["symbol"], "lost");
    assert_eq!(json["programs"][0]["undefined"][0]["missed_at"], "start");
    // Without the option nobody asks.
    assert_eq!(in_root(&dir, &["/sbin/init"]).status.code(), Some(0));
}
