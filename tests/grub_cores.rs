//! GRUB's core on both disks of a mirror, made by grub-mkimage and put where
//! grub-bios-setup puts it, against the modules in /boot.
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

use bench::{Answer, Bench, DATA, SECTOR, diagnose, is_root, write_at};

/// Where Debian's grub-pc-bin keeps boot code and modules.
const GRUB: &str = "/usr/lib/grub/i386-pc";

/// The array of [`Bench::mirror`], as GRUB spells its UUID.
const ARRAY: &str = "1f0b0a7e00004000800000000000a0a0";

const CORE_SECTOR: u64 = 2048;

/// A server whose /boot has what grub-install and update-grub leave there.
fn server(bench: &Bench) -> PathBuf {
    bench.tree("server", |root| {
        let grub = root.join("boot/grub/i386-pc");
        fs::create_dir_all(&grub).unwrap();
        for entry in fs::read_dir(GRUB).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().unwrap_or_default();
            if ending == "mod" || ending == "lst" {
                fs::copy(&path, grub.join(path.file_name().unwrap())).unwrap();
            }
        }
        let menu =
            "set default=\"0\"\nmenuentry 'Debian' {\n linux /boot/vmlinuz-1 root=UUID=x\n}\n";
        fs::write(root.join("boot/grub/grub.cfg"), menu).unwrap();
    })
}

/// What grub-install makes for this prefix, with these commands built in.
fn core(bench: &Bench, prefix: &str, config: Option<&str>, modules: &[&str]) -> Vec<u8> {
    let path = bench.path("core.img");
    let mut mkimage = Command::new("grub-mkimage");
    mkimage.args(["-O", "i386-pc", "-d", GRUB, "-p", prefix, "-o"]);
    mkimage.arg(&path);
    if let Some(config) = config {
        let early = bench.path("early.cfg");
        fs::write(&early, config).unwrap();
        mkimage.arg("-c").arg(early);
    }
    let output = mkimage.args(modules).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::read(path).unwrap()
}

const MODULES: [&str; 5] = ["biosdisk", "part_gpt", "mdraid1x", "diskfilter", "ext2"];

/// What grub-install makes for the server itself.
fn own_core(bench: &Bench) -> Vec<u8> {
    core(
        bench,
        &format!("(mduuid/{ARRAY})/boot/grub"),
        None,
        &MODULES,
    )
}

/// Writes boot code and core, and where each finds the next (grub-bios-setup:
/// util/setup.c).
fn install(disk: &Path, core: &[u8]) {
    let mut boot = fs::read(Path::new(GRUB).join("boot.img")).unwrap();
    boot[0x5C..0x64].copy_from_slice(&CORE_SECTOR.to_le_bytes());
    write_at(disk, 0, &boot[..440]);
    let mut core = core.to_vec();
    core[0x1F4..0x1FC].copy_from_slice(&(CORE_SECTOR + 1).to_le_bytes());
    let rest = core.len().div_ceil(512) - 1;
    core[0x1FC..0x1FE].copy_from_slice(&u16::try_from(rest).unwrap().to_le_bytes());
    write_at(disk, CORE_SECTOR * 512, &core);
}

/// The findings about GRUB: id, severity and what they are about.
fn told(answer: &Answer) -> Vec<(String, String, String)> {
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let findings = answer.json["findings"].as_array().unwrap().iter();
    findings
        .filter(|f| f["id"].as_str().unwrap().starts_with("bootloader/grub-"))
        .map(|f| (word(&f["id"]), word(&f["severity"]), word(&f["subject"])))
        .collect()
}

fn expect(answer: &Answer, expected: &[(&str, &str, &str)]) {
    let told = told(answer);
    let told: Vec<_> = told
        .iter()
        .map(|(id, severity, subject)| (id.as_str(), severity.as_str(), subject.as_str()))
        .collect();
    assert_eq!(told, expected, "{}", answer.stderr);
}

