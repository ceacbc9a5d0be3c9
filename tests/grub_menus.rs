//! Menus of boot loaders: a small one of GRUB is written where the patient's is
//! lost, and systemd-boot is led to another entry on its own partition.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code
)]

#[path = "images/mod.rs"]
mod bench;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::{Answer, Bench, diagnose, is_root, write_at};
use serde_json::{Value, json};

const TABLE: &str = "label: gpt\nstart=2048, size=122847\n";

const MISSING: &str = "bootloader/grub-config-missing";
const BROKEN: &str = "bootloader/default-entry-broken";

/// The boot code of Debian's grub-pc-bin.
const BOOT: &str = "/usr/lib/grub/i386-pc/boot.img";

/// Whole kernels by their headers, with their modules and an initramfs.
fn with_kernels(root: &Path, releases: &[&str]) {
    for release in releases {
        let mut image = vec![0; 1024];
        image[0x1F1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        fs::write(root.join(format!("boot/vmlinuz-{release}")), image).unwrap();
        fs::write(root.join(format!("boot/initrd.img-{release}")), "070701").unwrap();
        let modules = root.join(format!("usr/lib/modules/{release}/kernel"));
        fs::create_dir_all(&modules).unwrap();
        fs::write(modules.join("../modules.dep"), "x").unwrap();
    }
    fs::create_dir_all(root.join("boot/grub")).unwrap();
    fs::create_dir_all(root.join("etc/default")).unwrap();
    let settings = "GRUB_CMDLINE_LINUX_DEFAULT='quiet'\nGRUB_CMDLINE_LINUX=\"console=ttyS0\"\n\
                    GRUB_TERMINAL=serial\nGRUB_SERIAL_COMMAND=\"serial --unit=0\"\n";
    fs::write(root.join("etc/default/grub"), settings).unwrap();
}

/// A disk whose first sector has GRUB, with a root that `extra` shapes.
fn machine(bench: &Bench, name: &str, extra: impl Fn(&Path)) -> PathBuf {
    let disk = bench.disk(&format!("{name}.img"), 64, TABLE);
    let tree = bench.tree(name, |root| {
        with_kernels(root, &["6.1.0-9-amd64", "6.1.0-10-amd64"]);
        extra(root);
    });
    bench.ext4(&disk, 2048, 50_000, Some(&tree));
    write_at(&disk, 0, &fs::read(BOOT).unwrap()[..440]);
    disk
}

/// A file of the root.
fn file(bench: &Bench, disk: &Path, path: &str) -> String {
    let at = bench.path("mnt");
    fs::create_dir_all(&at).unwrap();
    let script = format!(
        "mount -o ro,noload,loop,offset={} {} {at} && cat {at}{path}",
        2048 * 512,
        disk.display(),
        at = at.display()
    );
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn repair(disk: &Path, id: &str) {
    let disk = disk.to_str().unwrap();
    let output = bench::lifeboot(&["repair", "--only", id, "--disk", disk]);
    assert_ne!(output.status.code(), Some(1), "{output:?}");
}

fn entries(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.starts_with("linux ")).collect()
}

#[test]
fn a_menu_that_is_lost_empty_or_cut_off_is_written_anew() {
    if !is_root() {
        return;
    }
    let cut = "### BEGIN /etc/grub.d/10_linux ###\nmenuentry 'Debian' {\n\
               \tlinux /boot/vmlinuz-6.1.0-9-amd64 root=LABEL=x ro\n";
    for (number, menu) in [None, Some(""), Some(cut)].into_iter().enumerate() {
        let bench = Bench::new();
        let disk = machine(&bench, &format!("server{number}"), |root| {
            if let Some(text) = menu {
                fs::write(root.join("boot/grub/grub.cfg"), text).unwrap();
            }
        });
        let before = diagnose(&[&disk]);
        assert!(before.ids().contains(&MISSING), "{:?}", before.ids());
        let volumes = before.json["assembly"]["volumes"].as_array().unwrap();
        let uuid = volumes
            .iter()
            .find_map(|v| v["content"]["uuid"].as_str())
            .unwrap();
        repair(&disk, MISSING);
        let text = file(&bench, &disk, "/boot/grub/grub.cfg");
        let line = |release: &str, more: &str| {
            format!("linux /boot/vmlinuz-{release} root=UUID={uuid} ro console=ttyS0 quiet{more}")
        };
        let (new, old) = ("6.1.0-10-amd64", "6.1.0-9-amd64");
        let wanted = [
            line(new, ""),
            line(old, ""),
            line(new, " single"),
            line(old, " single"),
        ];
        assert_eq!(entries(&text), wanted);
        for line in [
            "serial --unit=0",
            "terminal_output serial",
            "insmod part_gpt",
            "insmod ext2",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}: {text}");
        }
        assert!(text.contains(&format!("--set=root {uuid}\n")));
        // By GRUB's own reader of such scripts.
        let path = bench.path("grub.cfg");
        fs::write(&path, &text).unwrap();
        let checked = Command::new("grub-script-check")
            .arg(&path)
            .status()
            .unwrap();
        assert!(checked.success(), "{text}");
        let after = diagnose(&[&disk]);
        for id in [MISSING, BROKEN, "bootloader/root-parameter-wrong"] {
            assert!(!after.ids().contains(&id), "{:?}", after.ids());
        }
    }
}

