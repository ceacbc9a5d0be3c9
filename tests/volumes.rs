//! Volumes above the disks, on this machine: what works without
//! device-mapper, and nothing is written. Layouts that need it are tried in
//! rescue sessions (`tests/layouts`).
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "images/mod.rs"]
#[allow(dead_code)]
mod bench;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::{Answer, Bench, diagnose, is_root, sha256, wait_until_free, write_at};

/// The rescue system may have device-mapper, and then replays journals.
fn has_device_mapper() -> bool {
    fs::read_to_string("/proc/misc").is_ok_and(|text| text.contains("device-mapper"))
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

fn blank(bench: &Bench, name: &str, mebibytes: u64) -> PathBuf {
    let path = bench.path(name);
    File::create(&path)
        .unwrap()
        .set_len(mebibytes << 20)
        .unwrap();
    path
}

/// An image mounted for writing while `fill` runs.
fn filled(bench: &Bench, disk: &Path, options: &str, fill: impl FnOnce(&Path)) {
    let point = bench.path("mnt");
    fs::create_dir_all(&point).unwrap();
    let options = format!("loop,{options}");
    let (image, at) = (disk.to_str().unwrap(), point.to_str().unwrap());
    run("mount", &["-o", &options, image, at]);
    fill(&point);
    run("umount", &[at]);
    wait_until_free(disk);
}

fn copy_tree(tree: &Path, to: &Path) {
    run("cp", &["-aT", tree.to_str().unwrap(), to.to_str().unwrap()]);
}

/// What gzip packed: an image of `tests/images`.
fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

#[test]
fn a_linear_logical_volume_is_opened_where_it_lies() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = blank(&bench, "disk.img", 64);
    let head = unpacked(include_bytes!("images/lvm-linear.pv.gz"));
    write_at(&disk, 0, &head);
    let tree = bench.tree("logical", |root| {
        let fstab = "/dev/mapper/vgtest-root--a / ext4 defaults 0 1\n";
        fs::write(root.join("etc/fstab"), fstab).unwrap();
    });
    bench.ext4(&disk, 2048, 40 << 10, Some(&tree));
    let before = sha256(&disk);
    let answer = diagnose(&[&disk]);
    assert_eq!(answer.json["tree"]["os"]["hostname"], "logical");
    let part = &answer.json["search"]["parts"][0];
    assert_eq!(part["device"], "vgtest/root-a");
    let line = &answer.json["tree"]["mounts"]["lines"][0]["device"];
    assert_eq!(line["name"], "vgtest/root-a", "{line}");
    let chosen = ["--root-device", "/dev/vgtest/root-a"];
    let answer = Answer::of(
        &[
            &["diagnose", "--json", "--disk", disk.to_str().unwrap()][..],
            &chosen,
        ]
        .concat(),
    );
    assert_eq!(answer.json["search"]["kind"], "found");
    assert_eq!(before, sha256(&disk));
    wait_until_free(&disk);
}

#[test]
fn a_group_without_one_of_its_disks_is_told() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = blank(&bench, "half.img", 96);
    let head = unpacked(include_bytes!("images/lvm-segments.pv.gz"));
    write_at(&disk, 0, &head);
    let answer = diagnose(&[&disk]);
    let ids = answer.ids();
    assert!(ids.contains(&"storage/volume-group-incomplete"), "{ids:?}");
    assert!(!ids.contains(&"storage/volume-not-opened"), "{ids:?}");
    let closed = &answer.json["assembly"]["unopened"][0];
    assert_eq!(closed["cause"], "incomplete", "{closed}");
}

#[test]
fn the_root_in_a_subvolume_and_a_part_in_another() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("subvolume", |root| {
        let fstab = "LABEL=data / btrfs subvol=@ 0 0\nLABEL=data /opt btrfs subvol=/@opt 0 0\n";
        fs::write(root.join("etc/fstab"), fstab).unwrap();
        fs::create_dir(root.join("opt")).unwrap();
    });
    let disk = blank(&bench, "btrfs.img", 128);
    run("mkfs.btrfs", &["-q", "-L", "data", disk.to_str().unwrap()]);
    filled(&bench, &disk, "rw", |top| {
        for name in ["@", "@opt"] {
            let path = top.join(name);
            run(
                "btrfs",
                &["-q", "subvolume", "create", path.to_str().unwrap()],
            );
        }
        copy_tree(&tree, &top.join("@"));
    });
    let before = sha256(&disk);
    let answer = diagnose(&[&disk]);
    let parts = &answer.json["search"]["parts"];
    assert_eq!(parts[0]["subvolume"], "@", "{}", answer.json["search"]);
    assert_eq!(parts[1]["subvolume"], "@opt");
    assert_eq!(answer.json["tree"]["os"]["hostname"], "subvolume");
    let chosen = "btrfs.img subvolume @";
    let disk_name = disk.to_str().unwrap();
    let answer = Answer::of(&[
        "diagnose",
        "--json",
        "--disk",
        disk_name,
        "--root-device",
        chosen,
    ]);
    assert_eq!(answer.json["search"]["parts"][0]["subvolume"], "@");
    assert_eq!(before, sha256(&disk));
    wait_until_free(&disk);
}

