#![allow(clippy::unwrap_used, clippy::panic)]
//! The same packages by `dpkg --unpack` and by Lifeboot, compared path by path.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// Where packages are made, and two trees that are alike.
pub(super) struct Lab {
    _dir: tempfile::TempDir,
    pub(super) packages: PathBuf,
    pub(super) theirs: PathBuf,
    pub(super) ours: PathBuf,
}

pub(super) fn shell(at: &Path, script: &str) {
    let ended = Command::new("bash")
        .args(["-ec", script])
        .current_dir(at)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{script}: {ended:?}");
}

/// `make NAME VERSION FIELDS` packs the folder `p` with its control files in
/// `p/DEBIAN`.
const MAKE: &str = r#"
make() {
    mkdir -p p/DEBIAN
    printf 'Package: %s\nVersion: %s\nMaintainer: x <x@example.org>\n%b' "$1" "$2" "$3" \
        > p/DEBIAN/control
    printf 'Description: short\n long\n' >> p/DEBIAN/control
    find p -newermt 2001-01-01 -exec touch -h -d 2020-02-02T02:02:02Z {} +
    dpkg-deb -b p "$1_$2.deb" > /dev/null
    rm -r p
}
"#;

/// A tree with an empty database and a merged /usr.
const TREE: &str = r"
mkdir -p ROOT/var/lib/dpkg/{info,updates,triggers,alternatives} ROOT/{etc,var/log}
mkdir -p ROOT/usr/{bin,lib} ROOT/opt/elsewhere
ln -s usr/lib ROOT/lib
ln -s usr/bin ROOT/bin
ln -s ../opt/elsewhere ROOT/usr/link
: > ROOT/var/lib/dpkg/status
: > ROOT/var/lib/dpkg/available
printf 'root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n' > ROOT/etc/passwd
printf 'root:x:0:\ndaemon:x:1:\n' > ROOT/etc/group
";

impl Lab {
    /// Makes packages with `make`, and installs some with real dpkg.
    pub(super) fn new(make: &str, before: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_owned();
        let packages = at.join("packages");
        fs::create_dir(&packages).unwrap();
        shell(&packages, &format!("umask 022; {MAKE}\n{make}"));
        shell(&at, &TREE.replace("ROOT", "theirs"));
        let script = format!(
            "dpkg() {{ command dpkg --root=$PWD/theirs --force-script-chrootless \
             --force-depends --force-unsafe-io \"$@\"; }}\n{before}"
        );
        shell(&at, &script);
        shell(&at, "cp -a theirs ours");
        Self {
            packages,
            theirs: at.join("theirs"),
            ours: at.join("ours"),
            _dir: dir,
        }
    }

    pub(super) fn wanted(&self, files: &[&str]) -> Vec<Unpack> {
        let all = files.iter().map(|file| {
            let path = self.packages.join(file);
            let bytes = fs::File::open(&path).unwrap();
            let length = bytes.metadata().unwrap().len();
            let control = Deb::open(bytes, length).unwrap().control().unwrap();
            Unpack {
                fetched: None,
                package: control.package,
                version: control.version,
                architecture: control.architecture,
                folder: Some(self.packages.display().to_string()),
                file: (*file).to_owned(),
                checked: false,
                files: Vec::new(),
            }
        });
        all.collect()
    }

    fn unpack(&self, files: &[&str]) -> Result<()> {
        let root = RootDir::open(&self.ours).unwrap();
        let token = WriteToken::for_rehearsal();
        let unpacked = unpack(&root, &token, &self.wanted(files));
        unpacked.map_err(|failed| failed.error)
    }

    /// Does the same by dpkg and by Lifeboot.
    fn compare(&self, files: &[&str]) {
        let dpkg = Command::new("dpkg")
            .arg(format!("--root={}", self.theirs.display()))
            .args(["--force-script-chrootless", "--force-unsafe-io"])
            .args(["--force-depends", "--unpack"])
            .args(files.iter().map(|file| self.packages.join(file)))
            .output()
            .unwrap();
        assert!(dpkg.status.success(), "{dpkg:?}");
        self.unpack(files).unwrap();
        let (theirs, ours) = (seen(&self.theirs), seen(&self.ours));
        for path in theirs.keys().chain(ours.keys()) {
            assert_eq!(ours.get(path), theirs.get(path), "{}", path.display());
        }
        assert!(!theirs.is_empty());
    }
}

/// Of a tree all that counts; the times of directories and of what dpkg has just
/// written, and its locks and logs, do not.
pub(super) fn seen(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap().to_owned();
        let name = path.display().to_string();
        let skipped =
            name.starts_with("var/log") || name.contains("lock") || name.ends_with("Lock");
        if skipped || name == "var/lib/dpkg/info/format" || name.ends_with("triggers/Unincorp") {
            continue;
        }
        let meta = fs::symlink_metadata(entry.path()).unwrap();
        let mut text = format!("{:o} {}:{}", meta.mode(), meta.uid(), meta.gid());
        if !meta.is_dir() {
            text += &format!(" {} links", meta.nlink());
        }
        if !meta.is_dir() && !name.starts_with("var/lib/dpkg") {
            text += &format!(" at {}", meta.mtime());
        }
        if meta.is_symlink() {
            text += &format!(" -> {}", fs::read_link(entry.path()).unwrap().display());
        }
        if meta.is_file() {
            let content = fs::read(entry.path()).unwrap();
            text += &format!("\n{}", String::from_utf8_lossy(&content));
        }
        all.insert(path, text);
    }
    all
}

