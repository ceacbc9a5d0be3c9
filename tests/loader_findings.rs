//! Findings about PID 1 whose libraries a compiler makes for the purpose.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

fn compile(dir: &Path, args: &[&str]) {
    let output = Command::new("gcc")
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Copies this machine's loader and C library to the same paths in `root`.
fn copy_libc(root: &Path) {
    let libraries = "/lib/x86_64-linux-gnu";
    fs::create_dir_all(root.join("usr").join(&libraries[1..])).unwrap();
    fs::create_dir_all(root.join("usr/lib64")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    symlink("usr/lib64", root.join("lib64")).unwrap();
    for name in ["libc.so.6", "ld-linux-x86-64.so.2"] {
        let from = Path::new(libraries).join(name);
        fs::copy(from, root.join("usr").join(&libraries[1..]).join(name)).unwrap();
    }
    let loader = "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    symlink(loader, root.join("usr/lib64/ld-linux-x86-64.so.2")).unwrap();
}

#[test]
fn a_library_older_than_what_pid_1_was_built_against() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("sbin")).unwrap();
    copy_libc(&root);
    let work = dir.path();
    fs::write(
        work.join("part.c"),
        "int one(void){return 1;}\nint two(void){return 2;}\n",
    )
    .unwrap();
    fs::write(work.join("old.c"), "int one(void){return 1;}\n").unwrap();
    fs::write(
        work.join("new.map"),
        "PART_1 { global: one; };\nPART_2 { global: two; };\n",
    )
    .unwrap();
    fs::write(work.join("old.map"), "PART_1 { global: one; };\n").unwrap();
    fs::write(
        work.join("init.c"),
        "int two(void);\nint main(void){return two();}\n",
    )
    .unwrap();
    let library = "-Wl,-soname,libpart.so.1";
    compile(
        work,
        &[
            "-shared",
            "-fPIC",
            "part.c",
            "-o",
            "libpart.so",
            library,
            "-Wl,--version-script,new.map",
        ],
    );
    compile(work, &["init.c", "-o", "init", "-L.", "-lpart"]);
    compile(
        work,
        &[
            "-shared",
            "-fPIC",
            "old.c",
            "-o",
            "old.so",
            library,
            "-Wl,--version-script,old.map",
        ],
    );
    fs::copy(work.join("init"), root.join("sbin/init")).unwrap();
    let place = root.join("usr/lib/x86_64-linux-gnu/libpart.so.1");

    let ids = |which: &str| -> Vec<String> {
        fs::copy(work.join(which), &place).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
            .args(["diagnose", "--json", "--root"])
            .arg(&root)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|f| f["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("libpart.so"), [""; 0]);
    assert_eq!(ids("old.so"), ["init/library-version-missing"]);
}
