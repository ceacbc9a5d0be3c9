#![allow(clippy::unwrap_used)]
//! A small tree against its own salvage. Owners need root: they are compared in
//! `tests/salvage.rs`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::salvage::{Folder, Options, collect, open};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1500:1500::/srv/app:/bin/sh\n";

fn tree(top: &Path) {
    for dir in ["etc/systemd/system/multi-user.target.wants", "srv/app/deep"] {
        fs::create_dir_all(top.join(dir)).unwrap();
    }
    let put = |path: &str, text: &str| fs::write(top.join(path), text).unwrap();
    put("etc/passwd", PASSWD);
    put("etc/group", "root:x:0:\napp:x:1500:a,b\n");
    put("etc/app.conf", "a = 1\n");
    put("etc/key.pem", "-----BEGIN PRIVATE KEY-----\n");
    put("srv/app/deep/data", "data");
    put("srv/app/deep/more", "more");
    let wants = "etc/systemd/system/multi-user.target.wants/app.service";
    symlink("../app.service", top.join(wants)).unwrap();
}

/// Saves `tree`, changes it, and compares.
fn after(change: impl FnOnce(&Path)) -> Comparison {
    let dir = tempfile::tempdir().unwrap();
    let (top, kept) = (dir.path().join("root"), dir.path().join("kept"));
    tree(&top);
    let root = RootDir::open(&top).unwrap();
    let shelf = Box::new(Folder::new(&kept).unwrap());
    let summary = collect(&root, &Options::default(), shelf, &mut |_, _| {}).unwrap();
    assert_eq!(summary.secrets, [PathBuf::from("/etc/key.pem")]);
    change(&top);
    compare(open(&kept).unwrap(), &root, &mut |_| {}).unwrap()
}

fn told(found: &Comparison) -> Vec<(Importance, &str, String)> {
    let all = found.differences.iter();
    all.map(|one| (one.importance, one.subject.as_str(), one.what.join("; ")))
        .collect()
}

#[test]
fn nothing_differs_from_itself() {
    let found = after(|_| {});
    assert!(found.is_equal(), "{found:#?}");
    assert!(found.notes.is_empty() && found.paths > 8);
}

#[test]
fn what_is_gone_is_told_once_and_the_worst_first() {
    let found = after(|top| {
        fs::remove_dir_all(top.join("srv/app")).unwrap();
        fs::remove_file(top.join("etc/key.pem")).unwrap();
        let wants = "etc/systemd/system/multi-user.target.wants/app.service";
        fs::remove_file(top.join(wants)).unwrap();
        symlink("/dev/null", top.join("etc/systemd/system/x.service")).unwrap();
    });
    let expected = [
        (
            Importance::Secret,
            "/etc/key.pem",
            "missing; a secret, not in the salvage".to_owned(),
        ),
        (
            Importance::Service,
            "/etc/systemd/system/multi-user.target.wants/app.service",
            "app.service is not enabled (it was, for multi-user.target)".to_owned(),
        ),
        (
            Importance::Service,
            "/etc/systemd/system/x.service",
            "x.service is masked, and was not".to_owned(),
        ),
        (Importance::Data, "/srv/app", "missing".to_owned()),
    ];
    assert_eq!(told(&found), expected);
    assert_eq!(found.differences[3].below, 3);
}

#[test]
fn content_modes_and_accounts_are_told_and_modes_can_be_fixed() {
    let found = after(|top| {
        fs::write(top.join("etc/app.conf"), "a = 2\n").unwrap();
        fs::write(top.join("srv/app/deep/data"), "atad").unwrap();
        let mode = fs::Permissions::from_mode(0o604);
        fs::set_permissions(top.join("srv/app/deep/more"), mode).unwrap();
        fs::write(top.join("etc/passwd"), PASSWD.replace("1500:1", "1600:1")).unwrap();
        fs::write(top.join("etc/group"), "root:x:0:\napp:x:1500:a\n").unwrap();
    });
    let subjects: Vec<_> = told(&found)
        .into_iter()
        .map(|one| one.1.to_owned())
        .collect();
    let expected = [
        "group app",
        "user app",
        "/etc/app.conf",
        "/srv/app/deep/data",
        "/srv/app/deep/more",
    ];
    assert_eq!(subjects, expected);
    assert_eq!(found.differences[0].what, ["b not in it any more"]);
    assert_eq!(found.differences[1].what, ["number was 1500, is 1600"]);
    let fixes: Vec<_> = found.fixes.iter().map(Action::path).collect();
    assert_eq!(fixes, [Path::new("/srv/app/deep/more")]);
    assert!(found.differences[4].can_be_fixed && !found.differences[3].can_be_fixed);
}

#[test]
fn a_salvage_that_was_cut_off_is_never_equal() {
    let dir = tempfile::tempdir().unwrap();
    let (top, kept) = (dir.path().join("root"), dir.path().join("kept"));
    tree(&top);
    let root = RootDir::open(&top).unwrap();
    let shelf = Box::new(Folder::new(&kept).unwrap());
    collect(&root, &Options::default(), shelf, &mut |_, _| {}).unwrap();
    let page = kept.join("lifeboot-salvage/manifest/000001.jsonl");
    let text = fs::read_to_string(&page).unwrap();
    let look = |text: &str| {
        fs::write(&page, text).unwrap();
        compare(open(&kept).unwrap(), &root, &mut |_| {})
    };
    let end = text.rfind("{\"record\":\"end\"").unwrap();
    let found = look(&text[..end]).unwrap();
    assert!(!found.is_equal() && found.cut_off.is_some());
    assert!(look(&text[..end - 5]).unwrap().cut_off.is_some());
    assert!(look("{}\n").is_err());
    let later = text.replacen("\"format\":1", "\"format\":2", 1);
    let error = format!("{:#}", look(&later).unwrap_err());
    assert!(error.contains("format"), "{error}");
}
