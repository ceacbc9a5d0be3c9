#![allow(clippy::unwrap_used, clippy::panic)]
//! Files that were put back, against what dpkg itself had made of the package.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::tests::{Lab, seen, shell};
use super::*;

/// A package with every kind of file, one of them diverted by another package
/// and one with rights of the operator's.
const MAKE: &str = r#"
    mkdir -p p/usr/bin p/usr/lib/t/deep p/etc p/DEBIAN
    echo tool > p/usr/bin/tool; echo guarded > p/usr/bin/guarded
    chmod 755 p/usr/bin/*; chmod 2755 p/usr/bin/guarded; chown daemon:daemon p/usr/bin/guarded
    echo first > p/usr/lib/t/first; ln p/usr/lib/t/first p/usr/lib/t/second
    ln -s first p/usr/lib/t/link; echo deep > p/usr/lib/t/deep/file; chmod 750 p/usr/lib/t/deep
    echo conf > p/etc/a.conf; echo /etc/a.conf > p/DEBIAN/conffiles
    (cd p; find usr -type f -exec md5sum {} + > DEBIAN/md5sums)
    make a 1 'Architecture: all\n'
    mkdir -p p/usr/bin; echo other > p/usr/bin/tool; make b 1 'Architecture: all\n'
"#;

const INSTALL: &str = r#"
    dpkg-divert --root "$PWD/theirs" --package b --divert /usr/bin/tool.a \
        --no-rename --add /usr/bin/tool
    dpkg-statoverride --root "$PWD/theirs" --add daemon root 4750 /usr/bin/guarded
    dpkg -i packages/a_1.deb packages/b_1.deb
"#;

fn restore(lab: &Lab, files: &[&str]) -> Result<()> {
    let root = RootDir::open(&lab.ours).unwrap();
    let token = WriteToken::for_rehearsal();
    let mut wanted = lab.wanted(&["a_1.deb"]);
    wanted[0].files = files.iter().map(|file| (*file).to_owned()).collect();
    unpack(&root, &token, &wanted).map_err(|failed| failed.error)
}

fn same(lab: &Lab) {
    let (theirs, ours) = (seen(&lab.theirs), seen(&lab.ours));
    for path in theirs.keys().chain(ours.keys()) {
        assert_eq!(ours.get(path), theirs.get(path), "{}", path.display());
    }
}

#[test]
fn what_is_missing_comes_back_as_dpkg_had_put_it() {
    let lab = Lab::new(MAKE, INSTALL);
    let lost =
        "rm -r usr/bin/tool.a usr/bin/guarded usr/lib/t/second usr/lib/t/link usr/lib/t/deep";
    shell(&lab.ours, lost);
    let files = [
        "/usr/bin/tool.a",
        "/usr/bin/guarded",
        "/usr/lib/t/second",
        "/usr/lib/t/link",
        "/usr/lib/t/deep/file",
    ];
    restore(&lab, &files).unwrap();
    same(&lab);
}

#[test]
fn the_first_of_two_names_of_a_file_becomes_one_of_the_other_again() {
    let lab = Lab::new(MAKE, INSTALL);
    shell(&lab.ours, "rm usr/lib/t/first");
    restore(&lab, &["/usr/lib/t/first"]).unwrap();
    same(&lab);
    shell(&lab.ours, ": > usr/lib/t/first");
    restore(&lab, &["/usr/lib/t/first", "/usr/lib/t/second"]).unwrap();
    same(&lab);
}

#[test]
fn what_maintainer_scripts_gave_a_file_stays_when_its_content_comes_back() {
    let lab = Lab::new(MAKE, INSTALL);
    let path = lab.ours.join("usr/lib/t/deep/file");
    shell(
        &lab.ours,
        ": > usr/lib/t/deep/file; chown daemon:root usr/lib/t/deep/file; chmod 4711 usr/lib/t/deep/file",
    );
    // CAP_NET_RAW, as `setcap cap_net_raw+ep` stores it (capabilities(7)).
    let mut capability = [0; 20];
    capability[..4].copy_from_slice(&0x0200_0001_u32.to_le_bytes());
    capability[4..8].copy_from_slice(&(1_u32 << 13).to_le_bytes());
    let name = "security.capability";
    let none = rustix::fs::XattrFlags::empty();
    rustix::fs::lsetxattr(&path, name, &capability, none).unwrap();
    restore(&lab, &["/usr/lib/t/deep/file"]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"deep\n");
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!(
        (meta.mode() & 0o7777, meta.uid(), meta.gid()),
        (0o4711, 1, 0)
    );
    let mut value = [0; 64];
    let length = rustix::fs::lgetxattr(&path, name, &mut value[..]).unwrap();
    assert_eq!(value[..length], capability);
}

#[test]
fn a_mode_alone_comes_back_and_the_file_stays_the_same() {
    let lab = Lab::new(MAKE, INSTALL);
    let path = lab.ours.join("usr/bin/tool.a");
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    let before = inode(&path);
    shell(&lab.ours, "chmod 644 usr/bin/tool.a usr/bin/guarded");
    restore(&lab, &["/usr/bin/tool.a", "/usr/bin/guarded"]).unwrap();
    same(&lab);
    assert_eq!(inode(&path), before);
}

#[test]
fn what_is_not_known_to_be_right_is_refused() {
    let lab = Lab::new(MAKE, INSTALL);
    let refusal = |files: &[&str]| format!("{:#}", restore(&lab, files).unwrap_err());
    let said = refusal(&["/etc/a.conf"]);
    assert!(said.contains("it is a configuration file"), "{said}");
    let said = refusal(&["/usr/bin/tool"]);
    assert!(said.contains("it does not bring /usr/bin/tool"), "{said}");
    let (info, sums) = (
        "var/lib/dpkg/info/a.md5sums",
        "cut -c 33- > sums; sed s/^/0123456789abcdef0123456789abcdef/ sums",
    );
    shell(
        &lab.ours,
        &format!("cp {info} was; cat was | {sums} > {info}"),
    );
    shell(&lab.ours, ": > usr/lib/t/deep/file");
    let said = refusal(&["/usr/lib/t/deep/file"]);
    assert!(
        said.contains("checksum is not the one in dpkg's database"),
        "{said}"
    );
    shell(&lab.ours, &format!("rm {info}"));
    let said = refusal(&["/usr/lib/t/deep/file"]);
    assert!(said.contains("a.md5sums"), "{said}");
    shell(
        &lab.ours,
        &format!("mv was {info}; sed -i 's/^Version: 1/Version: 2/' var/lib/dpkg/status"),
    );
    let said = refusal(&["/usr/lib/t/deep/file"]);
    assert!(said.contains("another version is installed: 2"), "{said}");
}