#[test]
fn a_core_that_fits_is_silent_whatever_names_its_place() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = bench.mirror(&server(&bench));
    let core_of_array = own_core(&bench);
    for disk in [&a, &b] {
        install(disk, &core_of_array);
    }
    let answer = diagnose(&[&a, &b]);
    expect(&answer, &[]);
    let read = &answer.json["survey"]["disks"][1]["grub_core"];
    assert_eq!(read["prefix"], format!("(mduuid/{ARRAY})/boot/grub"));
    assert_eq!(read["modules"].as_array().unwrap().len(), MODULES.len() + 1);
    assert!(read["trouble"].is_null());
    // By the filesystem's UUID, as grub-install does without RAID.
    let volumes = answer.json["assembly"]["volumes"].as_array().unwrap();
    let uuid = volumes.iter().find_map(|v| v["content"]["uuid"].as_str());
    let search = format!(
        "search.fs_uuid {} root \nset prefix=($root)'/boot/grub'\n",
        uuid.unwrap()
    );
    let more = [&MODULES[..], &["search_fs_uuid"]].concat();
    install(&a, &core(&bench, "/boot/grub", Some(&search), &more));
    expect(&diagnose(&[&a, &b]), &[]);
}

#[test]
fn a_menu_in_a_directory_that_no_core_looks_in_is_told() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let root = server(&bench);
    fs::create_dir(root.join("boot/grub2")).unwrap();
    fs::rename(
        root.join("boot/grub/grub.cfg"),
        root.join("boot/grub2/grub.cfg"),
    )
    .unwrap();
    let [a, b] = bench.mirror(&root);
    install(&a, &own_core(&bench));
    let prefix = format!("(mduuid/{ARRAY})/boot/grub2");
    install(&b, &core(&bench, &prefix, None, &MODULES));
    let missing = "bootloader/grub-config-missing";
    let degraded = (missing, "degraded", "/boot/grub/grub.cfg");
    let told_of_one = told(&diagnose(&[&a, &b]));
    assert!(
        told_of_one.iter().any(|(id, severity, subject)| {
            (id.as_str(), severity.as_str(), subject.as_str()) == degraded
        }),
        "{told_of_one:?}"
    );
    install(&b, &own_core(&bench));
    let answer = diagnose(&[&a, &b]);
    expect(&answer, &[(missing, "blocker", "/boot/grub/grub.cfg")]);
}

#[test]
fn a_core_of_another_place_is_told_with_its_disk() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = bench.mirror(&server(&bench));
    let own = own_core(&bench);
    let other = ARRAY.replace('a', "b");
    let lost = core(
        &bench,
        &format!("(mduuid/{other})/boot/grub"),
        None,
        &MODULES,
    );
    install(&a, &own);
    install(&b, &lost);
    let id = "bootloader/grub-prefix-unknown";
    expect(&diagnose(&[&a, &b]), &[(id, "degraded", "b.img")]);
    let search = "search.fs_uuid 00000000-1111-2222-3333-444444444444 root\n";
    let more = [&MODULES[..], &["search_fs_uuid"]].concat();
    install(&a, &core(&bench, "/boot/grub", Some(search), &more));
    let both = [(id, "blocker", "a.img"), (id, "blocker", "b.img")];
    expect(&diagnose(&[&a, &b]), &both);
}

