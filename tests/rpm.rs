//! Databases of rpm, made by rpm itself (`scripts/lab-packages` installs it):
//! what Lifeboot reads in them is what rpm says. Needs root, as rpm does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboot::facts::packages::{self, Depth, Packages, Rpm};
use lifeboot::sys::root_dir::RootDir;
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

#[test]
fn two_versions_are_told_and_two_kernels_are_not() {
    let install = "rpm -i --nodeps --force hello-1.0* kernel-x-5* kernel-x-6*";
    let Some(root) = Root::with(install) else {
        return;
    };
    assert_eq!(root.asked().len(), 3);
    assert_eq!(root.finding("packages/rpm-duplicates"), None);
    let packages = built().unwrap().display();
    root.rpm(&format!(
        "rpm -i --nodeps --force --justdb {packages}/rpms/noarch/hello-1.1*"
    ));
    let found = root.finding("packages/rpm-duplicates").unwrap();
    assert_eq!(found["title"], "hello is there in two versions");
    assert_eq!(found["evidence"][0]["source"], "/var/lib/rpm/rpmdb.sqlite");
    // What it says to type is what rpm needs.
    let by_hand = found["by_hand"].as_str().unwrap();
    let command = "rpm -e --justdb --nodeps hello-1.0-1.noarch";
    assert!(by_hand.contains(command), "{by_hand}");
    root.rpm(command);
    assert_eq!(root.finding("packages/rpm-duplicates"), None);
    assert_eq!(root.read(), root.asked());
    // A configuration that allows it.
    root.rpm(&format!(
        "rpm -i --nodeps --force --justdb {packages}/rpms/noarch/hello-1.0*"
    ));
    assert!(root.finding("packages/rpm-duplicates").is_some());
    fs::create_dir_all(root.path().join("etc/dnf")).unwrap();
    let conf = "[main]\ninstallonlypkgs=greeting\n";
    fs::write(root.path().join("etc/dnf/dnf.conf"), conf).unwrap();
    assert_eq!(root.finding("packages/rpm-duplicates"), None);
}

/// Both lines of `rpm --verify` and of Lifeboot, sorted.
fn verified(root: &Root) -> [Vec<String>; 2] {
    let asked = root.rpm("rpm -Va --nodeps --noscripts || true");
    let (_, said) = root.lifeboot(&["packages", "--verify", "--rpm-format"]);
    [asked, said].map(|text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    })
}