#[test]
fn a_btrfs_over_two_disks_and_one_of_them_missing() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("mirror", |_| {});
    let [a, b] = ["a.img", "b.img"].map(|name| blank(&bench, name, 128));
    let names = [a.to_str().unwrap(), b.to_str().unwrap()];
    run(
        "mkfs.btrfs",
        &["-q", "-d", "raid1", "-m", "raid1", names[0], names[1]],
    );
    let loops = names.map(|name| {
        let output = Command::new("losetup")
            .args(["-f", "--show", name])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    });
    let point = bench.path("mnt");
    fs::create_dir_all(&point).unwrap();
    let devices = format!("device={},device={}", loops[0], loops[1]);
    let at = point.to_str().unwrap();
    run("mount", &["-t", "btrfs", "-o", &devices, &loops[0], at]);
    copy_tree(&tree, &point);
    run("umount", &[at]);
    run("losetup", &["-d", &loops[0], &loops[1]]);
    [&a, &b].into_iter().for_each(|disk| wait_until_free(disk));
    let before = [sha256(&a), sha256(&b)];
    let answer = diagnose(&[&a, &b]);
    assert_eq!(
        answer.json["tree"]["os"]["hostname"], "mirror",
        "{}",
        answer.json["search"]
    );
    assert!(!answer.ids().contains(&"storage/filesystem-incomplete"));
    let answer = diagnose(&[&b]);
    assert!(answer.ids().contains(&"storage/filesystem-incomplete"));
    assert_eq!(before, [sha256(&a), sha256(&b)]);
    assert!(
        !diagnose(&[&a, &b])
            .ids()
            .contains(&"storage/filesystem-device-stale")
    );
    // The machine runs on without the second disk for a while.
    run("btrfs", &["device", "scan", "--forget"]);
    run(
        "mount",
        &["-t", "btrfs", "-o", "loop,degraded", names[0], at],
    );
    for round in ["one", "two", "three"] {
        fs::write(point.join("srv").join(round), round).unwrap();
        run("btrfs", &["filesystem", "sync", at]);
    }
    run("umount", &[at]);
    wait_until_free(&a);
    run("btrfs", &["device", "scan", "--forget"]);
    let answer = diagnose(&[&a, &b]);
    let findings = answer.json["findings"].as_array().unwrap();
    let stale = findings
        .iter()
        .find(|f| f["id"] == "storage/filesystem-device-stale");
    assert_eq!(stale.unwrap()["subject"], "b.img", "{:?}", answer.ids());
}

/// What is left when the kernel stops in the middle: the log was not emptied.
fn cut_off(bench: &Bench, format: &str) -> PathBuf {
    let tree = bench.tree("cut-off", |_| {});
    let disk = blank(bench, &format!("{format}.img"), 320);
    let name = disk.to_str().unwrap();
    match format {
        "xfs" => run("mkfs.xfs", &["-q", name]),
        _ => run("mkfs.ext4", &["-q", "-F", name]),
    }
    filled(bench, &disk, "rw", |top| copy_tree(&tree, top));
    let point = bench.path("mnt");
    let at = point.to_str().unwrap();
    run("mount", &["-o", "loop", name, at]);
    fs::write(point.join("etc/newest"), "newest").unwrap();
    run("sync", &["-f", at]);
    // The disk as it is at this moment.
    let copy = bench.path(&format!("cut-{format}.img"));
    run("cp", &["--sparse=always", name, copy.to_str().unwrap()]);
    run("umount", &[at]);
    copy
}

#[test]
fn a_journal_is_replayed_in_memory_or_said_to_be_left_alone() {
    if !is_root() {
        return;
    }
    for format in ["ext4", "xfs"] {
        let bench = Bench::new();
        let disk = cut_off(&bench, format);
        let before = sha256(&disk);
        let answer = diagnose(&[&disk]);
        let journal = &answer.json["search"]["parts"][0]["journal"]["kind"];
        let told = answer.ids().contains(&"storage/journal-not-replayed");
        if has_device_mapper() {
            assert_eq!(
                (journal.as_str(), told),
                (Some("replayed"), false),
                "{format}"
            );
        } else {
            assert_eq!(
                (journal.as_str(), told),
                (Some("not-replayed"), true),
                "{format}"
            );
            assert_eq!(answer.verdict(), "undetermined");
            let unknown = answer.json["verdict"]["unknown"].as_array().unwrap();
            let said = |unknown: &serde_json::Value| {
                let what = unknown["what"].as_str().unwrap_or_default();
                what.contains("after its journal is replayed")
            };
            assert!(unknown.iter().any(said), "{format}: {unknown:?}");
        }
        assert_eq!(before, sha256(&disk), "{format}");
        // Unmounted as it should be, there is nothing to say.
        let answer = diagnose(&[&bench.path(&format!("{format}.img"))]);
        let journal = &answer.json["search"]["parts"][0]["journal"]["kind"];
        assert_eq!(journal, "clean", "{format}");
    }
}

