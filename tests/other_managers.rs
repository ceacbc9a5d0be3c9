//! Databases of other package managers than dpkg, made by the managers
//! themselves (`scripts/lab-packages` installs them). Needs root, as they do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Two packages, then a third whose unpacking ends at a limit of file sizes:
/// the kernel kills pacman there, as a power cut would.
const MAKE: &str = r#"
set -eu
mkdir -p root/var/lib/pacman root/var/log root/etc
printf '[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n' > conf
make() {
    rm -rf pkg; mkdir -p pkg/usr/bin
    printf '%s\n' "pkgname = $1" "pkgver = $2" "arch = x86_64" > pkg/.PKGINFO
    head -c "$3" /dev/zero > "pkg/usr/bin/$1"
    tar -czf "$1-$2-x86_64.pkg.tar.gz" -C pkg .PKGINFO usr
}
pac() { pacman --root "$PWD/root" --config "$PWD/conf" --noconfirm "$@"; }
make hello 1.0-1 10
make tool 2-1 10
pac -U hello-1.0-1-x86_64.pkg.tar.gz tool-2-1-x86_64.pkg.tar.gz
test "$STEP" != healthy || exit 0
make hello 1.1-1 10
make large 3-1 3000000
(ulimit -c 0 -f 1000; pac -U hello-1.1-1-x86_64.pkg.tar.gz large-3-1-x86_64.pkg.tar.gz) || true
"#;

fn make(step: &str, dir: &Path) -> bool {
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !nix::unistd::geteuid().is_root() || !has("pacman") {
        return false;
    }
    let made = Command::new("bash")
        .args(["-c", MAKE])
        .env("STEP", step)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    true
}

fn diagnose(root: &Path) -> Value {
    let said = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(["diagnose", "--json", "--root"])
        .arg(root)
        .output()
        .unwrap();
    serde_json::from_slice(&said.stdout).expect("a report")
}

fn interrupted(report: &Value) -> Vec<&Value> {
    let findings = report["findings"].as_array().unwrap();
    let id = "packages/pacman-interrupted";
    findings.iter().filter(|f| f["id"] == id).collect()
}

#[test]
fn a_finished_pacman_is_no_finding() {
    let dir = tempfile::tempdir().unwrap();
    if !make("healthy", dir.path()) {
        return;
    }
    let report = diagnose(&dir.path().join("root"));
    assert!(interrupted(&report).is_empty(), "{report:#}");
    let packages = report["tree"]["packages"]["packages"].as_array().unwrap();
    let names: Vec<_> = packages
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["hello", "tool"]);
    assert_eq!(packages[0]["version"], "1.0-1");
    assert_eq!(packages[0]["architecture"], "x86_64");
}

#[test]
fn a_killed_pacman_is_told() {
    let dir = tempfile::tempdir().unwrap();
    if !make("killed", dir.path()) {
        return;
    }
    let root = dir.path().join("root");
    let report = diagnose(&root);
    let found = interrupted(&report);
    assert_eq!(found.len(), 1, "{report:#}");
    let open = &report["tree"]["packages"]["unfinished"];
    assert_eq!(open["changed"], 1, "{open:#}");
    let sources: Vec<_> = found[0]["evidence"].as_array().unwrap().iter().collect();
    let from = |path: &str| sources.iter().any(|e| e["source"] == path);
    assert!(
        from("/var/log/pacman.log") && from("/var/lib/pacman/db.lck"),
        "{sources:#?}"
    );
}

#[test]
fn an_empty_record_and_a_stale_lock_are_told() {
    let dir = tempfile::tempdir().unwrap();
    if !make("healthy", dir.path()) {
        return;
    }
    let root = dir.path().join("root");
    fs::write(root.join("var/lib/pacman/db.lck"), "").unwrap();
    let report = diagnose(&root);
    assert_eq!(interrupted(&report).len(), 1);
    fs::remove_file(root.join("var/lib/pacman/db.lck")).unwrap();
    fs::write(root.join("var/lib/pacman/local/tool-2-1/desc"), "").unwrap();
    let report = diagnose(&root);
    let path = &interrupted(&report)[0]["evidence"][0]["source"];
    assert_eq!(path, "/var/lib/pacman/local/tool-2-1/desc");
}