#[test]
fn files_are_verified_as_rpm_does() {
    let Some(root) = Root::with("rpm -i --nodeps hello-1.0* tool*") else {
        return;
    };
    let [asked, said] = verified(&root);
    assert_eq!(said, asked);
    let (code, text) = root.lifeboot(&["packages", "--verify"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("the files of 2 packages are whole"),
        "{text}"
    );
    let ways = [
        "chmod 755 usr/bin/hello",
        "chown 5:0 usr/bin/tool",
        "chown 0:7 etc/tool",
        "chown -h 5:5 usr/bin/tool-link",
        "echo other > usr/bin/hello",
        "echo changed >> etc/hello/hello.conf",
        "touch -d 2001-01-01 etc/hello/other.conf",
        "chmod 600 etc/hello/other.conf",
        "ln -sfn elsewhere usr/bin/hello-link",
        "rm usr/share/doc/hello/README",
        "rm etc/tool/tool.conf",
        "rm usr/lib/tool/a-file-with-a-long-name-number-7",
        ": > usr/lib/tool/a-file-with-a-long-name-number-8",
        "f=usr/lib/tool/a-file-with-a-long-name-number-9; rm $f; mkdir $f",
        "f=usr/lib/tool/a-file-with-a-long-name-number-10; rm $f; ln -s nowhere $f",
        "f=usr/lib/tool/a-file-with-a-long-name-number-11; rm $f; mknod $f p",
        "f=usr/bin/tool-link; rm $f; echo a file > $f",
        "f=usr/lib/hello/empty; touch -r $f time; echo not empty > $f; touch -r time $f",
        "echo as you like > usr/lib/hello/free",
        "touch etc/hello/missing.conf; mkdir -p var/log; touch var/log/hello.log",
        "chmod 600 var/log/hello.log",
        "mv etc/hello elsewhere; ln -s ../elsewhere etc/hello",
        "mv usr/lib/hello x; echo no directory > usr/lib/hello",
    ];
    let mut lines = 0;
    for way in ways {
        bash(way, root.path(), &[]);
        let [asked, said] = verified(&root);
        assert_eq!(said, asked, "after: {way}");
        lines = lines.max(asked.len());
    }
    assert!(lines > 15, "only {lines} lines");
    let damaged = root.finding("packages/files-damaged").unwrap();
    assert!(damaged.to_string().contains("/usr/bin/hello"), "{damaged}");
    assert!(
        damaged["by_hand"]
            .as_str()
            .unwrap()
            .contains("dnf reinstall")
    );
    let missing = root.finding("packages/files-missing").unwrap();
    assert!(missing.to_string().contains("number-7"), "{missing}");
    let (code, text) = root.lifeboot(&["packages", "--verify"]);
    assert_eq!(code, 40);
    for words in [
        "/usr/bin/hello: mode 0755, shipped 4755",
        "/usr/bin/tool: mode 0755, shipped 4755; owner 5, shipped 0",
        "/usr/bin/hello-link: leads to elsewhere, shipped hello",
        "CONFIGURATION FILES THAT ARE NOT AS SHIPPED",
    ] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
}

/// dnf killed in the middle of an upgrade, before ($WHEN is pre) or after (post)
/// the new version was put in: its scriptlet says where it is, and waits. Then
/// the upgrade is made to have begun in the second in which the older version
/// was installed, as it may have.
const KILLED: &str = r#"
set -eu
mkdir repo home; echo '%_dbpath /var/lib/rpm' > home/.rpmmacros
export HOME="$PWD/home"
make() {
    cat > "killer-$1.spec" <<SPEC
Name: killer
Version: $1
Release: 1
Summary: made by a test
License: none
BuildArch: noarch
%description
Made by a test.
%install
mkdir -p %{buildroot}/usr/share/killer
echo $1 > %{buildroot}/usr/share/killer/version
%$WHEN -p <lua>
if "$1" == "2" then
    local here = io.open("/here", "w"); here:write("here\\n"); here:close(); io.open("/go"):close()
end
%files
/usr/share/killer/version
SPEC
    rpmbuild -bb --define "_topdir $PWD/top" --define "_rpmdir $PWD/repo" "killer-$1.spec"
    createrepo_c -q repo
    rm -rf cache
}
upgrade() {
    dnf -y --installroot "$PWD/root" --releasever 1 '--disablerepo=*' --nogpgcheck \
        --repofrompath="r,file://$PWD/repo" --setopt=reposdir=/dev/null \
        --setopt=cachedir="$PWD/cache" "$@"
}
{ make 1; upgrade install killer; make 2; } > log 2>&1 || { cat log; exit 1; }
mkfifo root/here root/go
set -m
upgrade upgrade killer > log 2>&1 &
read -r _ < root/here
kill -KILL -- -$!
wait || true
rm root/here root/go
then=$(rpm --root "$PWD/root" --dbpath /var/lib/rpm -q --qf '%{INSTALLTIME}' killer-1)
python3 - "$then" <<PYTHON
import sqlite3, sys
history = sqlite3.connect("root/var/lib/dnf/history.sqlite")
last = "where id = (select max(id) from trans)"
assert history.execute("update trans set dt_begin = ? " + last, sys.argv[1:]).rowcount == 1
history.commit()
PYTHON
"#;

#[test]
fn a_killed_dnf_is_told() {
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if built().is_none() || !has("dnf") || !has("createrepo_c") {
        return;
    }
    killed("pre", 1);
    killed("post", 0);
}

fn killed(when: &str, left: usize) {
    let dir = tempfile::tempdir().unwrap();
    bash(KILLED, dir.path(), &[("WHEN", when)]);
    // The rest of this test is about dir/root.
    let said = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(["diagnose", "--json", "--root"])
        .arg(dir.path().join("root"))
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&said.stdout).expect("a report");
    let find = |id: &str| {
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("no {id} in {findings:#?}"))
    };
    let interrupted = find("packages/rpm-interrupted");
    assert_eq!(interrupted["title"], "a transaction of dnf never ended");
    let evidence = &interrupted["evidence"][0];
    assert_eq!(evidence["source"], "/var/lib/dnf/history.sqlite");
    let seen = evidence["seen"].as_str().unwrap();
    let counts = format!("packages to install: 1, not yet installed: {left}");
    assert!(seen.ends_with(&counts), "{seen}");
    assert!(seen.contains("upgrade killer"), "{seen}");
    if left > 0 {
        return;
    }
    let twice = find("packages/rpm-duplicates");
    assert!(
        twice["by_hand"]
            .as_str()
            .unwrap()
            .contains("killer-1-1.noarch")
    );
}

