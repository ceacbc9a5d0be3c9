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

/// Packages of pacman's as makepkg makes them: its own two command lines for
/// `.MTREE` and the archive (create_package in makepkg(8)), and one without.
const MAKE_OWNED: &str = r#"
set -eu
mkdir -p root/var/lib/pacman root/var/log root/etc
cat > root/etc/pacman.conf <<END
[options]
Architecture = auto
SigLevel = Never
LocalFileSigLevel = Never
NoExtract = usr/share/left-out/* !usr/share/left-out/kept
END
list() { find . -mindepth 1 -not -name .MTREE -printf '%P\0' | LC_ALL=C sort -z; }
make() {
    printf '%s\n' "pkgname = $1" "pkgver = 1-1" "arch = any" > .PKGINFO
    printf 'backup = %s\n' "etc/$1/$1.conf" "etc/$1/gone.conf" >> .PKGINFO
    echo '# nothing to do' > .INSTALL
    echo 'first' > .CHANGELOG
    find . -exec touch -h -d @1700000000 {} +
    list | LANG=C bsdtar -cnf - --format=mtree \
        --options='!all,use-set,type,uid,gid,mode,time,size,md5,sha256,link' \
        --null --files-from - --exclude .MTREE | gzip -c -f -n > .MTREE
    { printf '.MTREE\0'; list; } | LANG=C bsdtar --no-fflags --no-read-sparse -cnf - \
        --null --files-from - | gzip > "../$1-1-1-any.pkg.tar.gz"
}
for name in hello tool; do
    mkdir -p $name/usr/bin $name/etc/$name $name/usr/share/$name $name/usr/share/left-out
    cd $name
    echo "$name" > usr/bin/$name; chmod 4755 usr/bin/$name
    ln -s $name usr/bin/$name-link
    echo configuration > etc/$name/$name.conf
    echo more > etc/$name/gone.conf
    echo other > etc/$name/other.conf
    for i in 1 2 3 4 5 6 7 8 9; do echo "file $i" > usr/share/$name/$i; done
    : > usr/share/$name/empty
    echo words > "usr/share/$name/with a blank and #"
    echo x > usr/share/left-out/$name
    echo x > usr/share/left-out/kept
    test $name = hello || rm usr/share/left-out/kept
    mkdir -p -m 1777 var/spool/$name
    make $name
    cd ..
done
mkdir -p bare/usr/bin; cd bare
printf '%s\n' "pkgname = bare" "pkgver = 1-1" "arch = any" > .PKGINFO
echo bare > usr/bin/bare
tar -czf ../bare-1-1-any.pkg.tar.gz .PKGINFO usr
cd ..
pacman --root "$PWD/root" --config root/etc/pacman.conf --noconfirm -U ./*.pkg.tar.gz
"#;

fn bash(script: &str, dir: &Path) -> String {
    let done = Command::new("bash")
        .args(["-c", script])
        .env("LC_ALL", "C")
        .current_dir(dir)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script}\n{errors}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// A root of pacman's; none where the tools are missing.
fn owned() -> Option<tempfile::TempDir> {
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !nix::unistd::geteuid().is_root() || !has("pacman") || !has("bsdtar") {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    bash(MAKE_OWNED, dir.path());
    Some(dir)
}

fn lifeboot(root: &Path, arguments: &[&str]) -> (i32, String) {
    let said = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(arguments)
        .arg("--root")
        .arg(root)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    (said.status.code().unwrap(), text)
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// What pacman and Lifeboot say of all files.
fn verified(dir: &Path) -> [Vec<String>; 2] {
    let ask = "pacman --root \"$PWD/root\" --config root/etc/pacman.conf -Qkk 2>&1 || true";
    let asked = bash(ask, dir);
    // Only the patient's own paths count.
    let root = format!("{}/", dir.join("root").canonicalize().unwrap().display());
    let (_, said) = lifeboot(
        &dir.join("root"),
        &["packages", "--verify", "--pacman-format"],
    );
    [sorted(&asked.replace(&root, "/")), sorted(&said)]
}

fn find(root: &Path, id: &str) -> Option<Value> {
    let said = lifeboot(root, &["diagnose", "--verify", "--json"]).1;
    let report: Value = serde_json::from_str(&said).expect("a report");
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|f| f["id"] == id).cloned()
}

const DAMAGES: [&str; 26] = [
    "chmod 755 usr/bin/hello",
    "chown 5:0 usr/bin/tool",
    "chown 0:7 etc/tool",
    "chown -h 5:5 usr/bin/tool-link",
    "chmod 700 var/spool/tool",
    "echo other > usr/share/hello/1",
    "touch -d 2001-01-01 usr/share/hello/2",
    "f=usr/share/hello/3; echo FILE 3 > $f; touch -d @1700000000 $f",
    ": > usr/share/hello/4",
    "rm usr/share/hello/5",
    "f=usr/share/hello/6; rm $f; mkdir $f",
    "f=usr/share/hello/7; rm $f; ln -s 8 $f",
    "f=usr/share/hello/8; rm $f; mkfifo $f",
    "f=usr/share/hello/9; head -c 4096 /dev/zero > $f; touch -d @1700000000 $f",
    "f=usr/share/hello/empty; echo not > $f; touch -d @1700000000 $f",
    "rm 'usr/share/hello/with a blank and #'",
    "ln -sfn elsewhere usr/bin/hello-link",
    "f=usr/bin/tool-link; rm $f; echo a file > $f",
    "echo changed >> etc/hello/hello.conf",
    "chmod 600 etc/hello/hello.conf",
    "rm etc/hello/gone.conf",
    "touch -d 2001-01-01 etc/hello/other.conf",
    "rm usr/share/left-out/kept",
    "echo '# other' > var/lib/pacman/local/tool-1-1/install",
    "mv usr/share/tool x; ln -s ../../x usr/share/tool",
    "mv etc/tool y; echo no directory > etc/tool",
];

#[test]
fn files_are_verified_as_pacman_does() {
    let Some(dir) = owned() else { return };
    let root = dir.path().join("root");
    let [asked, said] = verified(dir.path());
    assert_eq!(said, asked);
    let (code, text) = lifeboot(&root, &["packages", "--verify"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("the files of 3 packages are whole"),
        "{text}"
    );
    for id in ["packages/files-damaged", "packages/files-missing"] {
        assert_eq!(find(&root, id), None);
    }
    let mut lines = 0;
    for way in DAMAGES {
        bash(way, &root);
        let [asked, said] = verified(dir.path());
        assert_eq!(said, asked, "after: {way}");
        assert!(asked.len() > 2, "{asked:?}");
        lines = lines.max(asked.len());
    }
    assert!(lines > 40, "only {lines} lines");
}

#[test]
fn damage_of_pacmans_packages_is_told_with_its_remedy() {
    let Some(dir) = owned() else { return };
    let root = dir.path().join("root");
    for way in DAMAGES {
        bash(way, &root);
    }
    let damaged = find(&root, "packages/files-damaged").unwrap();
    let by_hand = damaged["by_hand"].as_str().unwrap();
    assert!(by_hand.contains("pacman -S hello"), "{by_hand}");
    assert!(damaged.to_string().contains("/usr/share/hello/"));
    let missing = find(&root, "packages/files-missing").unwrap();
    assert!(missing.to_string().contains("/usr/share/hello/5"));
    let replaced = find(&root, "packages/files-replaced").unwrap();
    assert!(replaced.to_string().contains("/usr/share/hello/"));
    let (code, text) = lifeboot(&root, &["packages", "--verify", "hello"]);
    assert_eq!(code, 40, "{text}");
    for words in [
        "chroot ROOT pacman -S hello",
        "/usr/share/hello/3: not what its package shipped",
        "/usr/share/hello/4: no bytes",
        "/usr/share/hello/9: ends in",
        "/usr/bin/hello: mode 0755, shipped 4755",
        "/usr/bin/hello-link: leads to elsewhere, shipped hello",
        "CONFIGURATION FILES THAT ARE NOT AS SHIPPED",
        "/etc/hello/hello.conf: not what its package shipped",
    ] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
    assert!(!text.contains("/usr/bin/tool"), "{text}");
    let (_, text) = lifeboot(&root, &["packages", "--verify", "tool"]);
    let words = "/usr/bin/tool-link: no longer a link";
    assert!(text.contains(words), "no {words:?} in:\n{text}");
}

#[test]
fn a_damaged_mtree_is_told_and_its_paths_are_still_looked_for() {
    let Some(dir) = owned() else { return };
    let root = dir.path().join("root");
    fs::write(
        root.join("var/lib/pacman/local/hello-1-1/mtree"),
        b"\x1f\x8b\x08",
    )
    .unwrap();
    bash("rm usr/share/hello/5", &root);
    let (_, text) = lifeboot(&root, &["packages", "--verify"]);
    for words in [
        "/usr/share/hello/5: missing",
        "/var/lib/pacman/local/hello-1-1/mtree: cannot be read",
        "2 packages that brought no checksums",
    ] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
}

/// A database as `apk_db_fdb_write` in apk-tools' src/database.c writes it.
const MAKE_APK: &str = r#"
set -eu
mkdir -p lib/apk/db bin etc/hello usr/share/hello var/spool/hello
chmod 1777 var/spool/hello
db=lib/apk/db/installed
sum() { printf 'Z:Q1%s\n' "$(openssl dgst -sha1 -binary | base64)" >> $db; }
file() { printf 'R:%s\n' "${1##*/}" >> $db; }
printf '%s\n' C:Q1x= P:hello V:1.0-r0 A:x86_64 F:bin >> $db
echo hello > bin/hello; chmod 4755 bin/hello
file bin/hello; echo a:0:0:4755 >> $db; sum < bin/hello
ln -s hello bin/hello-link
file bin/hello-link; echo a:0:0:777 >> $db; printf hello | sum
echo F:etc >> $db; echo F:etc/hello >> $db
echo configuration > etc/hello/hello.conf; file hello.conf; sum < etc/hello/hello.conf
echo F:usr >> $db; echo F:usr/share >> $db; echo F:usr/share/hello >> $db
for i in 1 2 3 4 5 6; do
    echo "file $i" > usr/share/hello/$i; file $i; sum < usr/share/hello/$i
