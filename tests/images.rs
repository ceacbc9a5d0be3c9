//! Disk images, good and bad, opened on this machine through loop devices.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "images/mod.rs"]
mod bench;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::{Answer, Bench, SECTOR, diagnose, edit_superblock, loops_on, sha256, write_at};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ONE_PART: &str = "label: gpt\nstart=2048, size=60000\n";
const TWO_PARTS: &str = "label: gpt\nstart=2048, size=60000\nstart=63488, size=60000\n";

/// Loop devices and mounts are root's.
fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

#[test]
fn a_mirror_is_opened_through_one_leg_and_nothing_is_written() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |_| {});
    let [a, b] = bench.mirror(&tree);
    let before = [sha256(&a), sha256(&b)];
    let answer = diagnose(&[&a, &b]);
    assert_eq!(answer.json["search"]["kind"], "found", "{}", answer.stderr);
    assert_eq!(
        answer.json["assembly"]["arrays"][0]["state"]["kind"],
        "complete"
    );
    assert_eq!(answer.json["tree"]["os"]["hostname"], "server");
    let shown = bench::lifeboot(&["survey", "--disk", a.to_str().unwrap()]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("holds ext4 server"), "{shown}");
    assert_eq!(before, [sha256(&a), sha256(&b)]);
    assert_eq!(loops_on(&a) + &loops_on(&b), "");
}

#[test]
fn a_mirror_with_one_disk_is_degraded() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |_| {});
    let [_, b] = bench.mirror(&tree);
    let answer = diagnose(&[&b]);
    assert!(answer.ids().contains(&"storage/array-degraded"));
    assert_eq!(answer.json["tree"]["os"]["hostname"], "server");
}

#[test]
fn a_stale_leg_is_left_out_and_the_fresh_one_is_read() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let old = bench.tree("old", |_| {});
    let new = bench.tree("new", |_| {});
    let [a, b] = bench.mirror(&old);
    bench.ext4(&b, bench::DATA, 65536, Some(&new));
    edit_superblock(&b, |sb| sb[200] = 99);
    let answer = diagnose(&[&a, &b]);
    assert!(answer.ids().contains(&"storage/array-degraded"));
    assert_eq!(answer.json["tree"]["os"]["hostname"], "new");
}

#[test]
fn diverged_legs_are_told_and_not_chosen() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |_| {});
    let [a, b] = bench.mirror(&tree);
    // Each counts the other's slot as faulty, with equal events.
    edit_superblock(&a, |sb| sb[258..260].copy_from_slice(&[0xFE, 0xFF]));
    edit_superblock(&b, |sb| sb[256..258].copy_from_slice(&[0xFE, 0xFF]));
    let answer = diagnose(&[&a, &b]);
    assert!(
        answer.ids().contains(&"storage/legs-diverged"),
        "{:?}",
        answer.ids()
    );
    assert_eq!((answer.verdict(), answer.code), ("undetermined", 40));
    assert!(answer.json["tree"].is_null());
    // One side alone can be looked at.
    assert_eq!(diagnose(&[&a]).json["search"]["kind"], "found");
}

#[test]
fn every_flipped_byte_of_a_superblock_is_noticed_or_harmless() {
    let good = include_bytes!("images/raid1-slot0.sb");
    let parse = |bytes: &[u8]| lifeboot::survey::superblock::parse(bytes, 8);
    let whole = parse(good).unwrap();
    assert_eq!(whole.array_uuid, "1f0b0a7e:00004000:80000000:0000a0a0");
    assert_eq!(
        (whole.level, whole.raid_disks, whole.data_offset),
        (1, 2, 4096)
    );
    let covered = 256 + 2 * whole.roles.len();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1 << bit;
            let parsed = parse(&bytes);
            assert_eq!(parsed.is_err(), at < covered, "byte {at} bit {bit}");
        }
    }
    for end in 0..covered {
        assert!(parse(&good[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_damaged_superblock_is_a_finding() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |_| {});
    let [a, b] = bench.mirror(&tree);
    write_at(&a, bench::superblock_at() + 100, b"\xFF\xFF");
    let answer = diagnose(&[&a, &b]);
    assert!(answer.ids().contains(&"storage/array-unusable"));
    assert!(answer.ids().contains(&"storage/array-degraded"));
    assert_eq!(answer.code, 40);
}

#[test]
fn a_disk_without_boot_loader_beside_one_with_it() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |root| {
        fs::write(root.join("boot/vmlinuz-6.1"), "kernel").unwrap();
        fs::write(root.join("boot/initrd.img-6.1"), "initramfs").unwrap();
    });
    let [a, b] = bench.mirror(&tree);
    write_at(&a, 100, b"GRUB");
    write_at(&a, 2048 * SECTOR, b"core");
    let answer = diagnose(&[&a, &b]);
    let found: Vec<_> = answer.json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["id"] == "bootloader/grub-missing-on-disk")
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["subject"], "b.img");
    assert_eq!(found[0]["severity"], "degraded");
    assert!(answer.ids().contains(&"bootloader/grub-config-missing"));
}

