//! `lifeboot legs` and `--leg`: the members of a mirror, each looked at alone.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code
)]

#[path = "images/mod.rs"]
mod bench;

use std::fs;
use std::path::Path;

use bench::{
    Answer, Bench, DATA, SECTOR, edit_superblock, is_root, lifeboot, sha256, wait_until_free,
};

/// A mirror whose second member has another `/srv/data` and a newer log.
fn differing(bench: &Bench) -> [std::path::PathBuf; 2] {
    let log = |root: &Path, text: &str| fs::write(root.join("var/log/dpkg.log"), text).unwrap();
    let fill =
        |root: &Path, byte: u8| fs::write(root.join("srv/data"), vec![byte; 40_000]).unwrap();
    let one = bench.tree("server", |root| {
        log(
            root,
            "2026-11-01 10:00:00 status installed old-tool:all 1\n",
        );
        fill(root, 1);
        // Something to repair.
        fs::rename(root.join("usr/sbin"), root.join("usr/sbin.old")).unwrap();
        std::os::unix::fs::symlink("bin", root.join("usr/sbin")).unwrap();
    });
    let [a, b] = bench.mirror(&one);
    // The same filesystem, written by its own driver through one member only.
    let point = bench.path("mnt");
    fs::create_dir(&point).unwrap();
    let run = |program: &str, args: &[&str]| {
        let done = std::process::Command::new(program)
            .args(args)
            .status()
            .unwrap();
        assert!(done.success(), "{program} {args:?}");
    };
    let point = point.to_str().unwrap();
    let options = format!("loop,offset={},sizelimit={}", DATA * SECTOR, 64 << 20);
    run(
        "mount",
        &["-t", "ext4", "-o", &options, b.to_str().unwrap(), point],
    );
    let mounted = Path::new(point);
    fill(mounted, 2);
    log(
        mounted,
        "2026-11-20 10:00:00 status installed new-tool:all 2\n",
    );
    run("umount", &[point]);
    wait_until_free(&b);
    [a, b]
}

#[test]
fn legs_are_shown_side_by_side_with_the_files_that_differ() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = differing(&bench);
    let before = [sha256(&a), sha256(&b)];
    let disks = ["--disk", a.to_str().unwrap(), "--disk", b.to_str().unwrap()];
    let answer = Answer::of(&[&["legs", "--full", "--json"], &disks[..]].concat());
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let view = &answer.json["mirrors"][0];
    let line = |leg: usize| {
        let traces = view["legs"][leg]["sides"][0]["traces"].as_array().unwrap();
        let log = traces
            .iter()
            .find(|t| t["path"] == "/var/log/dpkg.log")
            .unwrap();
        log["line"].as_str().unwrap().to_owned()
    };
    assert!(line(0).contains("old-tool") && line(1).contains("new-tool"));
    let difference = &view["differences"][0];
    // The data is ten blocks; the log, its inodes and the superblock differ too.
    assert!(difference["comparison"]["different"].as_u64().unwrap() >= 10);
    let files: Vec<&str> = difference["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file.as_str().unwrap())
        .collect();
    assert!(files.contains(&"/srv/data"), "{files:?}");
    assert!(!files.contains(&"/etc/passwd"), "{files:?}");
    let text = lifeboot(&[&["legs", "--full"], &disks[..]].concat());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("blocks of 4 KiB differ"), "{text}");
    assert!(text.contains("/srv/data"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    assert_eq!(before, [sha256(&a), sha256(&b)]);
    wait_until_free(&a);
    wait_until_free(&b);
}

#[test]
fn the_operator_chooses_a_side_of_a_split_mirror() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = differing(&bench);
    edit_superblock(&a, |sb| sb[258..260].copy_from_slice(&[0xFE, 0xFF]));
    edit_superblock(&b, |sb| sb[256..258].copy_from_slice(&[0xFE, 0xFF]));
    let disks = ["--disk", a.to_str().unwrap(), "--disk", b.to_str().unwrap()];
    let none = Answer::of(&[&["diagnose", "--json"], &disks[..]].concat());
    assert!(none.ids().contains(&"storage/legs-diverged"));
    for side in ["a.img", "b.img"] {
        let args = [&["diagnose", "--json", "--leg", side], &disks[..]].concat();
        let one = Answer::of(&args);
        assert_eq!(
            one.json["search"]["kind"], "found",
            "{side}: {}",
            one.stderr
        );
        // Still told, and no longer in the way.
        let findings = one.json["findings"].as_array().unwrap();
        let split = findings.iter().find(|f| f["id"] == "storage/legs-diverged");
        assert_eq!(split.unwrap()["severity"], "degraded", "{side}");
        assert_eq!(one.json["assembly"]["chosen"][0], side);
    }
    let text = lifeboot(&[&["legs"], &disks[..]].concat());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("split brain") && text.contains("--leg"),
        "{text}"
    );
}

#[test]
fn nothing_is_repaired_on_the_side_that_would_lose() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = differing(&bench);
    edit_superblock(&a, |sb| sb[258..260].copy_from_slice(&[0xFE, 0xFF]));
    // The other side counts further.
    edit_superblock(&b, |sb| {
        sb[256..258].copy_from_slice(&[0xFE, 0xFF]);
        sb[200..208].copy_from_slice(&9_000_u64.to_le_bytes());
    });
    let before = [sha256(&a), sha256(&b)];
    let disks = ["--disk", a.to_str().unwrap(), "--disk", b.to_str().unwrap()];
    let output = lifeboot(&[&["repair", "--yes", "--leg", "a.img"], &disks[..]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).replace("\n  ", " ");
    assert!(stderr.contains("9000 events"), "{stderr}");
    assert!(stderr.contains("--zero-superblock"), "{stderr}");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(before, [sha256(&a), sha256(&b)]);
}

#[test]
fn what_is_no_mirror_is_said() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("plain.img", 64, "label: gpt\nstart=2048, size=60000\n");
    let output = lifeboot(&["legs", "--disk", disk.to_str().unwrap()]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("no mirror"), "{stderr}");
}
