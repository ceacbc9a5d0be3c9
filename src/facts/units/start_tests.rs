//! Small roots with units, and what a boot of them starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::sys::root_dir::RootDir;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

const VENDOR: &str = "usr/lib/systemd/system";
const ADMIN: &str = "etc/systemd/system";

fn names(root: &Path, first: &str) -> Vec<String> {
    let root = RootDir::open(root).unwrap();
    let units = Units::open(&root);
    let start = Start::from(&units, first, "test");
    start.units.into_iter().map(|unit| unit.name).collect()
}

fn programs(root: &Path, name: &str) -> Vec<String> {
    let root = RootDir::open(root).unwrap();
    let unit = Units::open(&root).load(name).unwrap();
    let commands = unit.commands().into_iter();
    commands.map(|command| command.program).collect()
}

#[test]
fn links_settings_and_sockets_are_followed_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    link(
        root,
        &format!("{ADMIN}/default.target"),
        "/usr/lib/systemd/system/graphical.target",
    );
    write(
        root,
        &format!("{VENDOR}/graphical.target"),
        "[Unit]\nRequires=multi-user.target\n",
    );
    write(
        root,
        &format!("{VENDOR}/multi-user.target"),
        "[Unit]\nWants=graphical.target\n",
    );
    link(
        root,
        &format!("{ADMIN}/multi-user.target.wants/a.socket"),
        "/x",
    );
    write(
        root,
        &format!("{VENDOR}/a.socket"),
        "[Socket]\nAccept=yes\n",
    );
    write(
        root,
        &format!("{VENDOR}/a@.service"),
        "[Service]\nExecStart=/bin/%i\n",
    );
    write(root, &format!("{VENDOR}/sysinit.target"), "[Unit]\n");
    let found = names(root, "default.target");
    let expected = [
        "default.target",
        "multi-user.target",
        "a.socket",
        "a@0.service",
        "sysinit.target",
    ];
    assert_eq!(found, expected);
    assert_eq!(programs(root, "a@0.service"), ["/bin/0"]);
}

#[test]
fn a_mask_and_a_condition_end_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let wants = "[Unit]\nWants=masked.service empty.service idle.service\n";
    write(root, &format!("{VENDOR}/t.target"), wants);
    for name in ["masked", "empty", "x"] {
        write(
            root,
            &format!("{VENDOR}/{name}.service"),
            "[Service]\nExecStart=/bin/x\n",
        );
    }
    link(root, &format!("{ADMIN}/masked.service"), "/dev/null");
    write(root, "dev/null", "");
    fs::remove_file(root.join("dev/null")).unwrap();
    write(root, &format!("{ADMIN}/empty.service"), "");
    let idle = "[Unit]\nDefaultDependencies=no\nConditionPathExists=/etc/wanted\nWants=x.service\n";
    write(root, &format!("{VENDOR}/idle.service"), idle);
    let all = [
        "t.target",
        "masked.service",
        "empty.service",
        "idle.service",
    ];
    assert_eq!(names(root, "t.target"), all);
    let opened = RootDir::open(root).unwrap();
    let units = Units::open(&opened);
    assert!(units.load("masked.service").is_none());
    assert!(units.load("empty.service").is_none());
    write(root, "etc/wanted", "");
    assert!(names(root, "t.target").contains(&"x.service".to_owned()));
}

#[test]
fn drop_ins_count_by_name_and_place() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(
        root,
        &format!("{VENDOR}/a.service"),
        "[Service]\nExecStart=/bin/old\n",
    );
    let new = "[Service]\nExecStart=\nExecStart=/bin/new\n";
    write(root, &format!("{ADMIN}/a.service.d/10-new.conf"), new);
    let hidden = "[Service]\nExecStart=/bin/hidden\n";
    write(root, &format!("{VENDOR}/a.service.d/10-new.conf"), hidden);
    write(
        root,
        &format!("{VENDOR}/service.d/20-all.conf"),
        "[Service]\nExecStartPre=/bin/pre\n",
    );
    assert_eq!(programs(root, "a.service"), ["/bin/pre", "/bin/new"]);
}

#[test]
fn the_kernel_command_line_names_the_default_unit() {
    let named = |line| default_unit(Some(line)).0;
    assert_eq!(default_unit(None).0, "default.target");
    assert_eq!(named("quiet single"), "rescue.target");
    assert_eq!(named("single systemd.unit=x.target"), "x.target");
    assert_eq!(named("rd.systemd.unit=y.target 3"), "multi-user.target");
}