#[test]
fn a_menu_of_kernels_that_are_gone_is_written_anew_and_keeps_their_options() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let menu = "set default=\"0\"\nmenuentry 'Debian' {\n\
                linux /boot/vmlinuz-5.10 root=LABEL=server ro net.ifnames=0\n\
                initrd /boot/initrd.img-5.10\n}\n";
    let disk = machine(&bench, "server", |root| {
        fs::write(root.join("boot/grub/grub.cfg"), menu).unwrap();
    });
    repair(&disk, BROKEN);
    let text = file(&bench, &disk, "/boot/grub/grub.cfg");
    assert_eq!(entries(&text).len(), 4);
    assert!(entries(&text)[0].ends_with(" ro net.ifnames=0"), "{text}");
    assert!(!diagnose(&[&disk]).ids().contains(&BROKEN));
    // Where another entry is whole, that one is chosen and the rest kept.
    let more = format!(
        "{menu}menuentry 'Old' {{\nlinux /boot/vmlinuz-6.1.0-9-amd64 \
                        root=LABEL=server ro\ninitrd /boot/initrd.img-6.1.0-9-amd64\n}}\n"
    );
    let disk = machine(&bench, "other", |root| {
        fs::write(root.join("boot/grub/grub.cfg"), &more).unwrap();
    });
    let answer = diagnose(&[&disk]);
    let names: Vec<_> = answer.json["plan"]["repairs"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let about = |repair: &&&Value| repair["removes"]["id"] == BROKEN;
    let names: Vec<_> = names
        .iter()
        .filter(about)
        .map(|repair| &repair["name"])
        .collect();
    assert_eq!(names, ["choose-entry"]);
}

#[test]
fn a_menu_behind_a_password_is_not_opened() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = machine(&bench, "server", |root| {
        fs::create_dir_all(root.join("etc/grub.d")).unwrap();
        let script = "#!/bin/sh\ncat <<E\nset superusers=\"root\"\nE\n";
        fs::write(root.join("etc/grub.d/01_users"), script).unwrap();
    });
    let answer = diagnose(&[&disk]);
    let refused = answer.json["plan"]["refused"].as_array().unwrap();
    let own = refused
        .iter()
        .find(|one| one["removes"]["id"] == MISSING)
        .unwrap();
    assert!(
        own["why"].to_string().contains("/etc/grub.d/01_users"),
        "{own}"
    );
}

/// The partition is not mounted here, which kernels without vfat cannot do: the
/// facts are told that it is.
#[test]
fn systemd_boot_is_led_to_another_entry_on_its_partition() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let table = "label: gpt\nstart=2048, size=131072, \
                 type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\nstart=133120, size=122847\n";
    let disk = bench.disk("a.img", 128, table);
    let release = "6.1.0-10-amd64";
    let entry = |version: &str| {
        format!(
            "title Debian {version}\nversion {version}\noptions root=LABEL=server ro\n\
             linux /m/{version}/linux\ninitrd /m/{version}/initrd\n"
        )
    };
    let tree = bench.tree("server", |root| {
        with_kernels(root, &[release]);
        fs::remove_dir_all(root.join("boot/grub")).unwrap();
        for folder in [
            "efi/EFI/systemd",
            "efi/loader/entries",
            "efi/m/6.1.0-10-amd64",
        ] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let program = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
        fs::copy(program, root.join("efi/EFI/systemd/systemd-bootx64.efi")).unwrap();
        let config = "timeout 3\ndefault m-9*\nconsole-mode max\n";
        fs::write(root.join("efi/loader/loader.conf"), config).unwrap();
        for version in [release, "9.9.9"] {
            let path = root.join(format!("efi/loader/entries/m-{version}.conf"));
            fs::write(path, entry(version)).unwrap();
        }
        let copy = |from: &str, to: &str| {
            let from = root.join(format!("boot/{from}-{release}"));
            fs::copy(from, root.join(format!("efi/m/{release}/{to}"))).unwrap();
        };
        copy("vmlinuz", "linux");
        copy("initrd.img", "initrd");
    });
    bench.ext4(&disk, 133_120, 50_000, Some(&tree));
    let script = format!(
        "mkfs.vfat -F 32 --offset 2048 {0} 65536 > /dev/null
         mcopy -s -i {0}@@1M {1}/EFI {1}/loader ::",
        disk.display(),
        tree.join("efi").display()
    );
    let made = Command::new("sh").args(["-euc", &script]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let saved = bench.path("facts.json");
    let (disk, facts) = (disk.to_str().unwrap(), saved.to_str().unwrap());
    let answer = Answer::of(&["diagnose", "--json", "--disk", disk, "--save-facts", facts]);
    assert!(answer.ids().contains(&BROKEN), "{:?}", answer.ids());
    let mut known: Value = serde_json::from_slice(&fs::read(&saved).unwrap()).unwrap();
    let part = &known["survey"]["disks"][0]["partitions"][0]["name"];
    let part = json!({
        "target": "/efi", "device": part, "fstype": "vfat", "array": null, "below": [part],
    });
    let place = known
        .pointer_mut("/search/parts")
        .and_then(Value::as_array_mut);
    place.unwrap().push(part);
    fs::write(&saved, known.to_string()).unwrap();
    let answer = Answer::of(&["diagnose", "--json", "--facts", facts]);
    let repairs = answer.json["plan"]["repairs"].as_array().unwrap();
    let own = repairs.iter().find(|one| one["removes"]["id"] == BROKEN);
    let own = own.unwrap_or_else(|| panic!("{}", answer.json["plan"]));
    assert_eq!(own["name"], "choose-entry");
    assert!(own["actions"].as_array().unwrap().is_empty());
    let put = &own["esp"]["files"][0];
    assert_eq!(put["path"], "/loader/loader.conf");
    let text = format!("timeout 3\ndefault m-{release}.conf\nconsole-mode max\n");
    assert_eq!(put["from"]["text"], text);
}
