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
use lifeboot::survey::esp::{self, Put};
use lifeboot::survey::{Partition, survey_of};
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

/// All bytes of the ESP.
fn raw(disk: &Path) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut raw = vec![0; usize::try_from(ESP_SECTORS * SECTOR).unwrap()];
    let file = fs::File::open(disk).unwrap();
    file.read_exact_at(&mut raw, ESP * SECTOR).unwrap();
    raw
}

/// What mtools reads of a file.
fn get(disk: &Path, path: &str) -> Vec<u8> {
    let read = mtools(disk, "mtype").arg(format!("::{path}")).output();
    let read = read.unwrap();
    assert!(read.status.success(), "{path}: {read:?}");
    read.stdout
}

/// dosfstools find nothing wrong.
#[track_caller]
fn assert_sound(bench: &Bench, disk: &Path) {
    let image = bench.path("esp.img");
    fs::write(&image, raw(disk)).unwrap();
    let said = Command::new("fsck.vfat").arg("-n").arg(&image).output();
    let said = said.unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    // mkfs.vfat wrote its own mark of damage nowhere.
    assert!(said.status.success(), "{text}");
}

fn esp_of(disk: &Path) -> Partition {
    let survey = survey_of(&[disk.to_path_buf()]).unwrap();
    let mut parts = survey.disks[0].partitions.clone().into_iter();
    parts.find(|part| part.purpose == "esp").unwrap()
}

/// A server on one disk without an array, whose packages brought these files.
fn one_disk(bench: &Bench, packaged: &[(&str, &[u8])]) -> (PathBuf, String) {
    let tree = bench.tree("packaged", |root| {
        fs::create_dir_all(root.join("boot/grub/x86_64-efi")).unwrap();
        fs::write(root.join("etc/os-release"), "ID=debian\n").unwrap();
        let menu =
            "set default=\"0\"\nmenuentry 'Debian' {\n linux /boot/vmlinuz-1 root=UUID=x\n}\n";
        fs::write(root.join("boot/grub/grub.cfg"), menu).unwrap();
        for (path, content) in packaged {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    });
    let table = format!(
        "label: gpt\nstart=4096, size=131072\nstart={ESP}, size={ESP_SECTORS}, type=uefi\n"
    );
    let mib = (ESP + ESP_SECTORS + 4096) * SECTOR / (1 << 20);
    let disk = bench.disk("one.img", mib, &table);
    bench.ext4(&disk, 4096, 65536, Some(&tree));
    let mut uuid = [0; 16];
    use std::os::unix::fs::FileExt;
    let file = fs::File::open(&disk).unwrap();
    file.read_exact_at(&mut uuid, 4096 * SECTOR + 1024 + 0x68)
        .unwrap();
    format(&disk, &["-F", "32", "-s", "1"]);
    (disk, lifeboot::survey::signature::uuid_text(&uuid))
}

fn ids_of_esp(answer: &Answer) -> Vec<String> {
    let all = told(answer).into_iter().map(|(id, _, _)| id);
    all.filter(|id| id.contains("esp")).collect()
}

/// Repairs what `id` names and takes it back: the ESP is the same to the last
/// bit. Gives the ESP as it was repaired.
#[track_caller]
fn repaired_and_undone(bench: &Bench, disk: &Path, id: &str, look: impl FnOnce()) {
    let path = disk.to_str().unwrap();
    let before = raw(disk);
    let answer = diagnose(&[disk]);
    assert!(
        ids_of_esp(&answer).contains(&id.to_owned()),
        "{}",
        answer.stderr
    );
    let done = Answer::of(&["repair", "--yes", "--json", "--only", id, "--disk", path]);
    let committed = &done.json["committed"]["outcome"];
    assert_eq!(
        committed, "committed",
        "{} {}",
        done.stderr, done.json["before"]["plan"]
    );
    assert_eq!(ids_of_esp(&diagnose(&[disk])), [""; 0]);
    assert_sound(bench, disk);
    look();
    let undone = lifeboot(&["undo", "--yes", "--disk", path]);
    assert!(undone.status.success(), "{undone:?}");
    assert!(raw(disk) == before, "the undo left something on the ESP");
}

#[test]
fn loaders_of_the_packages_are_put_as_grub_install_puts_them() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let shim = fs::read(SHIM).unwrap();
    let keys = fs::read("/usr/lib/shim/mmx64.efi").unwrap();
    let fallback = fs::read("/usr/lib/shim/fbx64.efi").unwrap();
    let list = fs::read("/usr/lib/shim/BOOTX64.CSV").unwrap();
    let grub = core(&bench, "/EFI/debian", None);
    let packaged: [(&str, &[u8]); 5] = [
        ("usr/lib/shim/shimx64.efi.signed", &shim),
        ("usr/lib/shim/mmx64.efi.signed", &keys),
        ("usr/lib/shim/fbx64.efi.signed", &fallback),
        ("usr/lib/shim/BOOTX64.CSV", &list),
        ("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", &grub),
    ];
    let (disk, uuid) = one_disk(&bench, &packaged);
    let id = "firmware/esp-loader-missing";
    repaired_and_undone(&bench, &disk, id, || {
        let at = |path: &str| get(&disk, &format!("EFI/{path}"));
        for place in ["debian/shimx64.efi", "BOOT/BOOTX64.EFI"] {
            assert!(at(place) == shim, "{place}");
        }
        for place in ["debian/grubx64.efi", "BOOT/grubx64.efi"] {
            assert!(at(place) == grub, "{place}");
        }
        for place in ["debian/mmx64.efi", "BOOT/mmx64.efi"] {
            assert!(at(place) == keys, "{place}");
        }
        assert!(at("debian/fbx64.efi") == fallback && at("debian/BOOTX64.CSV") == list);
        // What install-signed.patch of Debian's GRUB writes, without a hint.
        let stub = format!(
            "search.fs_uuid {uuid} root \nset prefix=($root)'/boot/grub'\n\
             configfile $prefix/grub.cfg\n"
        );
        assert_eq!(String::from_utf8(at("debian/grub.cfg")).unwrap(), stub);
    });
    // A program that is cut off is replaced, and the others stay.
    for (path, content) in [
        ("EFI/BOOT/BOOTX64.EFI", &shim[..]),
        ("EFI/BOOT/grubx64.efi", &grub[..grub.len() / 2]),
        ("EFI/Microsoft/Boot/bootmgfw.efi", b"not ours"),
    ] {
        put(&bench, &disk, path, content);
    }
    repaired_and_undone(&bench, &disk, "firmware/esp-loader-damaged", || {
        assert!(get(&disk, "EFI/BOOT/grubx64.efi") == grub);
        assert!(get(&disk, "EFI/Microsoft/Boot/bootmgfw.efi") == b"not ours");
    });
}