done
printf '%s\n' F:var F:var/spool F:var/spool/hello M:0:0:1777 '' >> $db
printf '%s\n' C:Q1x= P:empty V:2-r1 A:x86_64 '' >> $db
"#;

#[test]
fn files_of_apks_packages_are_verified() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    bash(MAKE_APK, root);
    let (code, text) = lifeboot(root, &["packages", "--verify"]);
    assert_eq!(code, 0, "{text}");
    let whole = "the files of 2 packages are whole";
    assert!(text.starts_with(whole), "{text}");
    assert!(!text.contains("NOT AS SHIPPED"), "{text}");
    let ways = [
        "chmod 755 bin/hello",
        "ln -sfn elsewhere bin/hello-link",
        "echo changed > etc/hello/hello.conf",
        "rm usr/share/hello/1",
        "echo FILE 2 > usr/share/hello/2",
        ": > usr/share/hello/3",
        "rm usr/share/hello/4; mkdir usr/share/hello/4",
        "chown 7:0 usr/share/hello/5",
        "chmod 755 var/spool/hello",
    ];
    for way in ways {
        bash(way, root);
    }
    let (code, text) = lifeboot(root, &["packages", "--verify"]);
    assert_eq!(code, 40, "{text}");
    for words in [
        "5 files are missing or damaged",
        "chroot ROOT apk fix --reinstall hello",
        "/bin/hello-link: not what its package shipped",
        "/usr/share/hello/1: missing",
        "/usr/share/hello/2: not what its package shipped",
        "/usr/share/hello/3: no bytes",
        "/usr/share/hello/4: a directory stands in its place",
        "/etc/hello/hello.conf: not what its package shipped",
        "/bin/hello: mode 0755, shipped 4755",
        "/usr/share/hello/5: owner 7, shipped 0",
        "/var/spool/hello: mode 0755, shipped 1777",
    ] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
    assert!(!text.contains("/usr/share/hello/6"), "{text}");
    let damaged = find(root, "packages/files-damaged").unwrap();
    let by_hand = damaged["by_hand"].as_str().unwrap();
    assert!(by_hand.contains("apk fix --reinstall hello"), "{by_hand}");
}