/// A transaction as dnf5 keeps it (its create_tables.sql, the columns that count),
/// with a group of packages.
const DNF5: &str = r#"
import os, sqlite3
os.makedirs("usr/lib/sysimage/libdnf5")
history = sqlite3.connect("usr/lib/sysimage/libdnf5/transaction_history.sqlite")
history.executescript("""
create table trans (id integer, dt_begin integer not null, dt_end integer, a text, b text,
    releasever text, user_id integer, description text, comment text, state_id integer,
    primary key (id autoincrement));
create table pkg_name (id integer, name text not null unique, primary key (id));
create table arch (id integer, name text not null unique, primary key (id));
create table trans_item (id integer, trans_id integer, item_id integer, repo_id integer,
    action_id integer not null, reason_id integer not null, state_id integer not null,
    primary key (id autoincrement));
create table rpm (item_id integer not null unique, name_id integer not null,
    epoch integer not null, version text not null, release text not null,
    arch_id integer not null);
insert into trans values (1, 100, 200, '', '', '1', 0, 'dnf install old', '', 2),
    (2, 300, null, '', '', '1', 0, 'dnf upgrade', '', 1);
insert into pkg_name values (5, 'hello'), (6, 'tool');
insert into arch values (9, 'noarch'), (8, 'x86_64');
insert into rpm values (11, 5, 0, '1.0', '1', 9), (12, 6, 3, '2.0', '1', 9),
    (13, 5, 0, '1.0', '1', 8), (14, 6, 2, '2.0', '1', 9), (15, 6, 0, '0', '1', 9);
insert into trans_item values (1, 1, 15, 0, 1, 1, 1), (2, 2, 11, 0, 2, 1, 1),
    (3, 2, 12, 0, 2, 1, 1), (4, 2, 13, 0, 1, 1, 1), (5, 2, 14, 0, 3, 1, 1),
    (6, 2, 15, 0, 6, 1, 1), (7, 2, 99, 0, 1, 1, 1);
""")
history.commit()
"#;

#[test]
fn what_dnf5_has_not_installed_is_counted() {
    let Some(root) = Root::with("rpm -i --nodeps hello-1.0* tool*") else {
        return;
    };
    bash(
        &format!("python3 - <<'PYTHON'\n{DNF5}\nPYTHON"),
        root.path(),
        &[],
    );
    let open = rpm_of(root.path()).unfinished.unwrap();
    // Another architecture, and another epoch, are other packages.
    assert_eq!((open.planned, open.left), (4, Some(2)), "{open:?}");
    assert_eq!(open.command, "dnf upgrade");
    // Whether a package was put in once more does not show.
    let again = "python3 -c \"import sqlite3; h = sqlite3.connect('usr/lib/sysimage/libdnf5/\
        transaction_history.sqlite'); h.execute('update trans_item set action_id = 4 where \
        id = 2'); h.commit()\"";
    bash(again, root.path(), &[]);
    let open = rpm_of(root.path()).unfinished.unwrap();
    assert_eq!((open.planned, open.left), (5, None), "{open:?}");
}

#[test]
fn an_update_that_the_next_boot_is_to_do_is_told() {
    let Some(root) = Root::with("rpm -i --nodeps hello-1.0*") else {
        return;
    };
    let id = "packages/offline-update-waiting";
    assert_eq!(root.finding(id), None);
    bash(
        "ln -s var/lib/system-update system-update",
        root.path(),
        &[],
    );
    assert_eq!(root.finding(id).unwrap()["severity"], "degraded");
    fs::create_dir_all(root.path().join("var/lib/system-update")).unwrap();
    assert_eq!(root.finding(id).unwrap()["severity"], "note");
}