#[test]
fn what_grub_install_left_in_boot_serves_or_the_reason_is_told() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let id = "firmware/esp-loader-missing";
    let (disk, _) = one_disk(&bench, &[]);
    let before = raw(&disk);
    let path = disk.to_str().unwrap();
    let answer = Answer::of(&["repair", "--yes", "--json", "--only", id, "--disk", path]);
    assert!(answer.json["committed"].is_null(), "{}", answer.stderr);
    let refused = answer.json["before"]["plan"]["refused"].to_string();
    assert!(refused.contains("shim-signed"), "{refused}");
    assert!(raw(&disk) == before);
    // The UUID of the filesystem is not known before it is made: GRUB that was
    // made for its partition.
    let bench = Bench::new();
    let own = core(&bench, "(,gpt1)/boot/grub", None);
    let (disk, _) = one_disk(&bench, &[("boot/grub/x86_64-efi/core.efi", &own)]);
    repaired_and_undone(&bench, &disk, id, || {
        for place in ["EFI/BOOT/BOOTX64.EFI", "EFI/debian/grubx64.efi"] {
            assert!(get(&disk, place) == own, "{place}");
        }
    });
}

#[test]
fn a_wrong_uuid_is_corrected_in_one_sector() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let (disk, uuid) = one_disk(&bench, &[]);
    let stub = |uuid: &str| {
        format!(
            "search.fs_uuid {uuid} root hd0,gpt1 \nset prefix=($root)'/boot/grub'\n\
             configfile $prefix/grub.cfg\n"
        )
    };
    let wrong = "0d3c0d3c-0000-4000-8000-00000000dead";
    let grub = core(&bench, "/EFI/debian", None);
    put(&bench, &disk, "EFI/BOOT/BOOTX64.EFI", &grub);
    put(&bench, &disk, "EFI/debian/grub.cfg", stub(wrong).as_bytes());
    let before = raw(&disk);
    repaired_and_undone(&bench, &disk, "bootloader/esp-uuid-unknown", || {
        let now = get(&disk, "EFI/debian/grub.cfg");
        assert_eq!(String::from_utf8(now).unwrap(), stub(&uuid));
        let (now, size) = (raw(&disk), 512);
        let pairs = now.chunks(size).zip(before.chunks(size));
        assert_eq!(pairs.filter(|(new, old)| new != old).count(), 1);
    });
}

