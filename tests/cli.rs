//! The command line as people and scripts meet it: help, exit codes, errors.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "terminal/mod.rs"]
mod terminal;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use terminal::on_a_terminal;

fn lifeboot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// A tree with just enough in it to be judged: a container's root.
fn small_tree(dir: &Path) {
    for path in [
        "etc",
        "usr/bin",
        "usr/sbin",
        "usr/lib",
        "var/lib/dpkg/info",
        "boot",
    ] {
        fs::create_dir_all(dir.join(path)).unwrap();
    }
    symlink("usr/bin", dir.join("bin")).unwrap();
    symlink("usr/sbin", dir.join("sbin")).unwrap();
    symlink("usr/lib", dir.join("lib")).unwrap();
    let status = "Package: tool\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";
    fs::write(dir.join("var/lib/dpkg/status"), status).unwrap();
    let list =
        "/.\n/usr\n/usr/sbin\n/usr/sbin/one\n/usr/sbin/two\n/usr/sbin/three\n/usr/sbin/four\n";
    fs::write(dir.join("var/lib/dpkg/info/tool.list"), list).unwrap();
    for name in ["one", "two", "three", "four"] {
        fs::write(dir.join("usr/sbin").join(name), name).unwrap();
    }
}

#[test]
fn help_of_every_command_fits_a_serial_console() {
    for command in [
        "", "survey", "diagnose", "legs", "elf", "repair", "undo", "explain", "salvage", "verify",
    ] {
        let args: Vec<_> = [command, "--help"]
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect();
        let output = lifeboot(&args);
        assert_eq!(code(&output), 0);
        for line in text(&output.stdout).lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
    }
}

#[test]
fn wrong_usage_is_2_and_failure_is_1() {
    assert_eq!(code(&lifeboot(&["diagnose", "--nonsense"])), 2);
    assert_eq!(
        code(&lifeboot(&["diagnose", "--root", "/", "--disk", "/x"])),
        2
    );
    let missing = lifeboot(&["diagnose", "--root", "/no/such/dir"]);
    assert_eq!(code(&missing), 1);
    assert!(text(&missing.stderr).contains("/no/such/dir"));
    let missing = lifeboot(&["survey", "--disk", "/no/such/image"]);
    assert_eq!(code(&missing), 1);
    assert!(text(&missing.stderr).contains("/no/such/image"));
}

#[test]
fn explain_lists_all_and_prints_one() {
    let all = text(&lifeboot(&["explain"]).stdout);
    assert!(all.contains("init/init-missing"));
    let page = lifeboot(&["explain", "init/init-missing"]);
    assert!(text(&page.stdout).starts_with("# init/init-missing\n"));
    let unknown = lifeboot(&["explain", "init/nothing"]);
    assert_eq!(code(&unknown), 1);
    assert!(text(&unknown.stderr).contains("lifeboot explain"));
    let json: serde_json::Value =
        serde_json::from_slice(&lifeboot(&["explain", "--json"]).stdout).unwrap();
    assert!(json.as_array().unwrap().len() > 10);
}

#[test]
fn a_container_root_has_no_blocker_and_no_verdict_of_boots() {
    let dir = tempfile::tempdir().unwrap();
    small_tree(dir.path());
    let output = lifeboot(&["diagnose", "--json", "--root", dir.path().to_str().unwrap()]);
    assert_eq!(code(&output), 40);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["verdict"]["kind"], "undetermined");
    assert_eq!(report["schema"], "lifeboot/diagnose/1");
}

#[test]
fn a_ticket_gets_the_whole_report_as_markdown() {
    let dir = tempfile::tempdir().unwrap();
    small_tree(dir.path());
    fs::rename(dir.path().join("usr/sbin"), dir.path().join("usr/sbin.old")).unwrap();
    symlink("bin", dir.path().join("usr/sbin")).unwrap();
    let root = dir.path().to_str().unwrap();
    let output = lifeboot(&["diagnose", "--markdown", "--root", root]);
    let page = text(&output.stdout);
    for part in [
        "# UNDETERMINED: ",
        "\n- System: ",
        "\n## Findings\n\n- **",
        "`root/system-directory-replaced`: /usr/sbin is a link",
        "\n  - `/usr/sbin`: link to bin",
        "\n  - Cause: ",
        "\n## Plan\n\n- Repair 1: Rename /usr/sbin.old back to /usr/sbin (removes",
        "\n  - `move /usr/sbin.old to /usr/sbin`",
        "\n## Not known\n\n- **",
        "- **firmware**: disks",
        "\n## Report\n\n- lifeboot ",
    ] {
        assert!(page.contains(part), "no {part:?} in\n{page}");
    }
    assert_eq!(code(&lifeboot(&["diagnose", "--markdown", "--json"])), 2);
}