/// What Lifeboot reads in a root, without a process of its own.
fn rpm_of(root: &Path) -> Rpm {
    let root = RootDir::open(root).unwrap();
    match packages::collect(&root, Depth::Usual).0 {
        Packages::Rpm(rpm) => *rpm,
        other => panic!("{other:?}"),
    }
}

fn labels(rpm: &Rpm) -> Vec<String> {
    rpm.packages.iter().map(|package| package.label()).collect()
}

/// Databases that rpm 4.16 (bdb) and rpm 4.20 (ndb) of Debian wrote, with what
/// the same rpm lists in them (`tests/images/INDEX.md`).
fn image(name: &str) -> (Vec<u8>, Vec<String>) {
    let file = Path::new("tests/images").join(name);
    let packed = fs::File::open(file.with_extension("gz")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .unwrap();
    let list = fs::read_to_string(file.with_extension("list")).unwrap();
    (bytes, list.lines().map(str::to_owned).collect())
}

const OLDER: [(&str, &str); 2] = [("rpm-bdb", "Packages"), ("rpm-ndb", "Packages.db")];

#[test]
fn databases_of_other_kinds_are_read_as_rpm_reads_them() {
    for (name, file) in OLDER {
        let (bytes, list) = image(name);
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("var/lib/rpm");
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join(file), bytes).unwrap();
        let rpm = rpm_of(dir.path());
        assert_eq!(rpm.faults, [], "{name}");
        let found = serde_json::to_value(&rpm).unwrap();
        assert_eq!(listed(&found), list, "{name}");
    }
}

/// Each way to damage a database either changes nothing of what is read, or is
/// told; and nothing is read that was never there.
fn damaged_is_told(dir: &Path, path: &Path, bytes: &[u8]) -> usize {
    fs::write(path, bytes).unwrap();
    let whole = labels(&rpm_of(dir));
    assert!(whole.len() > 2);
    let mut told = 0;
    let mut look = |damaged: &[u8], what: &str| {
        fs::write(path, damaged).unwrap();
        let rpm = rpm_of(dir);
        let found = labels(&rpm);
        assert!(
            found.iter().all(|label| whole.contains(label)),
            "{what}: {found:?}"
        );
        assert!(
            found == whole || !rpm.faults.is_empty(),
            "{what}: {found:?}"
        );
        told += usize::from(!rpm.faults.is_empty());
    };
    let count = bytes.len();
    for cut in (0..count).step_by(count / 40) {
        look(&bytes[..cut], &format!("cut off at {cut}"));
    }
    for page in (0..count).step_by(4096) {
        let mut damaged = bytes.to_vec();
        damaged[page..(page + 4096).min(count)].fill(0);
        look(&damaged, &format!("zeroes from {page}"));
    }
    // As many bits as there is patience for, spread evenly.
    for bit in (0..count * 8).step_by(count * 8 / 250) {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        look(&damaged, &format!("bit {bit} changed"));
    }
    told
}

#[test]
fn damage_is_told_and_never_believed() {
    for (name, file) in OLDER {
        let (bytes, _) = image(name);
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("var/lib/rpm");
        fs::create_dir_all(&home).unwrap();
        let told = damaged_is_told(dir.path(), &home.join(file), &bytes);
        assert!(told > 120, "{name}: only {told} were told");
    }
    let Some(root) = Root::with("rpm -i --nodeps hello-1.0* tool* kernel-x-5*") else {
        return;
    };
    // SQLite itself puts what is in the log into the database.
    root.rpm("rpm --rebuilddb");
    let path = root.path().join("var/lib/rpm/rpmdb.sqlite");
    let bytes = fs::read(&path).unwrap();
    for log in ["-wal", "-shm"] {
        drop(fs::remove_file(format!("{}{log}", path.display())));
    }
    let told = damaged_is_told(root.path(), &path, &bytes);
    assert!(told > 40, "sqlite: only {told} were told");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let found = root.finding("packages/rpm-database-damaged").unwrap();
    assert_eq!(found["evidence"][0]["source"], "/var/lib/rpm/rpmdb.sqlite");
    assert!(
        found["evidence"][0]["seen"]
            .as_str()
            .unwrap()
            .starts_with("it ends early")
    );
    assert!(found["by_hand"].as_str().unwrap().contains("rpm.saved"));
}
