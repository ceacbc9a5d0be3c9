//! Databases of rpm, made by rpm itself (`scripts/lab-packages` installs it):
//! what Lifeboot reads in them is what rpm says. Needs root, as rpm does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Packages with all that a header may have: an epoch, a link, a directory,
/// configuration, ghosts, a mode with set-user-id, documentation, a device of
/// many files whose record takes many pages.
const BUILD: &str = r#"
set -eu
spec() {
    cat > "$1-$3.spec" <<SPEC
Name: $1
Version: $3
Release: 1
Epoch: $2
Summary: made by a test
License: none
BuildArch: noarch
Provides: $4
%description
Made by a test.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc/$1 %{buildroot}/usr/share/doc/$1
mkdir -p %{buildroot}/usr/lib/$1
echo $1 $3 > %{buildroot}/usr/bin/$1
ln -s $1 %{buildroot}/usr/bin/$1-link
echo configuration > %{buildroot}/etc/$1/$1.conf
echo other > %{buildroot}/etc/$1/other.conf
echo free > %{buildroot}/usr/lib/$1/free
echo read me > %{buildroot}/usr/share/doc/$1/README
: > %{buildroot}/usr/lib/$1/empty
for i in \$(seq 1 $5); do echo \$i > %{buildroot}/usr/lib/$1/a-file-with-a-long-name-number-\$i; done
%files
%attr(4755,root,root) /usr/bin/$1
/usr/bin/$1-link
%dir /etc/$1
%config(noreplace) /etc/$1/$1.conf
%config /etc/$1/other.conf
%dir /usr/lib/$1
%verify(not md5 size mtime) /usr/lib/$1/free
/usr/lib/$1/empty
/usr/lib/$1/a-file-*
%doc /usr/share/doc/$1/README
%ghost /var/log/$1.log
%ghost %config(missingok) /etc/$1/missing.conf
SPEC
    rpmbuild -bb --define "_topdir $PWD/top" --define "_rpmdir $PWD/rpms" \
        --define "dist %{nil}" "$1-$3.spec" > build.log 2>&1 || { cat build.log; exit 1; }
}
spec hello 0 1.0 greeting 3
spec hello 0 1.1 greeting 3
spec tool 3 2.0 tools 400
spec kernel-x 0 5 'installonlypkg(kernel)' 1
spec kernel-x 0 6 'installonlypkg(kernel)' 1
"#;

/// The folder of packages, built once.
fn built() -> Option<&'static Path> {
    static BUILT: std::sync::OnceLock<Option<PathBuf>> = std::sync::OnceLock::new();
    let made = BUILT.get_or_init(|| {
        let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !nix::unistd::geteuid().is_root() || !has("rpm") || !has("rpmbuild") {
            return None;
        }
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rpm-packages");
        drop(fs::remove_dir_all(&dir));
        fs::create_dir_all(&dir).unwrap();
        bash(BUILD, &dir, &[]);
        Some(dir)
    });
    made.as_deref()
}

fn bash(script: &str, dir: &Path, variables: &[(&str, &str)]) -> String {
    let done = Command::new("bash")
        .args(["-c", script])
        .envs(variables.iter().copied())
        .env("LC_ALL", "C")
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{script}\n{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// A root with packages that `rpm` installed.
struct Root(tempfile::TempDir);

impl Root {
    /// None where the tools are not there.
    fn with(install: &str) -> Option<Self> {
        let packages = built()?;
        let root = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(root.path().join("var/lib/rpm")).unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\n",
        )
        .unwrap();
        fs::write(root.path().join("etc/group"), "root:x:0:\n").unwrap();
        root.rpm(&format!("cd {}/rpms/noarch; {install}", packages.display()));
        Some(root)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a script in which `rpm` means the one of this root.
    fn rpm(&self, script: &str) -> String {
        let root = self.path().to_str().unwrap();
        let define = r#"rpm() { command rpm --root "$ROOT" --dbpath /var/lib/rpm "$@"; }"#;
        bash(
            &format!("{define}; {script}"),
            self.path(),
            &[("ROOT", root)],
        )
    }

    fn lifeboot(&self, arguments: &[&str]) -> (i32, String) {
        let said = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
            .args(arguments)
            .arg("--root")
            .arg(self.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        (said.status.code().unwrap(), text)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (_, text) = self.lifeboot(arguments);
        serde_json::from_str(&text).expect("JSON")
    }

    /// Name, full version, release, architecture, time and transaction of
    /// each package, as Lifeboot reads them.
    fn read(&self) -> Vec<String> {
        let found = self.json(&["packages", "--json"]);
        listed(&found)
    }

    /// The same, as rpm prints them.
    fn asked(&self) -> Vec<String> {
        let format =
            "%{NAME} %{EPOCH} %{VERSION} %{RELEASE} %{ARCH} %{INSTALLTIME} %{INSTALLTID}\\n";
        let said = self.rpm(&format!("rpm -qa --qf '{format}'"));
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn findings(&self) -> Value {
        self.json(&["diagnose", "--json"])["findings"].clone()
    }

    /// The finding with this id.
    fn finding(&self, id: &str) -> Option<Value> {
        let findings = self.findings();
        let all = findings.as_array().unwrap();
        all.iter().find(|finding| finding["id"] == id).cloned()
    }
}

fn listed(found: &Value) -> Vec<String> {
    let packages = found["packages"].as_array().unwrap();
    let field = |value: &Value| match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |p: &Value| {
        let names = [
            "name",
            "epoch",
            "version",
            "release",
            "architecture",
            "installed",
            "transaction",
        ];
        names.map(|name| field(&p[name])).join(" ")
    };
    let mut lines: Vec<String> = packages.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn packages_are_those_that_rpm_lists() {
    let Some(root) = Root::with("rpm -i --nodeps hello-1.0* tool* kernel-x-5*") else {
        return;
    };
    assert_eq!(root.asked().len(), 3);
    assert_eq!(root.read(), root.asked());
    // Changes that are in the write-ahead log only, and free pages.
    root.rpm("rpm -e --nodeps tool");
    assert_eq!(root.read(), root.asked());
    let (code, text) = root.lifeboot(&["packages"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("2 packages of rpm's\n"), "{text}");
    assert!(
        text.contains("/var/lib/rpm/rpmdb.sqlite (sqlite) is whole"),
        "{text}"
    );
    for id in ["rpm-duplicates", "rpm-database-damaged", "rpm-interrupted"] {
        assert_eq!(root.finding(&format!("packages/{id}")), None);
    }
}
