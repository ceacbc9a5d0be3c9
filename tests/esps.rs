//! EFI system partitions on both disks of a mirror: made by mkfs.vfat, filled
//! by mtools with shim, systemd-boot and GRUB as Debian builds them, and then
//! broken.
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
use std::process::{Command, Stdio};

use bench::{Answer, Bench, DATA, SECTOR, diagnose, is_root, lifeboot, write_at};
use serde_json::{Value, json};

const SHIM: &str = "/usr/lib/shim/shimx64.efi";
const SYSTEMD_BOOT: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";

/// Where the ESP lies: behind the member of [`Bench::mirror`].
const ESP: u64 = 4_196_352;
const ESP_SECTORS: u64 = 114_688;

/// A server whose GRUB was installed for this platform, where one is named.
fn server(bench: &Bench, platform: &str) -> PathBuf {
    bench.tree("server", |root| {
        fs::create_dir_all(root.join("boot/grub").join(platform)).unwrap();
        fs::write(root.join("etc/os-release"), "ID=debian\n").unwrap();
        let menu =
            "set default=\"0\"\nmenuentry 'Debian' {\n linux /boot/vmlinuz-1 root=UUID=x\n}\n";
        fs::write(root.join("boot/grub/grub.cfg"), menu).unwrap();
    })
}

/// What makes one ESP, and what may be changed about it.
struct Loaders {
    /// GRUB, as grub-mkimage makes it for Debian's directory.
    grub: Vec<u8>,
    /// The filesystem of the server.
    uuid: String,
}

/// A mirror whose disks have an ESP each, blank.
fn disks(bench: &Bench, platform: &str) -> [PathBuf; 2] {
    let disks = bench.mirror(&server(bench, platform));
    for disk in &disks {
        let file = fs::OpenOptions::new().write(true).open(disk).unwrap();
        file.set_len((ESP + ESP_SECTORS + 2048) * SECTOR).unwrap();
        let table = format!("start={ESP}, size={ESP_SECTORS}, type=uefi\n");
        let mut sfdisk = Command::new("sfdisk")
            .args(["-q", "--append", "--no-reread", "--no-tell-kernel"])
            .arg(disk)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        use std::io::Write;
        let mut input = sfdisk.stdin.take().unwrap();
        input.write_all(table.as_bytes()).unwrap();
        drop(input);
        assert!(sfdisk.wait().unwrap().success());
    }
    disks
}

impl Loaders {
    fn of(bench: &Bench, disk: &Path) -> Self {
        Self {
            grub: core(bench, "/EFI/debian", None),
            uuid: uuid_of(disk),
        }
    }

    fn stub(&self) -> String {
        let uuid = &self.uuid;
        format!(
            "search.fs_uuid {uuid} root hd0,gpt2 \nset prefix=($root)'/boot/grub'\n\
             configfile $prefix/grub.cfg\n"
        )
    }