#[test]
fn modules_that_want_more_than_the_core_has_are_told() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = server(&bench);
    // The suites that mirrors still have do not differ in any such name.
    let normal = tree.join("boot/grub/i386-pc/normal.mod");
    let mut bytes = fs::read(&normal).unwrap();
    let name = b"grub_calloc\0";
    let at = bytes.windows(name.len()).position(|word| word == name);
    bytes[at.unwrap() + 5] = b'C';
    fs::write(&normal, &bytes).unwrap();
    let [a, b] = bench.mirror(&tree);
    let own = own_core(&bench);
    install(&a, &own);
    install(&b, &own);
    let id = "bootloader/grub-core-mismatch";
    let both = [(id, "blocker", "a.img"), (id, "blocker", "b.img")];
    let answer = diagnose(&[&a, &b]);
    expect(&answer, &both);
    let findings = answer.json["findings"].as_array().unwrap();
    let found = findings.iter().find(|f| f["id"] == id).unwrap();
    assert!(found["title"].as_str().unwrap().contains("grub_Calloc"));
    // A core that has the menu inside needs no module.
    let whole = [&MODULES[..], &["normal"]].concat();
    let whole = core(&bench, &format!("(mduuid/{ARRAY})/boot/grub"), None, &whole);
    install(&b, &whole);
    expect(&diagnose(&[&a, &b]), &[(id, "degraded", "a.img")]);
}

#[test]
fn a_lost_core_and_lost_modules_are_told() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = server(&bench);
    fs::write(tree.join("boot/grub/i386-pc/terminal.mod"), "").unwrap();
    let [a, b] = bench.mirror(&tree);
    let own = own_core(&bench);
    install(&a, &own);
    install(&b, &own);
    let modules = "bootloader/grub-modules-missing";
    let path = "/boot/grub/i386-pc/terminal.mod";
    expect(&diagnose(&[&a, &b]), &[(modules, "blocker", path)]);
    // A filesystem was made over the partition of the core.
    write_at(&b, CORE_SECTOR * 512, &[0x11; 4096]);
    let lost = "bootloader/grub-missing-on-disk";
    let expected = [(modules, "blocker", path), (lost, "degraded", "b.img")];
    expect(&diagnose(&[&a, &b]), &expected);
}

#[test]
fn a_core_that_is_cut_or_scrambled_is_not_known_and_no_panic() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = bench.mirror(&server(&bench));
    let own = own_core(&bench);
    install(&a, &own);
    for at in [512_usize, 520, 3000, 3400, 5000, own.len() / 2] {
        let mut bad = own.clone();
        let end = bad.len().min(at + 2000);
        bad[at..end].fill(0xEE);
        install(&b, &bad);
        let answer = diagnose(&[&a, &b]);
        let core = &answer.json["survey"]["disks"][1]["grub_core"];
        // The packed part has no checksum of its own that tells of every byte.
        if at < 3000 {
            assert_eq!(core["trouble"]["kind"], "unreadable", "{at}: {core}");
            let unknown = answer.json["verdict"]["unknown"].to_string();
            assert!(unknown.contains("GRUB's core on b.img"), "{unknown}");
        }
        assert_eq!(told(&answer).len(), 0);
    }
}

/// Two partitions for data, and one for GRUB.
const PLAIN: &str = "label: gpt\nstart=2048, size=2048, \
    type=21686148-6449-6E6F-744E-656564454649\nstart=4096, size=57344\n";

#[test]
fn a_disk_that_holds_no_part_of_the_root_needs_no_boot_loader() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = ["a.img", "b.img"].map(|name| bench.disk(name, 64, PLAIN));
    let tree = server(&bench);
    fs::create_dir(tree.join("var/data")).unwrap();
    fs::write(
        tree.join("etc/fstab"),
        "LABEL=data /var ext4 defaults 0 2\n",
    )
    .unwrap();
    bench.ext4(&a, 4096, 28000, Some(&tree));
    let data = bench.path("data");
    fs::create_dir_all(data.join("lib/dpkg/info")).unwrap();
    bench.ext4(&b, 4096, 28000, Some(&data));
    let menu_core = core(&bench, "(,gpt2)/boot/grub", None, &MODULES);
    install(&a, &menu_core);
    let answer = diagnose(&[&a, &b]);
    let parts = answer.json["search"]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2, "{}", answer.json["search"]);
    let missing = |answer: &Answer| {
        let told = told(answer);
        told.iter()
            .filter(|(id, ..)| id == "bootloader/grub-missing-on-disk")
            .count()
    };
    assert_eq!(missing(&answer), 0, "{:?}", told(&answer));
    // Without one on that of the root it does not boot.
    write_at(&a, 0, &[0; 440]);
    assert_eq!(missing(&diagnose(&[&a, &b])), 1);
}