#[test]
fn a_damaged_list_of_packages_is_never_called_finished() {
    let dir = tempfile::tempdir().unwrap();
    small_tree(dir.path());
    let root = dir.path().to_str().unwrap();
    let first = |expected| {
        let output = lifeboot(&["packages", "--root", root]);
        assert_eq!(code(&output), expected);
        text(&output.stdout).lines().next().unwrap().to_owned()
    };
    assert_eq!(first(0), "1 packages on the disk, all of them finished");
    let status = dir.path().join("var/lib/dpkg/status");
    let mut damaged = fs::read(&status).unwrap();
    damaged.extend(b"Package: other\nStatus: install ok inst\0\0\0\0");
    fs::write(&status, damaged).unwrap();
    assert_eq!(
        first(40),
        "1 packages on the disk, what is finished is not known"
    );
}

#[test]
fn an_empty_directory_is_no_system_that_boots() {
    let dir = tempfile::tempdir().unwrap();
    let output = lifeboot(&["diagnose", "--root", dir.path().to_str().unwrap()]);
    assert_eq!(code(&output), 40);
    assert!(text(&output.stdout).starts_with("UNDETERMINED"));
}

#[test]
fn the_running_system_has_no_blocker() {
    let output = lifeboot(&["diagnose", "--json", "--root", "/"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let blockers: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "blocker")
        .collect();
    assert!(blockers.is_empty(), "{blockers:#?}");
}

#[test]
fn without_a_terminal_nothing_is_asked_and_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    small_tree(dir.path());
    fs::rename(dir.path().join("usr/sbin"), dir.path().join("usr/sbin.old")).unwrap();
    symlink("bin", dir.path().join("usr/sbin")).unwrap();
    let root = dir.path().to_str().unwrap();
    for args in [
        &["repair", "--root", root][..],
        &["repair", "--plan", "--root", root],
    ] {
        let output = lifeboot(args);
        assert!(text(&output.stdout).contains("usr/sbin.old"), "{args:?}");
        assert!(
            fs::symlink_metadata(dir.path().join("usr/sbin"))
                .unwrap()
                .is_symlink()
        );
    }
    let undo = lifeboot(&["undo", "--root", root]);
    assert_eq!(code(&undo), 1);
    assert!(!dir.path().join(".lifeboot").exists());
}

#[test]
fn only_acts_on_what_it_names_and_undo_takes_it_back() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: the journal marks / with an attribute of root's");
        return;
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    small_tree(dir.path());
    fs::rename(dir.path().join("usr/sbin"), dir.path().join("usr/sbin.old")).unwrap();
    symlink("bin", dir.path().join("usr/sbin")).unwrap();
    let root = dir.path().to_str().unwrap();
    let sbin = dir.path().join("usr/sbin");
    lifeboot(&["repair", "--root", root, "--only", "init/init-missing"]);
    assert!(fs::symlink_metadata(&sbin).unwrap().is_symlink());
    let id = "root/system-directory-replaced";
    let output = lifeboot(&["repair", "--root", root, "--only", id]);
    assert!(sbin.join("four").exists(), "{}", text(&output.stderr));
    let list = text(&lifeboot(&["log", "--root", root]).stdout);
    assert!(list.contains("committed: 2 changes stand"), "{list}");
    assert!(list.contains("/usr/sbin.old"), "{list}");
    assert!(list.contains("agreed: --only"), "{list}");
    let name = list.split_whitespace().next().unwrap();
    let steps = text(&lifeboot(&["log", name, "--root", root]).stdout);
    assert!(steps.contains("move /usr/sbin into quarantine"), "{steps}");
    assert!(steps.contains("move /usr/sbin.old to /usr/sbin"), "{steps}");
    let json = lifeboot(&["log", "--json", "--root", root]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["repairs"][0]["id"], name);
    assert!(
        json["repairs"][0]["header"]["by"]
            .as_str()
            .unwrap()
            .contains('@'),
        "{json}"
    );
    let other = lifeboot(&["log", "20260101T000000Z-00000000", "--root", root]);
    assert_eq!(code(&other), 1);
    let asked = lifeboot(&["undo", "--root", root]);
    assert_eq!(code(&asked), 2);
    assert!(sbin.join("four").exists());
    assert_eq!(code(&lifeboot(&["undo", "--yes", "--root", root])), 0);
    assert!(fs::symlink_metadata(&sbin).unwrap().is_symlink());
    assert!(!dir.path().join(".lifeboot").exists());
}