    /// Makes the filesystem and puts there what `grub-install --removable` with
    /// Secure Boot does.
    fn install(&self, bench: &Bench, disk: &Path) {
        format(disk, &["-F", "32", "-s", "1"]);
        let shim = fs::read(SHIM).unwrap();
        put(bench, disk, "EFI/BOOT/BOOTX64.EFI", &shim);
        put(bench, disk, "EFI/BOOT/grubx64.efi", &self.grub);
        put(bench, disk, "EFI/debian/grub.cfg", self.stub().as_bytes());
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn core(bench: &Bench, prefix: &str, config: Option<&str>) -> Vec<u8> {
    let path = bench.path("core.efi");
    let mut mkimage = Command::new("grub-mkimage");
    mkimage.args(["-O", "x86_64-efi", "-p", prefix, "-o"]);
    mkimage.arg(&path);
    if let Some(config) = config {
        let early = bench.path("early.cfg");
        fs::write(&early, config).unwrap();
        mkimage.arg("-c").arg(early);
    }
    run(mkimage.args([
        "part_gpt",
        "fat",
        "ext2",
        "mdraid1x",
        "search_fs_uuid",
        "normal",
    ]));
    fs::read(path).unwrap()
}

/// The UUID in the superblock of the server's filesystem.
fn uuid_of(disk: &Path) -> String {
    use std::os::unix::fs::FileExt;
    let mut raw = [0; 16];
    let file = fs::File::open(disk).unwrap();
    file.read_exact_at(&mut raw, DATA * SECTOR + 1024 + 0x68)
        .unwrap();
    lifeboot::survey::signature::uuid_text(&raw)
}

fn format(disk: &Path, options: &[&str]) {
    let mut mkfs = Command::new("mkfs.vfat");
    mkfs.args(options).arg("--offset").arg(ESP.to_string());
    run(mkfs.arg(disk).arg((ESP_SECTORS / 2).to_string()));
}

fn mtools(disk: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg("-i")
        .arg(format!("{}@@{}", disk.display(), ESP * SECTOR));
    command
}

/// Writes a file, with the directories above it.
fn put(bench: &Bench, disk: &Path, path: &str, content: &[u8]) {
    for (at, _) in path.match_indices('/') {
        // It may be there already.
        let folder = format!("::{}", &path[..at]);
        let _ = mtools(disk, "mmd")
            .args(["-D", "s"])
            .arg(folder)
            .output()
            .unwrap();
    }
    let file = bench.path("file");
    fs::write(&file, content).unwrap();
    run(mtools(disk, "mcopy")
        .arg("-o")
        .arg(&file)
        .arg(format!("::{path}")));
}

fn remove(disk: &Path, path: &str) {
    run(mtools(disk, "mdel").arg(format!("::{path}")));
}

/// The findings about firmware and boot loader: id, severity, subject.
fn told(answer: &Answer) -> Vec<(String, String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = answer.json["findings"].as_array().unwrap().iter();
    let about = |id: &str| id.starts_with("firmware/") || id.starts_with("bootloader/");
    let mut all: Vec<_> = findings
        .filter(|f| about(f["id"].as_str().unwrap()))
        .filter(|f| f["id"] != "bootloader/default-entry-broken")
        .filter(|f| f["id"] != "bootloader/root-parameter-wrong")
        .map(|f| (word(&f["id"]), word(&f["severity"]), word(&f["subject"])))
        .collect();
    all.sort();
    all
}

#[track_caller]
fn expect(answer: &Answer, expected: &[(&str, &str, &str)]) {
    let told = told(answer);
    let told: Vec<_> = told
        .iter()
        .map(|(id, severity, subject)| (id.as_str(), severity.as_str(), subject.as_str()))
        .collect();
    assert_eq!(told, expected, "{}", answer.stderr);
}

/// What is not known of the firmware's part.
fn unknown(answer: &Answer) -> Vec<String> {
    let all = answer.json["verdict"]["unknown"].as_array().unwrap().iter();
    all.filter(|unknown| unknown["stage"] == "firmware")
        .map(|unknown| unknown["what"].as_str().unwrap().to_owned())
        .collect()
}

fn bench() -> Option<(Bench, [PathBuf; 2], Loaders)> {
    is_root().then(|| {
        let bench = Bench::new();
        let disks = disks(&bench, "x86_64-efi");
        let loaders = Loaders::of(&bench, &disks[0]);
        for disk in &disks {
            loaders.install(&bench, disk);
        }
        (bench, disks, loaders)
    })
}

fn esp(answer: &Answer, disk: usize) -> &Value {
    &answer.json["survey"]["disks"][disk]["partitions"][2]["esp"]
}

#[test]
fn two_whole_esps_are_silent_and_their_programs_are_known() {
    let Some((bench, [a, b], loaders)) = bench() else {
        return;
    };
    let answer = diagnose(&[&a, &b]);
    expect(&answer, &[]);
    assert!(unknown(&answer).is_empty(), "{:?}", unknown(&answer));
    let files = esp(&answer, 0)["files"].as_array().unwrap();
    let file = |path: &str| files.iter().find(|file| file["path"] == path).unwrap();
    let shim = file("/EFI/BOOT/BOOTX64.EFI");
    assert_eq!(shim["program"]["loader"]["kind"], "shim", "{shim}");
    assert_eq!(shim["program"]["machine"], "x86-64");
    assert_eq!(shim["program"]["sbat"], true);
    assert_eq!(shim["sha256"], bench::sha256(Path::new(SHIM)));
    let grub = &file("/EFI/BOOT/grubx64.efi")["program"]["loader"];
    assert_eq!(grub["prefix"], "/EFI/debian");
    assert!(
        grub["modules"]
            .as_array()
            .unwrap()
            .contains(&json!("search_fs_uuid"))
    );
    // All widths of FAT, with long names, read as mtools wrote them.
    for (width, sectors) in [("12", "64"), ("16", "4"), ("32", "1")] {
        let options = ["-F", width, "-s", sectors];
        format(&b, &options);
        let name = "EFI/Linux/a name that is longer than eight letters.efi";
        put(&bench, &b, name, &loaders.grub);
        let answer = diagnose(&[&a, &b]);
        let files = esp(&answer, 1)["files"].as_array().unwrap();
        assert_eq!(files[0]["path"], format!("/{name}"), "{options:?}");
        assert_eq!(files[0]["bytes"], loaders.grub.len());
        assert!(!files[0]["sha256"].is_null());
    }
    // By commands in the program, and with systemd-boot.
    let search = format!("search.fs_uuid {} root \n", loaders.uuid);
    for program in [
        core(&bench, "/boot/grub", Some(&search)),
        fs::read(SYSTEMD_BOOT).unwrap(),
    ] {
        for disk in [&a, &b] {
            format(disk, &["-F", "32", "-s", "1"]);
            put(&bench, disk, "EFI/BOOT/BOOTX64.EFI", &program);
        }
        let answer = diagnose(&[&a, &b]);
        expect(&answer, &[]);
        assert!(unknown(&answer).is_empty(), "{:?}", unknown(&answer));
    }
}

#[test]
fn an_esp_that_starts_nothing_is_told_with_its_disk() {
    let Some((bench, [a, b], loaders)) = bench() else {
        return;
    };
    let break_it = |disk: &Path, how: usize| {
        loaders.install(&bench, disk);
        match how {
            0 => run(mtools(disk, "mdeltree").arg("::EFI")),
            1 => remove(disk, "EFI/BOOT/grubx64.efi"),
            2 => {
                let cut = &loaders.grub[..loaders.grub.len() / 2];
                put(&bench, disk, "EFI/BOOT/grubx64.efi", cut);
            }
            3 => {
                let mut other = loaders.grub.clone();
                let pe = u32::from_le_bytes(other[0x3C..0x40].try_into().unwrap()) as usize;
                other[pe + 4..pe + 6].copy_from_slice(&0xAA64_u16.to_le_bytes());
                put(&bench, disk, "EFI/BOOT/grubx64.efi", &other);
            }
            4 => {
                let stub = loaders.stub().replace(&loaders.uuid, "0-1");
                put(&bench, disk, "EFI/debian/grub.cfg", stub.as_bytes());
            }
            5 => remove(disk, "EFI/debian/grub.cfg"),
            6 => write_at(disk, ESP * SECTOR, &[0; 4096]),
            _ => put(&bench, disk, "EFI/BOOT/BOOTX64.EFI", b""),
        }
    };
    let ids = [
        "firmware/esp-loader-missing",
        "firmware/esp-loader-missing",
        "firmware/esp-loader-damaged",
        "firmware/esp-loader-wrong-machine",
        "bootloader/esp-uuid-unknown",
        "bootloader/esp-config-missing",
        "firmware/esp-unreadable",
        "firmware/esp-loader-damaged",
    ];
    for (how, id) in ids.into_iter().enumerate() {
        loaders.install(&bench, &a);
        break_it(&b, how);
        let answer = diagnose(&[&a, &b]);
        expect(&answer, &[(id, "degraded", "b.img")]);
        break_it(&a, how);
        let answer = diagnose(&[&a, &b]);
        expect(
            &answer,
            &[(id, "blocker", "a.img"), (id, "blocker", "b.img")],
        );
    }
}

#[test]
fn a_grub_that_refuses_the_filesystem_of_boot_is_told() {
    let Some((_bench, [a, b], _)) = bench() else {
        return;
    };
    for disk in [&a, &b] {
        let at = format!("{}?offset={}", disk.display(), DATA * SECTOR);
        run(Command::new("tune2fs").args(["-O", "ea_inode"]).arg(at));
    }
    let id = "bootloader/grub-cannot-read";
    let answer = diagnose(&[&a, &b]);
    expect(
        &answer,
        &[(id, "blocker", "a.img"), (id, "blocker", "b.img")],
    );
}

#[test]
fn what_only_the_firmware_knows_is_not_known() {
    let Some((bench, [a, b], loaders)) = bench() else {
        return;
    };
    for disk in [&a, &b] {
        format(disk, &["-F", "32", "-s", "1"]);
        put(
            &bench,
            disk,
            "EFI/debian/shimx64.efi",
            &fs::read(SHIM).unwrap(),
        );
        put(&bench, disk, "EFI/debian/grubx64.efi", &loaders.grub);
        put(
            &bench,
            disk,
            "EFI/debian/grub.cfg",
            loaders.stub().as_bytes(),
        );
    }
    let facts = bench.path("facts.json");
    let save = [
        "diagnose",
        "--json",
        "--save-facts",
        facts.to_str().unwrap(),
    ];
    let disks = ["--disk", a.to_str().unwrap(), "--disk", b.to_str().unwrap()];
    let answer = Answer::of(&[&save[..], &disks].concat());
    expect(&answer, &[]);
    let what = "whether the firmware starts /EFI/debian/shimx64.efi";
    assert_eq!(unknown(&answer), [what]);
    let facts: Value = serde_json::from_str(&fs::read_to_string(facts).unwrap()).unwrap();
    let own = facts["survey"]["disks"][0]["partitions"][2]["uuid"].clone();
    let path = "/EFI/debian/shimx64.efi";
    let entry = |partition: &Value, file: &str| {
        json!({"kind": "uefi", "order": [1], "current": 1, "next": null,
            "entries": [{"number": 1, "active": true, "title": "debian",
                "partition": partition, "file": file}],
            "secure_boot": false, "setup_mode": false, "unreadable": null})
    };
    let judged = |firmware: Value| {
        let mut facts = facts.clone();
        facts["survey"]["firmware"] = firmware;
        facts["survey"]["selected"] = json!(false);
        let file = bench.path("changed.json");
        fs::write(&file, facts.to_string()).unwrap();
        Answer::of(&["diagnose", "--json", "--facts", file.to_str().unwrap()])
    };
    // The entry leads here: it boots.
    let answer = judged(entry(&own, path));
    expect(&answer, &[]);
    assert!(unknown(&answer).is_empty(), "{:?}", unknown(&answer));
    // Its partition, or its file, is gone, and nothing else starts this system.
    let dangling = ("firmware/boot-entry-dangling", "blocker", "Boot0001");
    expect(&judged(entry(&json!("0-0"), path)), &[dangling]);
    expect(&judged(entry(&own, "/EFI/debian/gone.efi")), &[dangling]);
    // Secure Boot starts nothing that has no signature.
    let mut secure = entry(&own, path);
    secure["secure_boot"] = json!(true);
    let unsigned = ("firmware/secure-boot-unsigned", "blocker", "a.img");
    expect(&judged(secure.clone()), &[unsigned]);
    secure["setup_mode"] = json!(true);
    expect(&judged(secure), &[]);
    // A rescue system that was booted otherwise knows no entry.
    let answer = judged(json!({"kind": "bios"}));
    expect(&answer, &[("firmware/rescue-mode-differs", "note", "")]);
    assert_eq!(unknown(&answer), [what]);
    // A fallback serves where the entry does not.
    for disk in [&a, &b] {
        loaders.install(&bench, disk);
    }
    expect(&diagnose(&[&a, &b]), &[]);
}

#[test]
fn an_esp_on_one_disk_only_and_two_that_differ_are_told() {
    let Some((bench, [a, b], loaders)) = bench() else {
        return;
    };
    let other = core(&bench, "/EFI/debian", Some("set x=1\n"));
    put(&bench, &b, "EFI/BOOT/grubx64.efi", &other);
    let answer = diagnose(&[&a, &b]);
    expect(&answer, &[("firmware/esps-out-of-step", "note", "b.img")]);
    loaders.install(&bench, &b);
    run(Command::new("sfdisk")
        .args(["-q", "--delete"])
        .arg(&b)
        .arg("3"));
    let answer = diagnose(&[&a, &b]);
    expect(&answer, &[("firmware/esp-missing", "degraded", "b.img")]);
    run(Command::new("sfdisk")
        .args(["-q", "--delete"])
        .arg(&a)
        .arg("3"));
    let id = "firmware/esp-missing";
    expect(
        &diagnose(&[&a, &b]),
        &[(id, "blocker", "a.img"), (id, "blocker", "b.img")],
    );
}

#[test]
fn an_esp_that_is_a_member_of_a_mirror_is_read_as_the_firmware_does() {
    let Some((_bench, [a, b], _)) = bench() else {
        return;
    };
    // Metadata 1.0 lies 8 KiB before the end (md.rst); the data at the start.
    let place = (ESP_SECTORS - 16) & !7;
    for (disk, raw) in [
        (&a, include_bytes!("images/raid1-slot0.sb").to_vec()),
        (&b, include_bytes!("images/raid1-slot1.sb").to_vec()),
    ] {
        let mut raw = raw;
        raw[16] ^= 0xFF;
        raw[80..88].copy_from_slice(&place.to_le_bytes());
        raw[128..136].copy_from_slice(&0_u64.to_le_bytes());
        raw[136..144].copy_from_slice(&place.to_le_bytes());
        raw[144..152].copy_from_slice(&place.to_le_bytes());
        // No bitmap.
        raw[8..12].copy_from_slice(&0_u32.to_le_bytes());
        let sum = lifeboot::survey::superblock::checksum(&raw);
        raw[216..220].copy_from_slice(&sum.to_le_bytes());
        write_at(disk, (ESP + place) * SECTOR, &raw);
    }
    let answer = diagnose(&[&a, &b]);
    let part = &answer.json["survey"]["disks"][0]["partitions"][2];
    assert_eq!(
        part["content"]["kind"], "raid-member",
        "{}",
        part["content"]
    );
    expect(&answer, &[]);
}

#[test]
fn a_bios_machine_with_an_esp_and_one_for_both_ways() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let [a, b] = disks(&bench, "");
    let array = "1f0b0a7e00004000800000000000a0a0";
    let path = bench.path("core.img");
    run(Command::new("grub-mkimage")
        .args(["-O", "i386-pc", "-p"])
        .arg(format!("(mduuid/{array})/boot/grub"))
        .arg("-o")
        .arg(&path)
        .args(["biosdisk", "part_gpt", "mdraid1x", "ext2", "normal"]));
    for disk in [&a, &b] {
        let mut boot = fs::read("/usr/lib/grub/i386-pc/boot.img").unwrap();
        boot[0x5C..0x64].copy_from_slice(&2048_u64.to_le_bytes());
        write_at(disk, 0, &boot[..440]);
        let mut core = fs::read(&path).unwrap();
        core[0x1F4..0x1FC].copy_from_slice(&2049_u64.to_le_bytes());
        let rest = u16::try_from(core.len().div_ceil(512) - 1).unwrap();
        core[0x1FC..0x1FE].copy_from_slice(&rest.to_le_bytes());
        write_at(disk, 2048 * 512, &core);
    }
    // ESPs that were never used are no fault of a machine that boots by BIOS.
    expect(&diagnose(&[&a, &b]), &[]);
    // With loaders on them it may boot either way, and both are right.
    let loaders = Loaders::of(&bench, &a);
    for disk in [&a, &b] {
        loaders.install(&bench, disk);
    }
    let answer = diagnose(&[&a, &b]);
    expect(&answer, &[]);
    assert!(unknown(&answer).is_empty(), "{:?}", unknown(&answer));
    // One of the ways is broken, and whether that matters is not known.
    for disk in [&a, &b] {
        remove(disk, "EFI/debian/grub.cfg");
    }
    let answer = diagnose(&[&a, &b]);
    let id = "bootloader/esp-config-missing";
    expect(
        &answer,
        &[(id, "degraded", "a.img"), (id, "degraded", "b.img")],
    );
    assert_eq!(
        unknown(&answer),
        ["whether this machine boots by BIOS or by UEFI"]
    );
}

#[test]
fn damaged_filesystems_end_and_are_told() {
    let Some((_bench, [a, b], _)) = bench() else {
        return;
    };
    let whole = {
        use std::os::unix::fs::FileExt;
        let mut raw = vec![0; 2 << 20];
        let file = fs::File::open(&b).unwrap();
        file.read_exact_at(&mut raw, ESP * SECTOR).unwrap();
        raw
    };
    // A table full of one number makes rings and wrong chains everywhere.
    for value in [0_u8, 1, 3, 0x7F, 0xFF] {
        let mut bad = whole.clone();
        bad[32 * 512 + 8..900 * 512].fill(value);
        write_at(&b, ESP * SECTOR, &bad);
        let answer = diagnose(&[&a, &b]);
        let text = esp(&answer, 1).to_string();
        assert!(
            !told(&answer).is_empty() || value == 0xFF,
            "{value}: {text}"
        );
    }
    // Every field of the first sector, wrong.
    for at in 11..48 {
        for value in [0, 1, 0xFF] {
            let mut bad = whole[..512].to_vec();
            bad[at] = value;
            write_at(&b, ESP * SECTOR, &bad);
            let done = lifeboot(&["survey", "--json", "--disk", b.to_str().unwrap()]);
            assert!(done.status.success(), "{at} {value}: {done:?}");
        }
    }
}