#[test]
fn an_empty_efi_system_partition_is_no_boot_loader() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = bench.mirror(&server(&bench));
    let esp = "label: gpt\nstart=2048, size=57344, \
        type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n";
    let other = bench.disk("c.img", 64, esp);
    let lost = "bootloader/grub-missing-on-disk";
    let expected = [(lost, "blocker", "a.img"), (lost, "blocker", "b.img")];
    expect(&diagnose(&[&a, &b, &other]), &expected);
}

#[test]
fn a_filesystem_that_grub_refuses_is_told_by_its_features() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = bench.mirror(&server(&bench));
    let core = own_core(&bench);
    for disk in [&a, &b] {
        install(disk, &core);
        // Of both members, as the array would do it; GRUB of Debian 12 knows
        // metadata_csum_seed, and nobody's knows this.
        let at = format!("{}?offset={}", disk.display(), DATA * SECTOR);
        let switched = Command::new("tune2fs")
            .args(["-O", "ea_inode"])
            .arg(at)
            .output()
            .unwrap();
        assert!(switched.status.success(), "{switched:?}");
    }
    let answer = diagnose(&[&a, &b]);
    let id = "bootloader/grub-cannot-read";
    expect(
        &answer,
        &[(id, "blocker", "a.img"), (id, "blocker", "b.img")],
    );
    let title = answer.json["findings"][0]["title"].as_str().unwrap();
    assert!(title.ends_with("/boot: ea_inode"), "{title}");
}

/// Both disks have a core that looks on a logical volume. The facts of a mirror
/// are told that its root is one.
#[test]
fn a_logical_volume_is_known_by_its_uuids() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = bench.mirror(&server(&bench));
    let (group, volume) = (
        "eSO1HE-Pjnv-5dUY-4cYQ-0rKz-9DVA-2VrLLA",
        "Lg8gYT-wgqq-1DoZ-bSTy-Jw1J-nN2C-0n4Mkt",
    );
    let prefix = format!("(lvmid/{group}/{volume})/boot/grub");
    let more = [&MODULES[..], &["lvm"]].concat();
    let core = core(&bench, &prefix, None, &more);
    install(&a, &core);
    install(&b, &core);
    let saved = bench.path("facts.json");
    let facts = saved.to_str().unwrap();
    let [one, two] = [&a, &b].map(|disk| disk.to_str().unwrap().to_owned());
    Answer::of(&[
        "diagnose",
        "--json",
        "--disk",
        &one,
        "--disk",
        &two,
        "--save-facts",
        facts,
    ]);
    let known: serde_json::Value = serde_json::from_slice(&fs::read(&saved).unwrap()).unwrap();
    let with = |own: &str| {
        let mut known = known.clone();
        let name = known["search"]["parts"][0]["device"].clone();
        let volumes = known["assembly"]["volumes"].as_array_mut().unwrap();
        let root = volumes.iter_mut().find(|one| one["name"] == name).unwrap();
        root["layer"] = serde_json::json!({"kind": "logical", "group": group});
        known["assembly"]["groups"] = serde_json::json!([{
            "uuid": group, "name": "vg0", "exported": false, "on": [], "missing": [],
            "copies": [], "volumes": [{
                "name": name, "uuid": own, "kind": "linear", "bytes": 1, "closed": null,
            }],
        }]);
        fs::write(&saved, known.to_string()).unwrap();
        Answer::of(&["diagnose", "--json", "--facts", facts])
    };
    expect(&with(volume), &[]);
    let id = "bootloader/grub-prefix-unknown";
    let both = [(id, "blocker", "a.img"), (id, "blocker", "b.img")];
    expect(&with("Lg8gYT-wgqq-1DoZ-bSTy-Jw1J-nN2C-000000"), &both);
}
