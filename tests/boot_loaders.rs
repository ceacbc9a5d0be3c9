//! GRUB is copied from a disk that has it to one that has not, and taken back;
//! compared with what grub-bios-setup itself writes there.
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

use bench::{Bench, diagnose, is_root, sha256, write_at};
use lifeboot::journal::{self, Header, Stock, Supplies};
use lifeboot::survey::grub_embed::{self, Piece};
use lifeboot::survey::{Disk, Survey, survey_of};
use lifeboot::sys::consent::WriteToken;
use lifeboot::sys::root_dir::RootDir;

/// Where Debian's grub-pc-bin keeps boot code, modules and grub-bios-setup.
const GRUB: &str = "/usr/lib/grub/i386-pc";

/// The array of [`Bench::mirror`], as GRUB spells its UUID.
const PREFIX: &str = "(mduuid/1f0b0a7e00004000800000000000a0a0)/boot/grub";

const BIOS_BOOT: &str = "21686148-6449-6E6F-744E-656564454649";

fn sh(script: &str) {
    let output = Command::new("unshare")
        .args(["-m", "sh", "-euc", script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What grub-install hands to grub-bios-setup, in an ext4 that it can name: it
/// does not work in a directory on overlayfs.
fn make_core(bench: &Bench, modules: &[&str]) {
    let dir = bench.path("grub");
    fs::create_dir_all(&dir).unwrap();
    let boot = Path::new(GRUB).join("boot.img");
    fs::copy(boot, dir.join("boot.img")).unwrap();
    let made = Command::new("grub-mkimage")
        .args(["-O", "i386-pc", "-d", GRUB, "-p", PREFIX, "-o"])
        .arg(dir.join("core.img"))
        .args(modules)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let image = bench.path("grub.ext4");
    sh(&format!(
        "rm -f {0}; truncate -s 32M {0}; mkfs.ext4 -q -F -d {1} {0}",
        image.display(),
        dir.display()
    ));
}

const MODULES: [&str; 6] = [
    "biosdisk",
    "part_gpt",
    "part_msdos",
    "mdraid1x",
    "diskfilter",
    "ext2",
];

/// Installs the core of [`make_core`] on a disk image.
fn bios_setup(bench: &Bench, disk: &Path, options: &str) {
    let (mount, map) = (bench.path("mnt"), bench.path("device.map"));
    fs::create_dir_all(&mount).unwrap();
    let (mount, map) = (mount.display(), map.display());
    sh(&format!(
        "mount -o loop {image} {mount}
        printf '(hd0) %s\\n(hd1) %s\\n' {disk} $(findmnt -no SOURCE {mount}) > {map}
        {GRUB}/grub-bios-setup {options} -m {map} -d {mount} '(hd0)'
        umount {mount}",
        image = bench.path("grub.ext4").display(),
        disk = disk.display(),
    ));
}

fn look(disks: &[&Path]) -> Survey {
    let paths: Vec<PathBuf> = disks.iter().map(|disk| disk.to_path_buf()).collect();
    survey_of(&paths).unwrap()
}

fn copied(from: &Path, to: &Path) -> Result<Vec<Piece>, String> {
    let survey = look(&[from, to]);
    grub_embed::copied(&survey.disks[0], &survey.disks[1])
}

fn clone(disk: &Path, name: &str) -> PathBuf {
    let to = disk.with_file_name(name);
    fs::copy(disk, &to).unwrap();
    to
}

/// GPT with a BIOS boot partition of so many sectors.
fn gpt(start: u64, sectors: u64) -> String {
    format!(
        "label: gpt\nfirst-lba: 34\nstart={start}, size={sectors}, type={BIOS_BOOT}\n\
         start=8192, size=8192\n"
    )
}

/// A bench, and a disk on which grub-bios-setup put GRUB; none without root.
fn with_a_good_one() -> Option<(Bench, PathBuf)> {
    is_root().then(|| {
        let bench = Bench::new();
        make_core(&bench, &MODULES);
        let from = bench.disk("from.img", 16, &gpt(2048, 2048));
        bios_setup(&bench, &from, "");
        (bench, from)
    })
}

#[test]
fn what_is_written_is_what_grub_bios_setup_writes() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    make_core(&bench, &MODULES);
    let mbr = "label: dos\nstart=2048, size=8192, type=fd\n";
    let from = [gpt(2048, 2048), mbr.to_owned()];
    let to = [gpt(2048, 2048), gpt(34, 900), mbr.to_owned()];
    for (number, from) in from.iter().enumerate() {
        let from = bench.disk(&format!("from{number}.img"), 16, from);
        bios_setup(&bench, &from, "");
        for (number, table) in to.iter().enumerate() {
            let to = bench.disk("to.img", 16, table);
            // What a DOS filesystem keeps there is left as it is.
            write_at(&to, 3, b"mkfs.fat");
            if number == 1 {
                write_at(&to, 34 * 512, &[0x11; 70_000]);
            }
            let wanted = clone(&to, "wanted.img");
            bios_setup(&bench, &wanted, "");
            let pieces = copied(&from, &to).unwrap();
            assert_eq!(pieces.len(), 2);
            for piece in pieces {
                let old = fs::read(&to).unwrap();
                let at = usize::try_from(piece.at).unwrap();
                assert!(old[at..at + piece.before.len()] == piece.before);
                write_at(&to, piece.at, &piece.after);
            }
            assert_eq!(sha256(&to), sha256(&wanted), "{from:?} to {table}");
            assert_eq!(copied(&from, &to), Ok(Vec::new()), "it is there already");
        }
    }
}

#[test]
fn where_there_is_little_room_the_mending_codes_are_left_out() {
    let Some((bench, from)) = with_a_good_one() else {
        return;
    };
    let core = fs::metadata(bench.path("grub/core.img")).unwrap().len();
    let sectors = core.div_ceil(512);
    let to = bench.disk("to.img", 16, &gpt(2048, sectors));
    let wanted = clone(&to, "wanted.img");
    bios_setup(&bench, &wanted, "--no-rs-codes");
    for piece in copied(&from, &to).unwrap() {
        write_at(&to, piece.at, &piece.after);
    }
    assert_eq!(sha256(&to), sha256(&wanted));
    let small = bench.disk("small.img", 16, &gpt(2048, sectors - 1));
    let why = copied(&from, &small).unwrap_err();
    assert!(why.contains("too small"), "{why}");
}

#[test]
fn a_place_that_is_not_free_is_refused_with_the_reason() {
    let Some((bench, from)) = with_a_good_one() else {
        return;
    };
    let refused = |to: &Path, word: &str| {
        let before = sha256(to);
        let why = copied(&from, to).unwrap_err();
        assert!(why.contains(word), "{why}");
        let survey = look(&[to]);
        assert!(
            survey.disks_for_journal().known[0].areas.is_empty(),
            "{why}"
        );
        assert_eq!(sha256(to), before);
    };
    let disk = |table: &str| bench.disk("to.img", 16, table);
    refused(&disk("label: gpt\nstart=2048\n"), "no BIOS boot partition");
    let to = disk(&gpt(2048, 2048));
    bench.ext4(&to, 2048, 1024, None);
    refused(&to, "no BIOS boot partition inside");
    refused(&disk("label: dos\nstart=1, size=8192\n"), "no room");
    let to = disk("label: dos\nstart=2048, size=8192\n");
    write_at(&to, 40 * 512 + 7, b"another boot manager");
    refused(&to, "sector 40");
    // Only an extended partition: its record lies at its start.
    let extended = "label: dos\nstart=63, size=8192, type=5\nstart=4096, size=1024\n";
    let why = copied(&from, &disk(extended)).unwrap_err();
    assert!(why.contains("too small"), "{why}");
    let to = disk(&gpt(2048, 2048));
    write_at(&to, 1024, &[9; 64]);
    refused(&to, "partition table");
    refused(&disk("label: gpt\n"), "no");
    let blank = bench.path("blank.img");
    fs::write(&blank, vec![0; 1 << 20]).unwrap();
    refused(&blank, "no partition table");
}

fn commit(root: &Path, survey: &Survey, from: &Disk, to: &Disk) -> String {
    let mut disks = survey.disks_for_journal();
    let pieces = grub_embed::copied(from, to).unwrap();
    let actions: Vec<_> = pieces
        .into_iter()
        .map(|p| disks.boot_area(to.durable_name(), p.at, &p.before, p.after))
        .collect();
    let root = RootDir::open(root).unwrap();
    let stock = Stock::default();
    let supplies = Supplies::new(&stock, &disks);
    let (header, token) = (Header::new(vec!["test".into()]), WriteToken::granted("yes"));
    let done = journal::commit_with(&root, &token, header, &actions, supplies, &mut |_| {});
    done.unwrap().id
}

#[test]
fn a_copied_loader_is_taken_back_to_the_last_byte_or_by_hand() {
    let Some((bench, from)) = with_a_good_one() else {
        return;
    };
    let to = bench.disk("to.img", 16, &gpt(2048, 2048));
    write_at(&to, 2048 * 512, &[0x33; 300_000]);
    let other = bench.disk("other.img", 16, &gpt(2048, 2048));
    let root = bench.tree("root", |_| {});
    let digests = || [&from, &to, &other].map(|disk| sha256(disk));
    let before = digests();
    let repair = || {
        let survey = look(&[&from, &to, &other]);
        commit(&root, &survey, &survey.disks[0], &survey.disks[1])
    };
    let id = repair();
    let survey = look(&[&from, &to, &other]);
    let [first, second] = [0, 1].map(|at| survey.disks[at].grub_core.clone());
    assert_eq!(first, second);
    assert_eq!(digests()[0], before[0]);
    assert_ne!(digests()[1], before[1]);
    let dir = RootDir::open(&root).unwrap();
    let token = WriteToken::granted("yes");
    // Another disk in its place is not touched.
    let without = look(&[&from, &other]).disks_for_journal();
    let why = journal::undo_with(&dir, &token, &id, (&without, &mut |_| {})).unwrap_err();
    assert!(why.to_string().contains("is not here"), "{why}");
    // Renamed, it is found.
    let moved = bench.path("moved.img");
    fs::rename(&to, &moved).unwrap();
    let now = look(&[&other, &moved, &from]).disks_for_journal();
    journal::undo_with(&dir, &token, &id, (&now, &mut |_| {})).unwrap();
    fs::rename(&moved, &to).unwrap();
    assert_eq!(digests(), before);
    assert!(!root.join(".lifeboot").exists());
    // By hand, as docs/journal.md tells it.
    let id = repair();
    let place = root.join(format!(".lifeboot/journal/{id}"));
    let journal = fs::read_to_string(place.join("journal")).unwrap();
    let first: serde_json::Value =
        serde_json::from_str(&journal.lines().next().unwrap()[9..]).unwrap();
    for (number, step) in first["steps"].as_array().unwrap().iter().enumerate() {
        sh(&format!(
            "dd if={}/areas/{number}.before of={} bs=4096 seek={} oflag=seek_bytes \
             conv=notrunc,fsync status=none",
            place.display(),
            to.display(),
            step["action"]["at"]
        ));
    }
    assert_eq!(digests(), before);
}

#[test]
fn the_plan_puts_the_loader_of_one_leg_on_the_other_or_tells_why_not() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    make_core(&bench, &MODULES);
    let tree = bench.tree("server", |root| {
        let grub = root.join("boot/grub/i386-pc");
        fs::create_dir_all(&grub).unwrap();
        sh(&format!("cp {GRUB}/*.mod {GRUB}/*.lst {}", grub.display()));
        let menu = "menuentry 'Debian' {\n linux /boot/vmlinuz-1 root=UUID=x\n}\n";
        fs::write(root.join("boot/grub/grub.cfg"), menu).unwrap();
    });
    let [a, b] = bench.mirror(&tree);
    bios_setup(&bench, &a, "");
    let plan = |field: &str| {
        let answer = diagnose(&[&a, &b]);
        let all = answer.json["plan"][field].as_array().unwrap().clone();
        let id = "bootloader/grub-missing-on-disk";
        let own = |one: &serde_json::Value| one["removes"]["id"] == id;
        all.into_iter().find(own)
    };
    let repair = plan("repairs").unwrap();
    assert_eq!(repair["name"], "copy-boot-loader");
    assert_eq!(repair["loader"]["from"], "a.img");
    assert_eq!(repair["loader"]["to"], "b.img");
    // Made for an older disk: no partition for GRUB, and the member is there.
    sh(&format!("sgdisk -d 1 {} > /dev/null", b.display()));
    assert_eq!(plan("repairs"), None);
    let why = plan("refused").unwrap()["why"].to_string();
    assert!(why.contains("no BIOS boot partition"), "{why}");
}
