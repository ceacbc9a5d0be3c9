//! `survey --read-test` as a program: what it prints, and that Ctrl-C ends it
//! with what was seen. Disks with bad sectors are in `tests/hardware.rs`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Too large to be read within any patience.
const HUGE: u64 = 4 << 40;

fn image(dir: &Path, bytes: u64) -> std::path::PathBuf {
    let path = dir.join("disk.img");
    File::create(&path).unwrap().set_len(bytes).unwrap();
    path
}

fn command(image: &Path, mode: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboot"));
    command
        .args(["survey", mode, "--disk"])
        .arg(image)
        .stdin(Stdio::null());
    command
}

fn run(image: &Path, mode: &str, json: bool) -> Output {
    let mut command = command(image, mode);
    if json {
        command.arg("--json");
    }
    command.output().unwrap()
}

#[test]
fn a_readable_disk_has_no_errors() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let image = image(dir.path(), (2048 << 20) + 512);
    let output = run(&image, "--read-test", true);
    assert!(output.status.success(), "{output:?}");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let test = &value["read_test"];
    assert_eq!(test["mode"], "sample");
    assert_eq!(test["disks"][0]["done_bytes"], (257 << 20) + 512);
    assert_eq!(test["disks"][0]["ended"], true);

    let output = run(&image, "--read-test=full", false);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("READ TEST (everything)"), "{text}");
    assert!(
        text.contains("disk.img: no errors, 2048 of 2048 MiB read"),
        "{text}"
    );
}

#[test]
fn without_the_option_nothing_is_tested() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let image = image(dir.path(), 1 << 20);
    let output = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(["survey", "--json", "--disk"])
        .arg(&image)
        .output()
        .unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["read_test"], Value::Null);
    let wrong = run(&image, "--read-test=some", false);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn ctrl_c_ends_it_with_what_was_seen() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let image = image(dir.path(), HUGE);
    let mut child = command(&image, "--read-test=full")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let begun = lines.next().unwrap().unwrap();
    assert!(begun.starts_with("read test: 0 of 4194304 MiB"), "{begun}");
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(
        text.contains("READ TEST (stopped before its end)"),
        "{text}"
    );
    assert!(text.contains("no errors so far"), "{text}");
}
