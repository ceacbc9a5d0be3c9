//! Disk images, good and bad, opened on this machine through loop devices.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "images/mod.rs"]
mod bench;
#[path = "terminal/mod.rs"]
mod terminal;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bench::{
    Answer, Bench, SECTOR, diagnose, edit_superblock, is_root, loops_on, sha256, wait_until_free,
    write_at,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ONE_PART: &str = "label: gpt\nstart=2048, size=60000\n";
const TWO_PARTS: &str = "label: gpt\nstart=2048, size=60000\nstart=63488, size=60000\n";

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
    let disks = ["--disk", a.to_str().unwrap(), "--disk", b.to_str().unwrap()];
    let shown = bench::lifeboot(&[&["survey"], &disks[..]].concat());
    let shown = String::from_utf8(shown.stdout).unwrap();
    let mut rest = shown.as_str();
    for word in [
        "DISKS\na.img  ",
        "\n`- a.img partition 2  ",
        "\nb.img  ",
        "\n`- b.img partition 2  ",
        "\n\nARRAYS\narray lab:0  raid1 1.2: complete, 2 members\n",
        "|- a.img partition 2  slot 0, current, ",
        "\n|- b.img partition 2  slot 1, current, ",
        "\n`- holds ",
        "ext4 server",
        "\n\nSYSTEMS\n",
        "last used 20",
        "\n`- / from array lab:0\n",
    ] {
        let found = rest.split_once(word);
        rest = found.unwrap_or_else(|| panic!("no {word:?} in\n{shown}")).1;
    }
    assert_eq!(rest, "");
    assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");
    let json = Answer::of(&[&["survey", "--json"], &disks[..]].concat()).json;
    assert_eq!(json["systems"]["kind"], "found");
    assert_eq!(
        json["assembly"]["arrays"][0]["legs"][1]["standing"]["slot"],
        1
    );
    assert_eq!(before, [sha256(&a), sha256(&b)]);
    wait_until_free(&a);
    wait_until_free(&b);
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
        sign_gpt_header(&mut bytes, FIRST_GPT);
        let (numbers, problem) = table_of(&disk, &bytes);
        assert_eq!(numbers, [1], "{count} {size} {table}");
        assert!(problem.unwrap().contains("second copy"));
        // Nor is there a good copy at the end.
        bytes[LAST_GPT..LAST_GPT + 8].fill(0);
        let (numbers, problem) = table_of(&disk, &bytes);
        assert!(numbers.is_empty(), "{count} {size} {table}");
        assert!(problem.unwrap().contains("makes no sense"));
    }
}

/// Where the headers of a GPT lie in an image of 64 MiB.
const FIRST_GPT: usize = 512;
const LAST_GPT: usize = (64 << 20) - 512;

/// Makes the checksum of a GPT header right.
fn sign_gpt_header(bytes: &mut [u8], header: usize) {
    bytes[header + 16..header + 20].fill(0);
    let sum = crc32fast::hash(&bytes[header..header + 92]);
    bytes[header + 16..header + 20].copy_from_slice(&sum.to_le_bytes());
}

/// Where the entries of a GPT lie, as its header says.
fn gpt_entries(bytes: &[u8], header: usize) -> usize {
    let lba = bytes[header + 72..header + 80].try_into().unwrap();
    usize::try_from(u64::from_le_bytes(lba) * SECTOR).unwrap()
}

/// Makes both checksums of a copy of a GPT right.
fn sign_gpt(bytes: &mut [u8], header: usize) {
    let entries = gpt_entries(bytes, header);
    let sum = crc32fast::hash(&bytes[entries..entries + 128 * 128]);
    bytes[header + 88..header + 92].copy_from_slice(&sum.to_le_bytes());
    sign_gpt_header(bytes, header);
}