#[test]
fn a_new_version_over_an_old_one_leaves_what_dpkg_leaves() {
    let make = r#"
        mkdir -p p/etc p/usr/share/t/d1 p/usr/lib/t p/usr/bin
        echo 1 > p/etc/keep.conf; echo 1 > p/etc/old.conf; echo 1 > p/etc/same.conf
        mkdir -p p/DEBIAN
        printf '/etc/old.conf\n/etc/keep.conf\n/etc/same.conf\n' > p/DEBIAN/conffiles
        echo 1 > p/usr/share/t/d1/f; echo 1 > p/usr/share/t/f; echo 1 > p/usr/bin/moved
        printf '#!/bin/sh\nexit 0\n' > p/DEBIAN/postinst; chmod 755 p/DEBIAN/postinst
        cp p/DEBIAN/postinst p/DEBIAN/prerm
        make t 1 'Architecture: amd64\nMulti-Arch: same\nDepends: libc6\n'
        mkdir -p p/etc p/usr/share/t/d2 p/usr/lib/t p/bin p/usr/link p/lib/t
        echo 2 > p/etc/keep.conf; echo 2 > p/etc/new.conf; echo 2 > p/etc/same.conf
        mkdir -p p/DEBIAN
        printf '/etc/keep.conf\n/etc/new.conf\n/etc/same.conf\n' > p/DEBIAN/conffiles
        echo 2 > p/usr/share/t/d2/f; ln p/usr/share/t/d2/f p/usr/share/t/hard
        echo 2 > p/usr/share/t/f; ln -s f p/usr/share/t/soft; echo 2 > p/bin/moved
        chmod 4751 p/bin/moved; chgrp 1 p/bin/moved; chmod 700 p/usr/share/t/d2
        echo 2 > p/usr/link/through; echo 2 > p/lib/t/so
        printf '#!/bin/sh\nexit 2\n' > p/DEBIAN/postinst; chmod 755 p/DEBIAN/postinst
        make t 2 'Architecture: amd64\nMulti-Arch: same\nEssential: no\nHomepage: http://x\nDepends: libc6 (>= 2), x\nPre-Depends: y\n'
    "#;
    let lab = Lab::new(
        make,
        "dpkg -i packages/t_1.deb; echo mine > theirs/etc/keep.conf",
    );
    lab.compare(&["t_2.deb"]);
}

#[test]
fn diversions_overrides_replaced_files_and_checksums_of_its_own() {
    let make = r#"
        mkdir -p p/usr/bin p/usr/share/a; echo a > p/usr/bin/tool; echo a > p/usr/share/a/f
        echo a > p/usr/share/a/taken
        make a 1 'Architecture: all\n'
        mkdir -p p/usr/bin p/usr/share/a p/DEBIAN; echo b > p/usr/bin/tool
        echo b > p/usr/bin/odd; echo b > p/usr/share/a/taken
        (cd p; md5sum usr/bin/odd) > p/DEBIAN/md5sums
        make b 1:3 'Architecture: all\nReplaces: a (<< 2)\nVersionless: kept\n'
    "#;
    let before = r"
        dpkg -i packages/a_1.deb
        dpkg-divert --admindir=$PWD/theirs/var/lib/dpkg --instdir=$PWD/theirs --package a \
            --divert /usr/bin/tool.b --add /usr/bin/tool > /dev/null
        dpkg-statoverride --admindir=$PWD/theirs/var/lib/dpkg --instdir=$PWD/theirs \
            --add daemon daemon 2750 /usr/bin/odd
    ";
    let lab = Lab::new(make, before);
    lab.compare(&["b_1:3.deb"]);
    assert_eq!(fs::read(lab.ours.join("usr/bin/tool.b")).unwrap(), b"b\n");
    assert_eq!(fs::read(lab.ours.join("usr/bin/tool")).unwrap(), b"a\n");
}

#[test]
fn what_is_another_packages_is_not_taken() {
    let make = r#"
        mkdir -p p/usr/bin; echo a > p/usr/bin/tool; make a 1 'Architecture: all\n'
        mkdir -p p/usr/bin; echo b > p/usr/bin/tool; make b 1 'Architecture: all\n'
    "#;
    let lab = Lab::new(make, "dpkg -i packages/a_1.deb");
    let error = format!("{:#}", lab.unpack(&["b_1.deb"]).unwrap_err());
    assert!(error.contains("/usr/bin/tool is a file of a"), "{error}");
}

