//! What fstab and crypttab want, and the state of the filesystems themselves,
//! on images made by mkfs, tune2fs and mount.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[allow(dead_code)]
#[path = "images/mod.rs"]
mod bench;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::{Answer, Bench, SECTOR, diagnose, is_root, wait_until_free};

const TWO_PARTS: &str = "label: gpt\nstart=2048, size=60000\nstart=63488, size=60000\n";

/// A disk with a root that has these files, and an ext4 labelled `data`.
fn disk(bench: &Bench, files: &[(&str, &str)]) -> PathBuf {
    let disk = bench.disk("disk.img", 64, TWO_PARTS);
    let tree = bench.tree("server", |root| {
        for (path, text) in files {
            fs::write(root.join(path), text).unwrap();
        }
    });
    let data = bench.path("data");
    fs::create_dir(&data).unwrap();
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    bench.ext4(&disk, 63488, 30000, Some(&data));
    disk
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
}

/// Severity of the finding with this id.
fn severity(answer: &Answer, id: &str) -> Option<String> {
    let findings = answer.json["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["id"] == id)?;
    Some(finding["severity"].as_str().unwrap().to_owned())
}

#[test]
fn a_line_of_fstab_with_another_type_than_the_disk_has() {
    if !is_root() {
        return;
    }
    for (fstype, options, expected) in [
        ("ext4", "defaults", None),
        ("ext3", "defaults", None),
        ("auto", "defaults", None),
        ("xfs", "noauto", None),
        ("xfs", "defaults", Some("blocker")),
        ("xfs", "nofail", Some("note")),
    ] {
        let bench = Bench::new();
        let line = format!("LABEL=data /srv {fstype} {options} 0 2\n");
        let disk = disk(&bench, &[("etc/fstab", &line)]);
        let found = severity(&diagnose(&[&disk]), "services/fstab-type-wrong");
        assert_eq!(found.as_deref(), expected, "{line}");
    }
}

#[test]
fn a_container_of_crypttab_that_is_on_no_disk() {
    if !is_root() {
        return;
    }
    for (crypttab, fstab, expected) in [
        (format!("data {GONE} none luks\n"), "", Some("degraded")),
        (format!("data {GONE} none luks,nofail\n"), "", Some("note")),
        (format!("data {GONE} none luks,noauto\n"), "", None),
        (format!("# data {GONE} none luks\n"), "", None),
        ("swap LABEL=data /dev/urandom swap\n".to_owned(), "", None),
        (
            format!("data {GONE} none luks\n"),
            "/dev/mapper/data /srv ext4 defaults 0 2\n",
            Some("blocker"),
        ),
    ] {
        let bench = Bench::new();
        let files = [("etc/crypttab", crypttab.as_str()), ("etc/fstab", fstab)];
        let answer = diagnose(&[&disk(&bench, &files)]);
        let found = severity(&answer, "services/crypttab-device-missing");
        assert_eq!(found.as_deref(), expected, "{crypttab}{fstab}");
    }
}

#[test]
fn a_filesystem_that_recorded_errors() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = disk(&bench, &[]);
    let healthy = diagnose(&[&disk]);
    assert_eq!(severity(&healthy, "root/filesystem-errors"), None);
    let place = format!("{}?offset={}", disk.display(), 2048 * SECTOR);
    run("tune2fs", &["-E", "force_fsck", &place]);
    let answer = diagnose(&[&disk]);
    let found = severity(&answer, "root/filesystem-errors");
    assert_eq!(found.as_deref(), Some("degraded"));
}

#[test]
fn a_root_without_room() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = disk(&bench, &[]);
    let healthy = diagnose(&[&disk]);
    assert_eq!(severity(&healthy, "services/filesystem-full"), None);
    fill(&disk, &bench.path("mounted"));
    let answer = diagnose(&[&disk]);
    let found = severity(&answer, "services/filesystem-full");
    assert_eq!(found.as_deref(), Some("degraded"));
}

/// Writes into the root until the kernel says that there is no space left.
fn fill(disk: &Path, at: &Path) {
    fs::create_dir(at).unwrap();
    let options = format!("loop,offset={}", 2048 * SECTOR);
    let at = at.to_str().unwrap();
    run("mount", &["-o", &options, disk.to_str().unwrap(), at]);
    let script = format!("! dd if=/dev/zero of={at}/var/log/big bs=64k 2> /dev/null");
    let filled = Command::new("bash").args(["-c", &script]).status();
    run("umount", &[at]);
    wait_until_free(disk);
    assert!(filled.unwrap().success(), "the disk did not get full");
}

/// What debugfs reads of a file of the filesystem at `sector`.
fn text(disk: &Path, sector: u64, path: &str) -> String {
    let place = format!("{}?offset={}", disk.display(), sector * SECTOR);
    let mut debugfs = Command::new("debugfs");
    let output = debugfs.args(["-R", &format!("cat {path}"), &place]);
    String::from_utf8(output.output().unwrap().stdout).unwrap()
}