/// A bootable-looking tree whose GRUB entry names `kernel` and `root`.
fn with_grub(root: &Path, kernel: &str, parameter: &str) {
    // A boot header for x86, with one sector of set-up code and nothing more.
    let mut image = vec![0; 1024];
    image[0x1F1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    fs::write(root.join("boot/vmlinuz-6.1"), image).unwrap();
    fs::write(root.join("boot/initrd.img-6.1"), "070701").unwrap();
    fs::create_dir_all(root.join("boot/grub")).unwrap();
    let text = format!(
        "set default=\"0\"\nmenuentry 'Debian' {{\n linux {kernel} root={parameter} ro\n \
         initrd /boot/initrd.img-6.1\n}}\n"
    );
    fs::write(root.join("boot/grub/grub.cfg"), text).unwrap();
}

#[test]
fn the_default_entry_names_a_kernel_without_content() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("grub.img", 64, ONE_PART);
    let tree = bench.tree("server", |root| {
        with_grub(root, "/boot/vmlinuz-5.10", "LABEL=root");
        fs::write(root.join("boot/vmlinuz-5.10"), "").unwrap();
    });
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    assert!(
        diagnose(&[&disk])
            .ids()
            .contains(&"bootloader/default-entry-broken")
    );
}

#[test]
fn the_root_parameter_is_compared_with_the_disks() {
    if !is_root() {
        return;
    }
    let id = "bootloader/root-parameter-wrong";
    for (label, fires) in [("server", false), ("other", true)] {
        let bench = Bench::new();
        let disk = bench.disk("grub.img", 64, ONE_PART);
        let tree = bench.tree("server", |root| {
            with_grub(root, "/boot/vmlinuz-6.1", &format!("LABEL={label}"));
        });
        bench.ext4(&disk, 2048, 30000, Some(&tree));
        let answer = diagnose(&[&disk]);
        assert_eq!(answer.json["search"]["kind"], "found");
        assert_eq!(answer.ids().contains(&id), fires, "{label}");
    }
}

#[test]
fn what_lies_in_a_sealed_container_is_unknown_and_not_missing() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("luks.img", 64, TWO_PARTS);
    let tree = bench.tree("server", |root| {
        let line = "UUID=12345678-1234-1234-1234-123456789012 /data ext4 defaults 0 2\n";
        fs::write(root.join("etc/fstab"), line).unwrap();
    });
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    write_at(&disk, 63488 * SECTOR, b"LUKS\xBA\xBE\x00\x02");
    let answer = diagnose(&[&disk]);
    assert!(!answer.ids().contains(&"services/fstab-device-missing"));
    assert!(answer.ids().contains(&"storage/volume-not-opened"));
    assert_eq!(answer.verdict(), "undetermined");
}