#[test]
fn an_encrypted_volume_without_its_key_is_told() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = blank(&bench, "locked.img", 20);
    let head = unpacked(include_bytes!("images/luks2-argon2id.header.gz"));
    write_at(&disk, 0, &head);
    let answer = diagnose(&[&disk]);
    let id = if has_device_mapper() {
        "storage/volume-locked"
    } else {
        "storage/volume-not-opened"
    };
    assert!(answer.ids().contains(&id), "{:?}", answer.ids());
    assert_eq!(answer.code, 40);
}

/// With device-mapper as well: the kernel would find the journal by itself and
/// write to it.
#[test]
fn a_journal_on_another_disk_is_left_alone() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let journal = blank(&bench, "journal.img", 16);
    run(
        "mkfs.ext4",
        &["-q", "-F", "-O", "journal_dev", journal.to_str().unwrap()],
    );
    let output = Command::new("losetup")
        .args(["--find", "--show", journal.to_str().unwrap()])
        .output()
        .unwrap();
    let device = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let disk = blank(&bench, "disk.img", 64);
    let tree = bench.tree("split", |_| {});
    let (name, tree) = (disk.to_str().unwrap(), tree.to_str().unwrap());
    let place = format!("device={device}");
    run("mkfs.ext4", &["-q", "-F", "-J", &place, "-d", tree, name]);
    // As after a power cut.
    run("debugfs", &["-w", "-R", "feature needs_recovery", name]);
    run("losetup", &["--detach", &device]);
    let before = [sha256(&disk), sha256(&journal)];
    let answer = diagnose(&[&disk, &journal]);
    let part = &answer.json["search"]["parts"][0]["journal"];
    assert!(
        part["why"]
            .as_str()
            .unwrap_or_default()
            .contains("another device"),
        "{}",
        answer.json["search"]
    );
    assert!(answer.ids().contains(&"storage/journal-not-replayed"));
    assert_eq!(before, [sha256(&disk), sha256(&journal)]);
}

#[test]
fn of_two_filesystems_with_one_uuid_none_is_taken() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = blank(&bench, "root.img", 64);
    let tree = bench.tree("copied", |root| {
        let fstab = "LABEL=copy /boot ext4 defaults 0 2\n";
        fs::write(root.join("etc/fstab"), fstab).unwrap();
    });
    bench.ext4(&disk, 0, 60 << 10, Some(&tree));
    let one = blank(&bench, "one.img", 16);
    run(
        "mkfs.ext4",
        &["-q", "-F", "-L", "copy", one.to_str().unwrap()],
    );
    let two = bench.path("two.img");
    run("cp", &[one.to_str().unwrap(), two.to_str().unwrap()]);
    let answer = diagnose(&[&disk, &one, &two]);
    let missing = &answer.json["search"]["missing"][0];
    let why = missing["why"].as_str().unwrap_or_default();
    assert!(
        why.contains("one.img, two.img"),
        "{}",
        answer.json["search"]
    );
    assert!(answer.ids().contains(&"root/part-not-mounted"));
}

#[test]
fn nothing_is_repaired_beside_a_hibernated_system() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = blank(&bench, "root.img", 64);
    let tree = bench.tree("asleep", |root| {
        fs::rename(root.join("usr/sbin"), root.join("usr/sbin.old")).unwrap();
        std::os::unix::fs::symlink("bin", root.join("usr/sbin")).unwrap();
    });
    bench.ext4(&disk, 0, 60 << 10, Some(&tree));
    let swap = blank(&bench, "swap.img", 16);
    run("mkswap", &["-q", swap.to_str().unwrap()]);
    write_at(&swap, 4086, b"S1SUSPEND\0");
    let disks = [
        "--disk",
        disk.to_str().unwrap(),
        "--disk",
        swap.to_str().unwrap(),
    ];
    let before = sha256(&disk);
    let output = bench::lifeboot(&[&["repair", "--yes"], &disks[..]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).replace("\n  ", " ");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("hibernated system lies in swap.img"),
        "{stderr}"
    );
    assert_eq!(before, sha256(&disk));
    // Without it, the same repair is done.
    let output = bench::lifeboot(&["repair", "--yes", "--disk", disk.to_str().unwrap()]);
    assert_ne!(before, sha256(&disk), "{output:?}");
}