/// The partitions that are found on a disk of these bytes, and what is said of
/// its table.
fn table_of(disk: &Path, bytes: &[u8]) -> (Vec<u64>, Option<String>) {
    fs::write(disk, bytes).unwrap();
    let output = bench::lifeboot(&["survey", "--json", "--disk", disk.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &json["survey"]["disks"][0];
    let partitions = found["partitions"].as_array().unwrap();
    let numbers = partitions.iter().map(|p| p["number"].as_u64().unwrap());
    let problem = found["table_problem"].as_str().map(str::to_owned);
    (numbers.collect(), problem)
}

#[test]
fn garbage_in_one_copy_of_a_gpt_leaves_the_other() {
    let bench = Bench::new();
    let disk = bench.disk("gpt.img", 64, TWO_PARTS);
    let good = fs::read(&disk).unwrap();
    let garbage = |bytes: &mut [u8], header: usize| {
        bytes[header + 80..header + 84].fill(0xFF);
        sign_gpt_header(bytes, header);
    };
    assert_eq!(table_of(&disk, &good), (vec![1, 2], None));
    let mut bytes = good.clone();
    garbage(&mut bytes, LAST_GPT);
    assert_eq!(table_of(&disk, &bytes), (vec![1, 2], None));
    garbage(&mut bytes, FIRST_GPT);
    let (numbers, problem) = table_of(&disk, &bytes);
    assert!(numbers.is_empty());
    assert!(problem.unwrap().contains("makes no sense"));
    let mut bytes = good.clone();
    garbage(&mut bytes, FIRST_GPT);
    let (numbers, problem) = table_of(&disk, &bytes);
    assert_eq!(numbers, [1, 2]);
    assert!(problem.unwrap().contains("second copy"));
    // An MBR that names no GPT, and what an earlier use left at the end.
    let disk = bench.disk("mbr.img", 64, "label: dos\nstart=2048, size=60000\n");
    let mut bytes = fs::read(&disk).unwrap();
    bytes[LAST_GPT..].copy_from_slice(&good[LAST_GPT..]);
    garbage(&mut bytes, LAST_GPT);
    assert_eq!(table_of(&disk, &bytes), (vec![1], None));
}

#[test]
fn a_junk_entry_of_a_gpt_leaves_the_others() {
    let bench = Bench::new();
    let disk = bench.disk("gpt.img", 64, TWO_PARTS);
    let good = fs::read(&disk).unwrap();
    let last_entry = 127 * 128;
    let anchor = b"Intel Raid ISM Cfg Sig. 1.3.00\0\0";
    // Metadata of a firmware RAID lies where the last entries of the second
    // copy are, and their checksum does not fit any more.
    let mut bytes = good.clone();
    let at = gpt_entries(&bytes, LAST_GPT) + last_entry;
    bytes[at..at + anchor.len()].copy_from_slice(anchor);
    assert_eq!(table_of(&disk, &bytes), (vec![1, 2], None));
    // The same under a right checksum, read as the only copy.
    sign_gpt(&mut bytes, LAST_GPT);
    bytes[FIRST_GPT] = 0;
    let (numbers, problem) = table_of(&disk, &bytes);
    assert_eq!(numbers, [1, 2]);
    let problem = problem.unwrap();
    assert!(problem.contains("second copy"), "{problem}");
    assert!(problem.contains("partition 128 "), "{problem}");
    // Entry 1 begins at sector 0, entry 5 ends before it begins.
    let mut bytes = good.clone();
    let at = gpt_entries(&bytes, FIRST_GPT);
    bytes[at + 32..at + 40].fill(0);
    bytes.copy_within(at + 128..at + 256, at + 4 * 128);
    bytes[at + 4 * 128 + 40..at + 4 * 128 + 48].copy_from_slice(&9_u64.to_le_bytes());
    sign_gpt(&mut bytes, FIRST_GPT);
    let (numbers, problem) = table_of(&disk, &bytes);
    assert_eq!(numbers, [2]);
    let problem = problem.unwrap();
    assert!(problem.contains("partition 1, 5 "), "{problem}");
    // Junk that does not fit the checksum is damage: the other copy counts.
    bytes[FIRST_GPT..FIRST_GPT + 512].copy_from_slice(&good[FIRST_GPT..FIRST_GPT + 512]);
    let (numbers, problem) = table_of(&disk, &bytes);
    assert_eq!(numbers, [1, 2]);
    assert!(problem.unwrap().ends_with("is good"));
}

#[test]
fn a_damaged_extended_boot_record_leaves_what_comes_before_it() {
    let bench = Bench::new();
    let table = "label: dos\nstart=2048, size=20000, type=83\n\
                 start=22528, size=80000, type=5\n\
                 start=24576, size=20000, type=83\n\
                 start=47104, size=20000, type=83\n\
                 start=69632, size=20000, type=83\n";
    let disk = bench.disk("mbr.img", 64, table);
    let good = fs::read(&disk).unwrap();
    let whole = (vec![1, 5, 6, 7], None);
    assert_eq!(table_of(&disk, &good), whole);
    // The sector of the next record, counted from the first one.
    let next = |record: usize| {
        let raw = good[record + 470..record + 474].try_into().unwrap();
        22528 * 512 + u32::from_le_bytes(raw) as usize * 512
    };
    let first = 22528 * 512;
    let second = next(first);
    let third = next(second);
    let broken = |bytes: &[u8], numbers: &[u64]| {
        let (found, problem) = table_of(&disk, bytes);
        assert_eq!(found, numbers);
        assert!(problem.unwrap().contains("extended boot record"));
    };
    let mut bytes = good.clone();
    bytes[second + 510..second + 512].fill(0);
    broken(&bytes, &[1, 5]);
    // A chain that comes back to its second record.
    let mut bytes = good.clone();
    bytes.copy_within(first + 462..first + 478, third + 462);
    broken(&bytes, &[1, 5, 6, 7]);
    // A next record beyond the end of the disk.
    let mut bytes = good.clone();
    bytes[second + 470..second + 474].fill(0xFF);
    broken(&bytes, &[1, 5, 6]);
    // First, third, second: an order that fdisk makes when space becomes free.
    let mut bytes = good.clone();
    let (to_second, to_third) = (first + 462..first + 478, second + 462..second + 478);
    bytes[first + 462..first + 478].copy_from_slice(&good[to_third]);
    bytes[third + 462..third + 478].copy_from_slice(&good[to_second]);
    bytes[second + 462..second + 478].fill(0);
    assert_eq!(table_of(&disk, &bytes), whole);
    // A first record without a partition: the next one is number 5.
    let mut bytes = good.clone();
    bytes[first + 446..first + 462].fill(0);
    assert_eq!(table_of(&disk, &bytes), (vec![1, 5, 6], None));
}

/// Found by the fuzz target `gpt`: the library that reads GPTs panics on it.
#[test]
fn a_partition_that_begins_at_sector_0_is_told() {
    let bench = Bench::new();
    let disk = bench.disk("gpt.img", 64, ONE_PART);
    let mut bytes = fs::read(&disk).unwrap();
    bytes[1024 + 32..1024 + 40].fill(0);
    sign_gpt(&mut bytes, FIRST_GPT);
    let (numbers, problem) = table_of(&disk, &bytes);
    assert!(numbers.is_empty());
    assert!(problem.unwrap().contains("partition 1 "));
}

#[test]
fn images_with_the_same_name_are_told_apart() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let tree = bench.tree("server", |_| {});
    let disks = ["one", "two"].map(|name| {
        fs::create_dir(bench.path(name)).unwrap();
        bench.disk(&format!("{name}/disk.img"), 96, ONE_PART)
    });
    bench.ext4(&disks[0], 2048, 28000, None);
    bench.ext4(&disks[1], 2048, 28000, Some(&tree));
    let answer = diagnose(&[&disks[0], &disks[1]]);
    assert_eq!(
        answer.json["search"]["kind"], "found",
        "{}",
        answer.json["search"]
    );
    assert_eq!(answer.json["tree"]["os"]["hostname"], "server");
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

fn two_systems(bench: &Bench) -> PathBuf {
    let disk = bench.disk("two.img", 64, TWO_PARTS);
    for (name, sector) in [("first", 2048), ("second", 63488)] {
        let tree = bench.tree(name, |_| {});
        bench.ext4(&disk, sector, 30000, Some(&tree));
    }
    disk
}

#[test]
fn two_systems_are_listed_and_one_can_be_chosen() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = two_systems(&bench);
    let answer = diagnose(&[&disk]);
    assert_eq!(answer.ids(), ["root/several-systems"]);
    assert_eq!(answer.code, 40);
    let name = "two.img partition 2";
    let disk = disk.to_str().unwrap();
    let chosen = Answer::of(&["diagnose", "--json", "--disk", disk, "--root-device", name]);
    assert_eq!(chosen.json["tree"]["os"]["hostname"], "second");
}

#[test]
fn on_a_terminal_the_system_is_asked_for() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let disk = two_systems(&bench);
    let command = format!(
        "{} diagnose --disk {}",
        env!("CARGO_BIN_EXE_lifeboot"),
        disk.display()
    );
    // A number that is none is asked for again.
    let said = terminal::on_a_terminal(&command, "7\n2\n");
    assert!(said.contains("a number from 1 to 2"), "{said}");
    let second = said.find("2. two.img partition ").unwrap() + "2. ".len();
    let name = &said[second..second + "two.img partition 1".len()];
    let system = said.split("System: ").nth(1).unwrap_or_default();
    assert!(system.replace("\r\n", " ").contains(name), "{said}");
    let none = terminal::on_a_terminal(&command, "\n");
    assert!(none.contains("root/several-systems"), "{none}");
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
    // The kernel's log may hold errors of an earlier device of that name.
    let findings = json["findings"].as_array().unwrap();
    assert!(
        findings
            .iter()
            .any(|f| f["id"] == "root/mounted-for-writing")
    );
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
            // With device-mapper it is replayed into memory, and only then.
            let unseen = answer.ids().contains(&"storage/journal-not-replayed");
            assert_eq!(unseen, !Path::new("/sys/class/misc/device-mapper").exists());
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
    wait_until_free(&disk);
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
    wait_until_free(&a);
    wait_until_free(&b);
}