/// Repairs what `id` says, looks at the files, and takes it back.
fn mended(disk: &Path, id: &str, files: &[(&str, &str)]) -> Option<String> {
    let image = disk.to_str().unwrap();
    let before: Vec<String> = files
        .iter()
        .map(|(path, _)| text(disk, 2048, path))
        .collect();
    let done = bench::lifeboot(&["repair", "--only", id, "--json", "--disk", image]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    bench::wait_until_free(disk);
    for (path, expected) in files {
        assert_eq!(text(disk, 2048, path), *expected, "{said}");
    }
    let left = severity(&diagnose(&[disk]), id);
    let undone = bench::lifeboot(&["undo", "--yes", "--disk", image]);
    assert!(undone.status.success(), "{undone:?}");
    bench::wait_until_free(disk);
    let after: Vec<String> = files
        .iter()
        .map(|(path, _)| text(disk, 2048, path))
        .collect();
    assert_eq!(before, after);
    left
}

const GONE: &str = "UUID=12345678-1234-1234-1234-123456789012";

#[test]
fn a_boot_goes_on_without_a_filesystem_that_is_on_no_disk() {
    if !is_root() {
        return;
    }
    const ID: &str = "services/fstab-device-missing";
    let bench = Bench::new();
    let head = "# by the installer\r\n\0\u{1}odd\n";
    let fstab = format!("{head}{GONE}\t/srv/x  xfs noatime 0 2");
    let disk = disk(&bench, &[("etc/fstab", &fstab)]);
    let expected = format!(
        "{head}# lifeboot: was {GONE}\t/srv/x  xfs noatime 0 2\n\
         {GONE}\t/srv/x  xfs noatime,nofail 0 2"
    );
    let left = mended(&disk, ID, &[("/etc/fstab", &expected)]);
    assert_eq!(left.as_deref(), Some("note"));
}

#[test]
fn a_filesystem_that_was_made_for_a_place_is_mounted_there() {
    if !is_root() {
        return;
    }
    const ID: &str = "services/fstab-device-missing";
    let bench = Bench::new();
    let fstab = format!("{GONE} /data ext4 defaults 0 2\n");
    let disk = disk(&bench, &[("etc/fstab", &fstab)]);
    let place = format!("{}?offset={}", disk.display(), 63488 * SECTOR);
    run(
        "tune2fs",
        &[
            "-M",
            "/data",
            "-U",
            "0c0b0a09-0000-4000-8000-000000000001",
            &place,
        ],
    );
    let expected = format!(
        "# lifeboot: was {fstab}\
         UUID=0c0b0a09-0000-4000-8000-000000000001 /data ext4 defaults 0 2\n"
    );
    let left = mended(&disk, ID, &[("/etc/fstab", &expected)]);
    assert_eq!(left, None);
}

#[test]
fn what_a_system_runs_in_is_not_left_out() {
    if !is_root() {
        return;
    }
    for line in [
        format!("{GONE} /usr ext4 defaults 0 2\n"),
        format!("{GONE} /var ext4 defaults 0 2\n"),
        format!("{GONE} none swap sw 0 0\n"),
        format!("{GONE} /srv ext4 defaults,nofail 0 2\n"),
        format!("{GONE} /srv ext4 defaults 0 2 \\\n"),
    ] {
        let bench = Bench::new();
        let answer = diagnose(&[&disk(&bench, &[("etc/fstab", &line)])]);
        let repairs = answer.json["plan"]["repairs"].as_array().unwrap();
        let mut names = repairs.iter().map(|repair| &repair["name"]);
        assert!(names.all(|name| name != "correct-fstab-device"), "{line}");
    }
}

#[test]
fn a_container_that_is_on_no_disk_is_passed_over() {
    if !is_root() {
        return;
    }
    const ID: &str = "services/crypttab-device-missing";
    let bench = Bench::new();
    let (crypttab, fstab) = (
        format!("data {GONE} none luks\n"),
        "/dev/mapper/data /srv ext4 defaults 0 2\n",
    );
    let files = [("etc/crypttab", crypttab.as_str()), ("etc/fstab", fstab)];
    let disk = disk(&bench, &files);
    let crypttab = format!("# lifeboot: was {crypttab}data {GONE} none luks,nofail\n");
    let fstab = format!("# lifeboot: was {fstab}/dev/mapper/data /srv ext4 defaults,nofail 0 2\n");
    let files = [("/etc/crypttab", crypttab.as_str()), ("/etc/fstab", &fstab)];
    assert_eq!(mended(&disk, ID, &files).as_deref(), Some("note"));
}

#[test]
fn the_type_that_a_device_has_is_written_into_fstab() {
    if !is_root() {
        return;
    }
    const ID: &str = "services/fstab-type-wrong";
    let bench = Bench::new();
    let fstab = "LABEL=data /srv xfs noatime 0 2\n";
    let image = bench.path("disk.img");
    disk(&bench, &[("etc/fstab", fstab)]);
    let place = format!("{}?offset={}", image.display(), 63488 * SECTOR);
    run("tune2fs", &["-L", "data", &place]);
    let expected = format!("# lifeboot: was {fstab}LABEL=data /srv ext4 noatime 0 2\n");
    assert_eq!(mended(&image, ID, &[("/etc/fstab", &expected)]), None);
}

const ROOT: &str = "UUID=0c0b0a09-0000-4000-8000-000000000002";

/// A disk whose fstab and menu of GRUB name these as the root, which is `ROOT`.
fn disk_of_root(bench: &Bench, fstab: &str, menu: &str, default: &str) -> PathBuf {
    let disk = bench.disk("disk.img", 64, TWO_PARTS);
    let tree = bench.tree("server", |root| {
        fs::create_dir_all(root.join("boot/grub")).unwrap();
        fs::create_dir_all(root.join("etc/default")).unwrap();
        fs::write(root.join("etc/fstab"), fstab).unwrap();
        fs::write(root.join("boot/grub/grub.cfg"), menu).unwrap();
        fs::write(root.join("etc/default/grub"), default).unwrap();
    });
    let data = bench.path("data");
    fs::create_dir(&data).unwrap();
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    bench.ext4(&disk, 63488, 30000, Some(&data));
    let place = format!("{}?offset={}", disk.display(), 2048 * SECTOR);
    let (_, uuid) = ROOT.split_once('=').unwrap();
    run("tune2fs", &["-U", uuid, &place]);
    disk
}

fn menu(root: &str) -> String {
    format!(
        "set default=\"0\"\nmenuentry 'Linux' {{\n\tlinux /boot/vmlinuz-6 root={root} ro quiet\n\
         \tinitrd /boot/initrd.img-6\n}}\n"
    )
}

/// The names of all repairs that are planned.
fn planned(disk: &Path) -> Vec<String> {
    let answer = diagnose(&[disk]);
    let repairs = answer.json["plan"]["repairs"].as_array().unwrap();
    let names = repairs
        .iter()
        .map(|repair| repair["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[test]
fn the_root_in_fstab_becomes_the_one_that_the_kernel_mounts() {
    if !is_root() {
        return;
    }
    const ID: &str = "services/fstab-device-missing";
    let bench = Bench::new();
    let fstab = format!("{GONE} / ext4 errors=remount-ro 0 1\n");
    let disk = disk_of_root(&bench, &fstab, &menu(ROOT), "");
    let expected = format!("# lifeboot: was {fstab}{ROOT} / ext4 errors=remount-ro 0 1\n");
    assert_eq!(mended(&disk, ID, &[("/etc/fstab", &expected)]), None);
}

#[test]
fn the_root_of_the_menu_becomes_the_one_in_fstab() {
    if !is_root() {
        return;
    }
    const ID: &str = "bootloader/root-parameter-wrong";
    let bench = Bench::new();
    let fstab = format!("{ROOT} / ext4 defaults 0 1\n");
    let default = format!("GRUB_CMDLINE_LINUX=\"root={GONE}\"\n");
    let disk = disk_of_root(&bench, &fstab, &menu(GONE), &default);
    let line = format!("\tlinux /boot/vmlinuz-6 root={GONE} ro quiet\n");
    let new = line.replace(GONE, ROOT);
    let expected = menu(GONE).replace(&line, &format!("# lifeboot: was {line}{new}"));
    let set = format!("# lifeboot: was {default}{}", default.replace(GONE, ROOT));
    let files = [
        ("/boot/grub/grub.cfg", expected.as_str()),
        ("/etc/default/grub", &set),
    ];
    assert_eq!(mended(&disk, ID, &files), None);
}

#[test]
fn one_word_for_the_root_is_not_enough() {
    if !is_root() {
        return;
    }
    for (fstab, menu) in [
        // Both are wrong: the disk with the right root may be gone.
        (format!("{GONE} / ext4 defaults 0 1\n"), menu(GONE)),
        (format!("{GONE} / ext4 defaults 0 1\n"), String::new()),
        (String::new(), menu(GONE)),
        (format!("{GONE} / xfs defaults 0 1\n"), menu(ROOT)),
        (
            format!("{GONE} / ext4 defaults 0 1\n{ROOT} /old ext4 defaults 0 2\n"),
            menu(ROOT),
        ),
    ] {
        let bench = Bench::new();
        let names = planned(&disk_of_root(&bench, &fstab, &menu, ""));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(!names.contains(&"correct-root-parameter"), "{fstab}{menu}");
        assert!(!names.contains(&"correct-fstab-device"), "{fstab}{menu}");
    }
}