#[test]
fn absurd_partition_tables_are_answered() {
    let bench = Bench::new();
    let disk = bench.disk("gpt.img", 64, ONE_PART);
    let good = fs::read(&disk).unwrap();
    // Number of entries, bytes of an entry, sector of the table.
    let absurd = [
        (u32::MAX, 128_u32, 2_u64),
        (u32::MAX, 8, 2),
        (128, 0, 2),
        (128, 1, 2),
        (128, 129, 2),
        (128, 128, u64::MAX),
    ];
    for (count, size, table) in absurd {
        let mut bytes = good.clone();
        bytes[512 + 72..512 + 80].copy_from_slice(&table.to_le_bytes());
        bytes[512 + 80..512 + 84].copy_from_slice(&count.to_le_bytes());
        bytes[512 + 84..512 + 88].copy_from_slice(&size.to_le_bytes());
        bytes[512 + 16..512 + 20].fill(0);
        let sum = crc32fast::hash(&bytes[512..512 + 92]);
        bytes[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
        fs::write(&disk, &bytes).unwrap();
        let output = bench::lifeboot(&["survey", "--json", "--disk", disk.to_str().unwrap()]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{count} {size} {table}: {output:?}"
        );
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(json["survey"]["disks"][0]["table_problem"].is_string());
    }
}

#[test]
fn absurd_superblocks_are_answered() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |_| {});
    let [a, _] = bench.mirror(&tree);
    let good = fs::read("tests/images/raid1-slot0.sb").unwrap();
    for (at, value) in [
        (128, 0x007F_FFFF_FFFF_FFFF),
        (80, 0),
        (80, u64::MAX),
        (128, u64::MAX),
    ] {
        write_at(&a, bench::superblock_at(), &good);
        edit_superblock(&a, |sb| {
            sb[at..at + 8].copy_from_slice(&u64::to_le_bytes(value))
        });
        let answer = diagnose(&[&a]);
        assert!(
            answer.ids().contains(&"storage/array-unusable"),
            "{at} {value:x}"
        );
        assert_eq!(answer.code, 40);
    }
}

#[test]
fn an_image_that_is_mounted_for_writing_is_not_written_a_second_time() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("busy.img", 64, ONE_PART);
    let tree = bench.tree("server", |root| {
        fs::rename(root.join("usr/sbin"), root.join("usr/sbin.backup")).unwrap();
    });
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    let point = bench.path("point");
    fs::create_dir(&point).unwrap();
    let script = r#"
        device=$(losetup -f --show -o 1048576 "$1"); trap 'losetup -d "$device"' EXIT
        mount "$device" "$2"
        "$0" repair --yes --disk "$1" >&2 && exit 9
        test ! -e "$2/usr/sbin"; umount "$2"
    "#;
    let output = Command::new("unshare")
        .args(["-m", "sh", "-ec", script, env!("CARGO_BIN_EXE_lifeboot")])
        .args([&disk, &point])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("already mounted"), "{said}");
}

#[test]
fn a_root_device_that_is_not_there_is_an_error_with_the_names() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("one.img", 64, ONE_PART);
    let tree = bench.tree("server", |_| {});
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    let path = disk.to_str().unwrap();
    let output = bench::lifeboot(&["diagnose", "--disk", path, "--root-device", "nonsense"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("one.img partition 1"));
}

#[test]
fn a_fifo_or_directory_is_no_disk() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in [fifo.as_path(), dir.path()] {
        let output = bench::lifeboot(&["survey", "--disk", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).replace("\n ", "");
        assert!(said.contains("neither a disk"), "{said}");
    }
}

#[test]
fn etc_that_was_renamed_is_found_on_the_disk_as_well() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("etc.img", 64, ONE_PART);
    let tree = bench.tree("server", |root| {
        let list: String = (0..8).map(|n| format!("/etc/file{n}\n")).collect();
        fs::write(root.join("var/lib/dpkg/info/conf.list"), list).unwrap();
        let status = "Package: conf\nStatus: install ok installed\nVersion: 1\n\
                      Architecture: all\n\nPackage: tool\n\
                      Status: install ok installed\nVersion: 1\nArchitecture: all\n\n";
        fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
        for number in 0..8 {
            fs::write(root.join(format!("etc/file{number}")), "").unwrap();
        }
        fs::rename(root.join("etc"), root.join("etc.old")).unwrap();
    });
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    let answer = diagnose(&[&disk]);
    assert_eq!(answer.ids(), ["root/system-directory-replaced"]);
}

