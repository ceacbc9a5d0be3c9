//! The package: the same bytes each time, and dpkg installs what belongs in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "package/documents.rs"]
mod documents;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use lifeboot::cli::Cli;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// `scripts/package` with what cargo built for this test; the files made.
fn package(dir: &Path, out: &str) -> Vec<PathBuf> {
    let said = run(Command::new("scripts/package")
        .arg(dir.join(out))
        .env("LIFEBOOT_BINARY", dir.join("lifeboot"))
        .env("LIFEBOOT_DOCUMENTS", dir.join("documents"))
        .env("SOURCE_DATE_EPOCH", "1700000000"));
    said.lines().map(PathBuf::from).collect()
}

#[test]
fn two_runs_give_equal_bytes_and_dpkg_installs_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    documents::write(&dir.join("documents")).unwrap();
    // As it is released: without what a debugger needs.
    run(Command::new("strip")
        .arg("-o")
        .arg(dir.join("lifeboot"))
        .arg(env!("CARGO_BIN_EXE_lifeboot")));
    let first = package(dir, "first");
    // Another time of the files, another order in the folder.
    fs::remove_dir_all(dir.join("documents")).unwrap();
    documents::write(&dir.join("documents")).unwrap();
    let second = package(dir, "second");
    assert_eq!(first.len(), 2);
    for (one, other) in first.iter().zip(&second) {
        assert!(
            fs::read(one).unwrap() == fs::read(other).unwrap(),
            "{one:?}"
        );
    }
    installs(dir, &first[0]);
    let names = run(Command::new("tar").arg("-tzf").arg(&first[1]));
    assert!(
        names.contains("/usr/bin/lifeboot\n") && names.contains("/copyright\n"),
        "{names}"
    );
}

fn installs(dir: &Path, deb: &Path) {
    let contents = run(Command::new("dpkg-deb").arg("--contents").arg(deb));
    for line in contents.lines() {
        let mut words = line.split_whitespace();
        let (mode, owner) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(owner, "root/root", "{line}");
        assert!(
            ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&mode),
            "{line}"
        );
        assert!(line.contains("2023-11-14"), "{line}");
    }
    let root = dir.join("root");
    for path in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/bin"] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    run(Command::new("dpkg")
        .arg(format!("--root={}", root.display()))
        .args(["--force-not-root", "--force-architecture", "--install"])
        .arg(deb)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
    let verified = run(Command::new("dpkg")
        .arg(format!("--root={}", root.display()))
        .args(["--verify", "lifeboot"]));
    assert_eq!(verified, "");
    let version = run(Command::new(root.join("usr/bin/lifeboot")).arg("--version"));
    assert_eq!(
        version.trim(),
        format!("lifeboot {}", env!("CARGO_PKG_VERSION"))
    );
    manual(&root.join("usr/share/man/man1"));
    let bash = root.join("usr/share/bash-completion/completions/lifeboot");
    run(Command::new("bash").arg("-n").arg(&bash));
    let completed = run(Command::new("bash").arg("-c").arg(format!(
        "source {}; COMP_WORDS=(lifeboot diagnose --ht); COMP_CWORD=2; \
         _lifeboot lifeboot --ht diagnose; echo \"${{COMPREPLY[*]}}\"",
        bash.display()
    )));
    assert_eq!(completed.trim(), "--html");
    for path in [
        "zsh/vendor-completions/_lifeboot",
        "fish/vendor_completions.d/lifeboot.fish",
        "doc/lifeboot/copyright",
        "doc/lifeboot/README.md",
        "doc/lifeboot/schema/diagnose-1.json",
    ] {
        assert!(root.join("usr/share").join(path).is_file(), "{path}");
    }
}

/// A page for the program and one for each command.
fn manual(folder: &Path) {
    let commands = Cli::command();
    let names = commands
        .get_subcommands()
        .map(|command| command.get_name().to_owned());
    let mut wanted: Vec<String> = names.map(|name| format!("lifeboot-{name}.1.gz")).collect();
    wanted.push("lifeboot.1.gz".into());
    wanted.sort();
    let entries = fs::read_dir(folder).unwrap();
    let mut there: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    assert_eq!(there, wanted);
    let page = run(Command::new("gzip")
        .arg("-dc")
        .arg(folder.join("lifeboot-diagnose.1.gz")));
    for words in [".TH", "\\-\\-markdown", "\\-\\-redact"] {
        assert!(page.contains(words), "{words}: {page}");
    }
}
