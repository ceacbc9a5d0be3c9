//! Packages that an interrupted upgrade lacks, found on other systems of the
//! same disks: a member of a mirror that was left behind, a second system.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "images/mod.rs"]
#[allow(dead_code, reason = "shared with other programs")]
mod bench;

use std::fs;
use std::path::Path;
use std::process::Command;

use bench::{Answer, Bench, DATA, edit_superblock, is_root, sha256, wait_until_free};

const TWO_PARTS: &str = "label: gpt\nstart=2048, size=60000\nstart=63488, size=60000\n";

const CACHE: &str = "var/cache/apt/archives";

/// apt planned to upgrade a package, and was cut off before it began.
fn interrupted(root: &Path) {
    fs::create_dir_all(root.join("var/log/apt")).unwrap();
    let history = "Start-Date: 2026-11-20  02:10:00\nCommandline: apt-get full-upgrade\n\
        Upgrade: tool:all (1, 2)\n";
    fs::write(root.join("var/log/apt/history.log"), history).unwrap();
}

/// Its package as dpkg-deb makes it, in the cache.
fn cached(root: &Path) {
    let made = tempfile::tempdir().unwrap();
    fs::create_dir_all(made.path().join("DEBIAN")).unwrap();
    fs::create_dir_all(root.join(CACHE)).unwrap();
    let control = "Package: tool\nVersion: 2\nArchitecture: all\n\
        Maintainer: Lab <lab@example.org>\nDescription: a tool\n";
    fs::write(made.path().join("DEBIAN/control"), control).unwrap();
    let output = Command::new("dpkg-deb")
        .args(["--root-owner-group", "-b"])
        .args([made.path(), &root.join(CACHE).join("tool_2_all.deb")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What `packages` and `diagnose` say of it.
fn told(arguments: &[&str], place: &str, more: &str) {
    let packages = Answer::of(&[&["packages", "--json"], arguments].concat());
    let standing = &packages.json["standing"];
    assert_eq!(
        standing["forward"]["missing"][0], "tool 2",
        "{}",
        packages.stderr
    );
    let found = &standing["elsewhere"][0];
    assert_eq!(found["place"], place, "{standing:#}");
    assert_eq!(found["files"][0], format!("/{CACHE}/tool_2_all.deb"));
    assert_eq!(found["arguments"], more);
    let report = Answer::of(&[&["diagnose", "--json"], arguments].concat());
    let findings = report.json["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|finding| finding["id"] == "packages/archives-incomplete")
        .unwrap_or_else(|| panic!("{:?}", report.ids()));
    let title = finding["title"].as_str().unwrap();
    assert!(
        title.ends_with(&format!("1 of them are on {place}")),
        "{title}"
    );
}

#[test]
fn a_member_that_was_left_behind_has_them() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let fresh = bench.tree("fresh", interrupted);
    let old = bench.tree("old", cached);
    let [a, b] = bench.mirror(&old);
    bench.ext4(&b, DATA, 65536, Some(&fresh));
    // Events that the first one missed.
    edit_superblock(&b, |sb| sb[200] = 99);
    let before = [sha256(&a), sha256(&b)];
    let disks = ["--disk", a.to_str().unwrap(), "--disk", b.to_str().unwrap()];
    told(&disks, "a.img partition 2", "--leg 'a.img partition 2'");
    assert_eq!(before, [sha256(&a), sha256(&b)]);
    wait_until_free(&a);
    wait_until_free(&b);
}

#[test]
fn a_second_system_has_them() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let image = bench.disk("disk.img", 64, TWO_PARTS);
    let own = bench.tree("own", interrupted);
    let other = bench.tree("other", cached);
    bench.ext4(&image, 2048, 30000, Some(&own));
    bench.ext4(&image, 63488, 30000, Some(&other));
    let before = sha256(&image);
    let arguments = [
        "--disk",
        image.to_str().unwrap(),
        "--root-device",
        "disk.img partition 1",
    ];
    let place = "disk.img partition 2";
    told(&arguments, place, "--root-device 'disk.img partition 2'");
    assert_eq!(before, sha256(&image));
}
