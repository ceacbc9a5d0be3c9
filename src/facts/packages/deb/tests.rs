#![allow(clippy::unwrap_used)]
use std::fs;
use std::io::Cursor;
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// A package made by dpkg-deb, packed as asked.
fn package(packing: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    let deep = tree.join("usr/share").join("long-name-".repeat(20));
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::write(deep.join("file"), "content\n").unwrap();
    std::os::unix::fs::symlink("file", deep.join("link")).unwrap();
    let control = "Package: lab-deb\nVersion: 1:2.0-3\nArchitecture: all\n\
        Maintainer: x <x@example.org>\nDescription: x\n";
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let deb = dir.path().join("x.deb");
    let made = Command::new("dpkg-deb")
        .args(["--root-owner-group", "-b"])
        .arg(format!("-Z{packing}"))
        .args([&tree, &deb])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    fs::read(deb).unwrap()
}

fn open(bytes: &[u8]) -> Result<Deb<Cursor<&[u8]>>, Fault> {
    Deb::open(Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn what_dpkg_deb_made_is_read_in_every_packing() {
    for packing in ["none", "gzip", "xz", "zstd"] {
        let bytes = package(packing);
        let mut deb = open(&bytes).unwrap();
        let control = deb.control().unwrap();
        assert_eq!(control.package, "lab-deb");
        assert_eq!(control.version, "1:2.0-3");
        let mut seen = Vec::new();
        deb.each_file(|entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            let path = String::from_utf8(entry.path.clone()).unwrap();
            seen.push((path, entry.what.clone(), entry.mode, text));
            Ok(true)
        })
        .unwrap();
        let file = seen
            .iter()
            .find(|(path, ..)| path.ends_with("/file"))
            .unwrap();
        assert!(file.0.len() > 200, "a long name: {}", file.0);
        assert_eq!((file.2, file.3.as_str()), (0o644, "content\n"));
        let link = seen
            .iter()
            .find(|(path, ..)| path.ends_with("/link"))
            .unwrap();
        assert_eq!(link.1, What::Symlink(b"file".to_vec()));
        let root = seen.iter().find(|(path, ..)| path == "./").unwrap();
        assert_eq!(root.1, What::Directory);
    }
}

/// The same, its data packed by another tool, as dpkg-deb once did.
fn repacked(tool: &[&str], ending: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x.deb"), package("none")).unwrap();
    let script = format!(
        "ar x x.deb && {} data.tar > data.tar{ending} \
         && ar rc y.deb debian-binary control.tar data.tar{ending}",
        tool.join(" ")
    );
    let made = Command::new("sh")
        .args(["-ec", &script])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    fs::read(dir.path().join("y.deb")).unwrap()
}

#[test]
fn packings_of_old_packages() {
    let lzma = repacked(&["xz", "--format=lzma", "-c"], ".lzma");
    let bzip2 = repacked(&["bzip2", "-c"], ".bz2");
    for bytes in [lzma, bzip2] {
        let mut contents = Vec::new();
        let whole = open(&bytes).unwrap().each_file(|entry, content| {
            content.read_to_end(&mut contents)?;
            assert!(entry.path.starts_with(b"./"));
            Ok(true)
        });
        whole.unwrap();
        assert_eq!(contents, b"content\n");
        let mut cut = open(&bytes).unwrap();
        cut.data.size /= 2;
        cut.each_file(|_, content| Ok(std::io::copy(content, &mut std::io::sink()).is_ok()))
            .unwrap_err();
    }
    let other = repacked(&["cat"], ".br");
    let fault = open(&other).unwrap().each_file(|_, _| Ok(true));
    assert!(matches!(fault, Err(Fault::Unsupported(_))));
}

#[test]
fn cut_anywhere_it_is_no_whole_package() {
    let bytes = package("xz");
    for end in 0..bytes.len() {
        let fault = open(&bytes[..end]).map(|_| ()).unwrap_err();
        match fault {
            Fault::Cut { has, .. } => assert_eq!(has, end as u64),
            // Cut between two members, the last one is missing.
            Fault::Damaged(what) => assert!(what.contains("it has no"), "{what}"),
            Fault::NotDeb(what) => assert!(what.contains("first member"), "{end}: {what}"),
            other => unreachable!("{end}: {other:?}"),
        }
    }
    assert!(matches!(open(&[0; 4096]), Err(Fault::NotDeb(_))));
}

/// The same package twice, packed differently.
static PACKAGES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| ["none", "gzip"].map(package));

proptest! {
    #[test]
    fn changed_bytes_never_make_it_fail(at in 0usize..20_000, byte: u8, which in 0usize..2) {
        let mut bytes = PACKAGES[which].clone();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(mut deb) = open(&bytes) {
            let _ = deb.control();
            let _ = deb.each_file(|_, content| {
                std::io::copy(content, &mut std::io::sink())?;
                Ok(true)
            });
        }
    }
}