#[test]
fn the_loader_of_one_disk_is_planned_for_the_other() {
    let Some((bench, [a, b], loaders)) = bench() else {
        return;
    };
    let of = |answer: &Answer, field: &str| {
        let all = answer.json["plan"][field].as_array().unwrap().clone();
        let own = |one: &Value| {
            let id = one["removes"]["id"].as_str().unwrap();
            id.contains("esp")
        };
        all.into_iter().find(own)
    };
    let break_it = |how: usize| {
        loaders.install(&bench, &b);
        match how {
            0 => run(mtools(&b, "mdeltree").arg("::EFI")),
            1 => remove(&b, "EFI/BOOT/grubx64.efi"),
            2 => {
                let cut = &loaders.grub[..loaders.grub.len() / 2];
                put(&bench, &b, "EFI/BOOT/grubx64.efi", cut);
            }
            3 => remove(&b, "EFI/debian/grub.cfg"),
            _ => put(&bench, &b, "EFI/BOOT/BOOTX64.EFI", b""),
        }
    };
    for how in 0..5 {
        break_it(how);
        let answer = diagnose(&[&a, &b]);
        let repair = of(&answer, "repairs").unwrap_or_else(|| panic!("{how}: no repair"));
        assert_eq!(repair["name"], "put-loaders-on-esp");
        assert_eq!(repair["esp"]["disk"], "b.img");
        // What the plan says is done, piece by piece: a cut leaves all files.
        let from = esp_of(&a);
        let files = repair["esp"]["files"].as_array().unwrap().iter();
        let files: Vec<Put> = files
            .map(|file| {
                let path = file["from"]["esp"]["path"].as_str().unwrap();
                assert_eq!(file["from"]["esp"]["disk"], "a.img");
                Put {
                    path: file["path"].as_str().unwrap().to_owned(),
                    content: esp::content(&from.source, path, 1 << 24).unwrap(),
                }
            })
            .collect();
        let (to, old) = (esp_of(&b), raw(&b));
        let replaced = |path: &str| files.iter().any(|put| put.path == path);
        let files_before = to.esp.clone().unwrap().files;
        for piece in esp::put(&to.source, &files, 1_790_000_000).unwrap() {
            let at = usize::try_from(piece.at).unwrap();
            assert!(old[at..at + piece.before.len()] == piece.before);
            write_at(&b, ESP * SECTOR + piece.at, &piece.after);
            let now = esp_of(&b).esp.unwrap();
            for file in files_before.iter().filter(|file| !replaced(&file.path)) {
                assert!(now.files.contains(file), "{how}: {}", file.path);
            }
        }
        assert_sound(&bench, &b);
        assert_eq!(esp_of(&b).esp, esp_of(&a).esp, "{how}");
        expect(&diagnose(&[&a, &b]), &[]);
        assert_eq!(esp::put(&to.source, &files, 0), Ok(Vec::new()));
    }
    // Which of two that differ is the newer one is not guessed.
    let other = core(&bench, "/EFI/debian", Some("set x=1\n"));
    put(&bench, &b, "EFI/BOOT/grubx64.efi", &other);
    let answer = diagnose(&[&a, &b]);
    assert_eq!(of(&answer, "repairs"), None);
    let why = of(&answer, "refused").unwrap()["why"].to_string();
    assert!(why.contains("newer"), "{why}");
}

#[test]
fn nothing_is_put_on_a_damaged_filesystem() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let (disk, _) = one_disk(&bench, &[]);
    put(&bench, &disk, "EFI/BOOT/BOOTX64.EFI", &[7; 20_000]);
    put(&bench, &disk, "EFI/debian/grub.cfg", &[8; 2_000]);
    let whole = raw(&disk);
    let files = |content: Vec<u8>| {
        let path = "/EFI/debian/grubx64.efi".to_owned();
        [Put { path, content }]
    };
    let part = esp_of(&disk);
    assert!(esp::put(&part.source, &files(vec![1; 9000]), 0).is_ok());
    let why = esp::put(&part.source, &files(vec![1; 60 << 20]), 0).unwrap_err();
    assert!(why.contains("KiB are free"), "{why}");
    let reserved = usize::from(u16::from_le_bytes([whole[14], whole[15]])) * 512;
    let table = usize::try_from(u32::from_le_bytes(whole[36..40].try_into().unwrap())).unwrap();
    // Both tables: rings, shared clusters, free ones in use, numbers of nothing.
    for at in 2..45 {
        for value in [0_u32, 1, 3, 5, 0x0FFF_FFF7, 0x00FF_FFFF] {
            for copy in [0, 1] {
                let place = ESP * SECTOR + (reserved + copy * table * 512 + at * 4) as u64;
                write_at(&disk, place, &value.to_le_bytes());
            }
            let put = esp::put(&part.source, &files(vec![1; 9000]), 0);
            assert!(put.is_err(), "{at} {value}");
            write_at(&disk, ESP * SECTOR, &whole[..reserved + 2 * table * 512]);
        }
    }
    // One table alone.
    write_at(&disk, ESP * SECTOR + reserved as u64 + 12, &[9]);
    let why = esp::put(&part.source, &files(vec![1; 9000]), 0).unwrap_err();
    assert!(why.contains("tables differ"), "{why}");
}