#[test]
fn records_that_are_not_merged_count_and_are_merged() {
    let make = r#"
        mkdir -p p/usr/bin; echo 1 > p/usr/bin/tool; make a 1 'Architecture: all\n'
        mkdir -p p/usr/bin; echo 2 > p/usr/bin/tool; make a 2 'Architecture: all\n'
        mkdir -p p/usr/bin; echo 2 > p/usr/bin/other; make b 2 'Architecture: all\n'
    "#;
    let lab = Lab::new(make, "dpkg -i packages/a_1.deb packages/b_2.deb");
    let home = lab.ours.join("var/lib/dpkg");
    let status = fs::read_to_string(home.join("status")).unwrap();
    let a = status
        .split("\n\n")
        .find(|s| s.starts_with("Package: a"))
        .unwrap();
    let cut = a.replace("install ok installed", "install reinstreq half-installed");
    fs::write(
        home.join("updates/0001"),
        format!("{cut}\nConfig-Version: 0.9\n"),
    )
    .unwrap();
    fs::write(lab.ours.join("usr/bin/tool.dpkg-new"), "cut").unwrap();
    fs::write(lab.ours.join("usr/bin/tool.dpkg-tmp"), "old").unwrap();
    lab.unpack(&["a_2.deb"]).unwrap();
    let after = fs::read_to_string(home.join("status")).unwrap();
    let a = after
        .split("\n\n")
        .find(|s| s.starts_with("Package: a"))
        .unwrap();
    assert!(
        a.contains("Status: install ok unpacked") && a.contains("Version: 2"),
        "{a}"
    );
    assert!(a.contains("Config-Version: 0.9"), "{a}");
    assert!(
        after.contains("Package: b\nStatus: install ok installed"),
        "{after}"
    );
    assert_eq!(fs::read_to_string(home.join("status-old")).unwrap(), status);
    assert_eq!(fs::read_dir(home.join("updates")).unwrap().count(), 0);
    let mut left = fs::read_dir(lab.ours.join("usr/bin")).unwrap();
    assert!(left.all(|entry| !entry.unwrap().path().to_string_lossy().contains("dpkg")));
    let configured = Command::new("dpkg")
        .arg(format!("--root={}", lab.ours.display()))
        .args(["--force-script-chrootless", "--configure", "-a"])
        .output()
        .unwrap();
    assert!(configured.status.success(), "{configured:?}");
}

/// A package whose data archive `tar` made with these words in `p`.
fn hostile(script: &str, tar: &str) -> Lab {
    let make = format!(
        "mkdir p; echo x > p/file; {script}\n\
         (cd p; tar --owner=0 --group=0 -cf ../data.tar {tar}); rm -rf p q\n\
         mkdir p; make x 1 'Architecture: all\\n'\n\
         ar x x_1.deb; rm data.tar.*; ar rc bad.deb debian-binary control.tar.* data.tar"
    );
    Lab::new(&make, ":")
}

#[test]
fn hostile_archives_are_refused_and_nothing_leaves_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    let place = outside.path().display().to_string();
    let cases = [
        (
            "",
            "-P --transform=s,file,../../escaped, file".to_owned(),
            "leads out of the tree",
        ),
        (
            "",
            "-P --transform=s,^file,/absolute, file".to_owned(),
            "leads out of the tree",
        ),
        (
            "mkdir q; ln -s /etc q/out",
            "-C ../q ./out --transform=s,^file,./out/evil, -C ../p file".to_owned(),
            "behind a link of the same package",
        ),
        ("mkfifo p/dev", "./dev".to_owned(), "a device"),
        (
            "ln p/file p/again",
            "-P '--transform=flags=h;s,file,../../etc/passwd,' file again".to_owned(),
            "does not bring",
        ),
    ];
    for (script, tar, why) in cases {
        let lab = hostile(script, &tar);
        symlink(&place, lab.ours.join("usr/out")).unwrap();
        let error = format!("{:#}", lab.unpack(&["bad.deb"]).unwrap_err());
        assert!(error.contains(why), "{tar}: {error}");
    }
    // A link of the tree itself that leads out stays inside.
    let lab = hostile("", "--transform=s,file,./usr/out/inside, file");
    symlink(&place, lab.ours.join("usr/out")).unwrap();
    let inside = lab.ours.join(place.trim_start_matches('/'));
    fs::create_dir_all(&inside).unwrap();
    lab.unpack(&["bad.deb"]).unwrap();
    assert_eq!(fs::read(inside.join("inside")).unwrap(), b"x\n");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn an_archive_that_ends_early_is_refused() {
    let lab = hostile("head -c 100000 /dev/zero > p/file", "./file");
    let bad = lab.packages.join("bad.deb");
    // The member's header promises less than the tar header in it.
    let script = "ar x bad.deb; head -c 50000 data.tar > short; mv short data.tar; \
                  rm bad.deb; ar rc bad.deb debian-binary control.tar.* data.tar";
    shell(&lab.packages, script);
    assert!(bad.exists());
    let error = format!("{:#}", lab.unpack(&["bad.deb"]).unwrap_err());
    assert!(error.contains("it ends after"), "{error}");
}