#[test]
fn facts_can_be_saved_and_judged_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    small_tree(dir.path());
    fs::remove_file(dir.path().join("lib")).unwrap();
    let root = dir.path().to_str().unwrap();
    let saved = dir.path().join("facts.json");
    let saved = saved.to_str().unwrap();
    let first = lifeboot(&["diagnose", "--root", root, "--save-facts", saved]);
    let again = lifeboot(&["diagnose", "--facts", saved]);
    assert_eq!(text(&first.stdout), text(&again.stdout));
    assert_eq!(code(&first), code(&again));
    fs::write(saved, "{}").unwrap();
    let wrong = lifeboot(&["diagnose", "--facts", saved]);
    assert_eq!(code(&wrong), 1);
    assert!(text(&wrong.stderr).contains("facts.json"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .arg("explain")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn on_a_terminal_each_repair_is_asked_about() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: the journal marks / with an attribute of root's");
        return;
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    small_tree(dir.path());
    fs::rename(dir.path().join("usr/sbin"), dir.path().join("usr/sbin.old")).unwrap();
    let root = dir.path().to_str().unwrap();
    let command = format!("{} repair --root {root}", env!("CARGO_BIN_EXE_lifeboot"));
    let sbin = dir.path().join("usr/sbin");
    let refused = on_a_terminal(&command, "n\n");
    assert!(refused.contains("nothing was changed"), "{refused}");
    assert!(!sbin.exists());
    let done = on_a_terminal(&command, "y\n");
    assert!(done.contains("REPAIRED"), "{done}");
    assert!(sbin.join("four").exists());
    let undo = format!("{} undo --root {root}", env!("CARGO_BIN_EXE_lifeboot"));
    assert!(on_a_terminal(&undo, "y\n").contains("UNDONE"));
    assert!(!sbin.exists());
}

#[test]
fn the_same_outage_a_second_time_is_repaired_as_well() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: the journal marks / with an attribute of root's");
        return;
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    small_tree(dir.path());
    let root = dir.path().to_str().unwrap();
    let sbin = dir.path().join("usr/sbin");
    for _ in 0..3 {
        fs::rename(&sbin, dir.path().join("usr/sbin.old")).unwrap();
        fs::create_dir(&sbin).unwrap();
        fs::write(sbin.join("one"), "another one").unwrap();
        let output = lifeboot(&["repair", "--yes", "--root", root]);
        assert!(sbin.join("four").exists(), "{}", text(&output.stderr));
    }
    for name in [
        "one.lifeboot-new",
        "one.lifeboot-new.2",
        "one.lifeboot-new.3",
    ] {
        assert!(sbin.join(name).exists(), "{name}");
    }
}

#[test]
fn a_plan_that_cannot_be_done_is_not_promised() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    small_tree(dir.path());
    let sbin = dir.path().join("usr/sbin");
    fs::rename(&sbin, dir.path().join("usr/sbin.old")).unwrap();
    fs::create_dir(&sbin).unwrap();
    fs::write(sbin.join(std::ffi::OsStr::from_bytes(b"odd\xFF")), "").unwrap();
    let root = dir.path().to_str().unwrap();
    let output = lifeboot(&["diagnose", "--json", "--root", root]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["plan"]["repairs"], serde_json::json!([]));
    assert_eq!(report["plan"]["refused"].as_array().unwrap().len(), 1);
    assert_eq!(report["verdict"]["kind"], "undetermined");
}

#[test]
fn names_that_are_no_text_and_escapes_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    small_tree(dir.path());
    let line = b"/dev/sdz1 /mnt/\xFF\x1b[2Jx ext4 nofail 0 0\n";
    fs::write(dir.path().join("etc/fstab"), line).unwrap();
    fs::write(dir.path().join("etc/hostname"), "\x1b[2Jevil\n").unwrap();
    let root = dir.path().to_str().unwrap();
    let json = lifeboot(&["diagnose", "--json", "--root", root]);
    assert_eq!(code(&json), 40);
    let shown = lifeboot(&["diagnose", "--root", root]);
    assert!(!shown.stdout.contains(&0x1b) && !shown.stderr.contains(&0x1b));
}

#[test]
fn the_next_command_names_the_same_patient() {
    let dir = tempfile::tempdir().unwrap();
    small_tree(dir.path());
    fs::rename(dir.path().join("usr/sbin"), dir.path().join("usr/sbin old")).unwrap();
    let root = dir.path().to_str().unwrap();
    let shown = text(&lifeboot(&["diagnose", "--root", root]).stdout);
    let words: Vec<_> = shown.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains(&format!("Next: lifeboot repair --root {root}")),
        "{shown}"
    );
    assert!(shown.contains("'ROOT/usr/sbin old'"), "{shown}");
    let misspelt = lifeboot(&["repair", "--root", root, "--only", "root/nothing"]);
    assert_eq!(code(&misspelt), 2);
}