/// `/usr/sbin` swapped for a link, on a filesystem of its own for /usr.
fn swapped_on_a_usr_of_its_own(bench: &Bench) -> PathBuf {
    let disk = bench.disk("usr.img", 64, TWO_PARTS);
    let tree = bench.tree("server", |root| {
        fs::write(
            root.join("etc/fstab"),
            "LABEL=own-usr /usr ext4 defaults 0 2\n",
        )
        .unwrap();
        fs::rename(root.join("usr"), bench.path("own-usr")).unwrap();
        fs::create_dir(root.join("usr")).unwrap();
    });
    let usr = bench.path("own-usr");
    fs::rename(usr.join("sbin"), usr.join("sbin.backup")).unwrap();
    symlink("/usr/bin", usr.join("sbin")).unwrap();
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    bench.ext4(&disk, 63488, 30000, Some(&usr));
    disk
}

#[test]
fn finishing_a_repair_of_a_usr_of_its_own() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = swapped_on_a_usr_of_its_own(&bench);
    let path = disk.to_str().unwrap();
    let worker = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(["repair", "--yes", "--disk", path])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut worker = worker.unwrap();
    let lines = BufReader::new(worker.stderr.take().unwrap()).lines();
    let started = lines
        .map_while(Result::ok)
        .any(|line| line.starts_with("[1/2]"));
    // The parent dies for good, its child with it, at whatever step it is.
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert!(started);
    // Its child ends by itself, after the change that it is at.
    let end = Instant::now() + Duration::from_secs(20);
    while !loops_on(&disk).is_empty() && Instant::now() < end {
        std::thread::yield_now();
    }
    let finished = bench::lifeboot(&["repair", "--yes", "--disk", path]);
    let said = String::from_utf8_lossy(&finished.stderr).into_owned();
    assert!(!said.contains("Read-only"), "{said}");
    assert!(
        !diagnose(&[&disk])
            .ids()
            .contains(&"root/system-directory-replaced")
    );
}

#[test]
fn no_system_on_the_disk() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("empty.img", 64, ONE_PART);
    bench.ext4(&disk, 2048, 30000, None);
    let answer = diagnose(&[&disk]);
    assert_eq!(answer.ids(), ["root/no-system"]);
    assert_eq!(answer.code, 40);
}

#[test]
fn two_systems_are_listed_and_one_can_be_chosen() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("two.img", 64, TWO_PARTS);
    for (name, sector) in [("first", 2048), ("second", 63488)] {
        let tree = bench.tree(name, |_| {});
        bench.ext4(&disk, sector, 30000, Some(&tree));
    }
    let answer = diagnose(&[&disk]);
    assert_eq!(answer.ids(), ["root/several-systems"]);
    assert_eq!(answer.code, 40);
    let name = "two.img partition 2";
    let disk = disk.to_str().unwrap();
    let chosen = Answer::of(&["diagnose", "--json", "--disk", disk, "--root-device", name]);
    assert_eq!(chosen.json["tree"]["os"]["hostname"], "second");
}

#[test]
fn a_part_that_fstab_names_and_no_disk_has() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("var.img", 64, ONE_PART);
    let tree = bench.tree("server", |root| {
        let line = "UUID=12345678-1234-1234-1234-123456789012 /var ext4 defaults 0 2\n";
        fs::write(root.join("etc/fstab"), line).unwrap();
    });
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    let answer = diagnose(&[&disk]);
    assert!(answer.ids().contains(&"root/part-not-mounted"));
    assert!(answer.ids().contains(&"services/fstab-device-missing"));
}

#[test]
fn garbage_and_cut_images_are_answered() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("cut.img", 64, TWO_PARTS);
    let whole = fs::read(&disk).unwrap();
    for length in [0, 1, 511, 512, 1024, 4096, 1 << 20] {
        fs::write(&disk, &whole[..length]).unwrap();
        assert_eq!(diagnose(&[&disk]).code, 40, "{length} bytes");
    }
    let mut noise = vec![0; 2 << 20];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut noise)
        .unwrap();
    noise[510..512].copy_from_slice(&[0x55, 0xAA]);
    fs::write(&disk, &noise).unwrap();
    assert_eq!(diagnose(&[&disk]).code, 40);
    // The protective MBR stays, the GPT behind it is gone.
    let mut lost = whole;
    let end = lost.len();
    lost[512..4096].fill(0xA5);
    lost[end - 20 * 1024..].fill(0xA5);
    fs::write(&disk, &lost).unwrap();
    let answer = diagnose(&[&disk]);
    assert_eq!(answer.code, 40);
    assert!(answer.json["survey"]["disks"][0]["table_problem"].is_string());
}