/// mkfs.btrfs over two images: what it says of its data, and what is read.
#[test]
fn how_a_btrfs_spreads_its_data_is_read() {
    for (data, metadata, spare) in [
        ("raid1", "raid1", 1),
        ("single", "raid1", 0),
        ("raid0", "raid0", 0),
    ] {
        let bench = Bench::new();
        let disks = ["a.img", "b.img"].map(|name| {
            let path = bench.path(name);
            File::create(&path).unwrap().set_len(256 << 20).unwrap();
            path
        });
        let made = Command::new("mkfs.btrfs")
            .args(["-q", "-d", data, "-m", metadata])
            .args(&disks)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let survey = lifeboot::survey::survey_of(&disks).unwrap();
        for (number, place) in survey.places().enumerate() {
            let lifeboot::survey::Content::Signature(found) = place.content else {
                panic!("no filesystem on {}", place.name);
            };
            let member = found.member.as_ref().unwrap();
            assert_eq!((member.id, member.devices), (number as u64 + 1, 2));
            match (&member.profiles, data) {
                // A striped chunk tree is not followed.
                (None, "raid0") => {}
                (Some(profiles), _) => {
                    assert_eq!(profiles.data, [data]);
                    assert_eq!(profiles.metadata, [metadata]);
                    assert_eq!(profiles.spare_devices(), spare);
                }
                (None, _) => panic!("nothing read of {data} on {}", place.name),
            }
        }
    }
}
