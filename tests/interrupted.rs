//! A repair that is killed for real, at whatever step it stands, and what the
//! next run makes of it.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const STRAYS: usize = 60;

/// `/usr/sbin` swapped for a link, and many files landed in /usr/bin since.
fn swapped(root: &Path) {
    for path in [
        "etc",
        "usr/bin",
        "usr/sbin.backup",
        "usr/lib",
        "var/lib/dpkg/info",
    ] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    symlink("/usr/bin", root.join("usr/sbin")).unwrap();
    let status = "Package: tool\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";
    fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
    let mut list = String::from("/usr/sbin\n");
    for number in 0..2 * STRAYS {
        list.push_str(&format!("/usr/sbin/tool{number}\n"));
        fs::write(root.join(format!("usr/sbin.backup/tool{number}")), "old").unwrap();
    }
    for number in 0..STRAYS {
        list.push_str(&format!("/usr/sbin/new{number}\n"));
        fs::write(root.join(format!("usr/bin/new{number}")), "new").unwrap();
    }
    fs::write(root.join("var/lib/dpkg/info/tool.list"), list).unwrap();
}

fn lifeboot(args: &[&str], root: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(args)
        .args(["--json", "--root"])
        .arg(root)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Starts a repair and kills it with SIGKILL once it says that it does `step`.
fn killed_at(step: usize, root: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(["repair", "--yes", "--json", "--root"])
        .arg(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mark = format!("[{step}/");
    let reached = lines
        .map_while(Result::ok)
        .any(|line| line.starts_with(&mark));
    child.kill().unwrap();
    assert!(reached, "step {step} was never done");
    assert!(!child.wait().unwrap().success());
}

fn ids(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|f| f["id"].as_str().unwrap()).collect()
}

/// Every path with what it is and when it changed, the journal apart.
fn manifest(root: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let walk = walkdir::WalkDir::new(root).sort_by_file_name();
    walk.into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            let meta = fs::symlink_metadata(entry.path()).unwrap();
            let content = match meta.file_type() {
                kind if kind.is_file() => fs::read_to_string(entry.path()).unwrap(),
                kind if kind.is_symlink() => format!("{:?}", fs::read_link(entry.path()).unwrap()),
                _ => String::new(),
            };
            format!(
                "{} {:o} {}.{} {content}",
                entry.path().display(),
                meta.mode(),
                meta.mtime(),
                meta.mtime_nsec()
            )
        })
        .collect()
}

#[test]
fn a_killed_repair_is_found_and_can_be_finished_or_taken_back() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    for step in [1, 2, 3, STRAYS / 2, STRAYS + 1] {
        for finish in [true, false] {
            let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let root = dir.path();
            swapped(root);
            let before = manifest(root);
            killed_at(step, root);
            let found = lifeboot(&["diagnose"], root);
            assert!(
                ids(&found).contains(&"root/repair-interrupted"),
                "step {step}"
            );
            if finish {
                lifeboot(&["repair", "--yes"], root);
                let done = lifeboot(&["diagnose"], root);
                assert!(!ids(&done).contains(&"root/repair-interrupted"));
                assert!(!ids(&done).contains(&"root/system-directory-replaced"));
                for number in 0..STRAYS {
                    assert!(root.join(format!("usr/sbin/new{number}")).exists());
                }
            }
            lifeboot(&["undo", "--yes"], root);
            assert_eq!(manifest(root), before, "step {step}");
        }
    }
}