#[test]
fn a_disk_that_does_not_read_comes_first() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("dying.img", 64, ONE_PART);
    let output = Command::new("losetup")
        .args(["-f", "--show"])
        .arg(&disk)
        .output()
        .unwrap();
    let device = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    // Reads behind the end of what is left are errors of the device.
    File::options()
        .write(true)
        .open(&disk)
        .unwrap()
        .set_len(0)
        .unwrap();
    let answer = diagnose(&[Path::new(&device)]);
    assert!(
        Command::new("losetup")
            .args(["-d", &device])
            .status()
            .unwrap()
            .success()
    );
    assert!(
        answer.ids().contains(&"hardware/disk-unreadable"),
        "{:?}",
        answer.ids()
    );
    assert_eq!((answer.verdict(), answer.code), ("hardware-first", 30));
}

#[test]
fn no_disk_at_all() {
    if !is_root() {
        return;
    }
    let script = "mount -t tmpfs none /sys/block && exec \"$0\" diagnose --json";
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_lifeboot")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(40), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["findings"][0]["id"], "hardware/no-disks");
}

#[test]
fn a_root_that_is_mounted_for_writing_is_looked_at_where_it_is() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.path("mounted.img");
    let tree = bench.tree("server", |_| {});
    File::create(&disk).unwrap().set_len(32 << 20).unwrap();
    bench.ext4(&disk, 0, 32768, Some(&tree));
    let script = r#"
        device=$(losetup -f --show "$1"); trap 'losetup -d "$device"' EXIT
        mount "$device" "$2"
        "$0" diagnose --json --disk "$device"; echo "code $?" >&2
        "$0" repair --yes --disk "$device" > /dev/null || :
        umount "$2"
    "#;
    let point = bench.path("point");
    fs::create_dir(&point).unwrap();
    let output = Command::new("unshare")
        .args(["-m", "sh", "-ec", script, env!("CARGO_BIN_EXE_lifeboot")])
        .args([&disk, &point])
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["tree"]["origin"], "already-mounted", "{output:?}");
    assert_eq!(json["findings"][0]["id"], "root/mounted-for-writing");
}

/// A filesystem on a whole image, filled from `tree` through a mount. With
/// `dirty`, the image is a copy made while it was mounted and written to, as a
/// power cut leaves it.
fn mounted_and_filled(bench: &Bench, mkfs: &str, tree: &Path, dirty: bool) -> PathBuf {
    let disk = bench.path("filled.img");
    File::create(&disk).unwrap().set_len(320 << 20).unwrap();
    let point = bench.path("fill");
    fs::create_dir(&point).unwrap();
    let script = r#"
        $1 "$2"; device=$(losetup -f --show "$2"); trap 'losetup -d "$device"' EXIT
        mount "$device" "$4"; cp -a "$3/." "$4/"; sync -f "$4"
        echo late > "$4/root/late"; sync "$4/root/late"
        test "$5" = false || cp --sparse=always "$2" "$2.dirty"
        umount "$4"
    "#;
    let status = Command::new("unshare")
        .args(["-m", "sh", "-ec", script, "sh", mkfs])
        .args([disk.as_os_str(), tree.as_os_str(), point.as_os_str()])
        .arg(dirty.to_string())
        .status()
        .unwrap();
    assert!(status.success());
    if dirty {
        bench.path("filled.img.dirty")
    } else {
        disk
    }
}

#[test]
fn a_dirty_journal_is_not_replayed() {
    if !is_root() {
        return;
    }
    for mkfs in ["mkfs.ext4 -q -F", "mkfs.xfs -q -f"] {
        let bench = Bench::new();
        let tree = bench.tree("server", |_| {});
        let disk = mounted_and_filled(&bench, mkfs, &tree, true);
        let before = sha256(&disk);
        let answer = diagnose(&[&disk]);
        assert_eq!(before, sha256(&disk), "{mkfs}");
        if mkfs.contains("ext4") {
            assert_eq!(answer.json["search"]["kind"], "found", "{}", answer.stderr);
            let signature = &answer.json["survey"]["disks"][0]["content"];
            assert_eq!(signature["dirty"], true);
        } else {
            // All of a young xfs may still be in its journal alone.
            assert_eq!(answer.verdict(), "undetermined");
            let findings = answer.json["findings"].as_array().unwrap();
            assert!(
                findings.iter().all(|f| f["severity"] != "blocker"),
                "{findings:?}"
            );
        }
    }
}

#[test]
fn an_xfs_root_is_repaired_and_undone() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |root| {
        fs::rename(root.join("usr/sbin"), root.join("usr/sbin.backup")).unwrap();
        symlink("/usr/bin", root.join("usr/sbin")).unwrap();
    });
    let disk = mounted_and_filled(&bench, "mkfs.xfs -q -f", &tree, false);
    let id = "root/system-directory-replaced";
    let path = disk.to_str().unwrap();
    assert!(diagnose(&[&disk]).ids().contains(&id));
    let repaired = Answer::of(&["repair", "--yes", "--json", "--disk", path]);
    assert_eq!(
        repaired.json["committed"]["outcome"], "committed",
        "{}",
        repaired.stderr
    );
    assert!(!diagnose(&[&disk]).ids().contains(&id));
    assert_eq!(
        Answer::of(&["undo", "--yes", "--json", "--disk", path]).code,
        0
    );
    assert!(diagnose(&[&disk]).ids().contains(&id));
}

#[test]
fn a_plain_partition_is_repaired_and_undone_in_its_image() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.disk("plain.img", 64, ONE_PART);
    let tree = bench.tree("server", |root| {
        fs::rename(root.join("usr/sbin"), root.join("usr/sbin.backup")).unwrap();
        symlink("/usr/bin", root.join("usr/sbin")).unwrap();
    });
    bench.ext4(&disk, 2048, 30000, Some(&tree));
    let path = disk.to_str().unwrap();
    let id = "root/system-directory-replaced";
    assert!(diagnose(&[&disk]).ids().contains(&id));
    let repaired = Answer::of(&["repair", "--yes", "--json", "--disk", path]);
    assert_eq!(
        repaired.json["committed"]["outcome"], "committed",
        "{}",
        repaired.stderr
    );
    assert!(!diagnose(&[&disk]).ids().contains(&id));
    let undone = Answer::of(&["undo", "--yes", "--json", "--disk", path]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert!(diagnose(&[&disk]).ids().contains(&id));
    assert_eq!(loops_on(&disk), "");
}

#[test]
fn a_usr_of_its_own_is_mounted_repaired_and_undone() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = swapped_on_a_usr_of_its_own(&bench);
    let id = "root/system-directory-replaced";
    let path = disk.to_str().unwrap();
    assert!(diagnose(&[&disk]).ids().contains(&id));
    let repaired = Answer::of(&["repair", "--yes", "--json", "--disk", path]);
    assert_eq!(
        repaired.json["committed"]["outcome"], "committed",
        "{}",
        repaired.stderr
    );
    assert!(!diagnose(&[&disk]).ids().contains(&id));
    let undone = Answer::of(&["undo", "--yes", "--json", "--disk", path]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert!(diagnose(&[&disk]).ids().contains(&id));
}

#[test]
fn a_mirror_is_not_split_by_a_repair_without_md() {
    if !is_root() || Path::new("/sys/module/md_mod").exists() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |root| {
        fs::rename(root.join("usr/sbin"), root.join("usr/sbin.backup")).unwrap();
    });
    let [a, b] = bench.mirror(&tree);
    let before = [sha256(&a), sha256(&b)];
    let [first, second] = [&a, &b].map(|p| p.to_str().unwrap());
    let output = bench::lifeboot(&["repair", "--yes", "--disk", first, "--disk", second]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("md driver"));
    assert_eq!(before, [sha256(&a), sha256(&b)]);
}

#[test]
fn an_interrupt_leaves_nothing_open() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |_| {});
    let [a, b] = bench.mirror(&tree);
    let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args([
            "diagnose",
            "--disk",
            a.to_str().unwrap(),
            "--disk",
            b.to_str().unwrap(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let status = child.wait().unwrap();
    // The signal may find the work already done.
    assert!(
        [Some(128 + 15), Some(40)].contains(&status.code()),
        "{status:?}"
    );
    assert_eq!(loops_on(&a) + &loops_on(&b), "");
}
