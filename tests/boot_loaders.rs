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
use lifeboot::survey::grub_embed::{Image, Piece};
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
    Image::of_disk(&survey.disks[0])?.pieces_on(&survey.disks[1])
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
fn the_files_of_grub_install_are_written_as_grub_bios_setup_writes_them() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    make_core(&bench, &MODULES);
    let read = |name: &str| fs::read(bench.path("grub").join(name)).unwrap();
    let (boot, core) = (read("boot.img"), read("core.img"));
    let image = Image::of_files(&boot, &core).unwrap();
    let mbr = "label: dos\nstart=2048, size=8192, type=fd\n";
    for table in [gpt(2048, 2048), gpt(34, 900), mbr.to_owned()] {
        let to = bench.disk("to.img", 16, &table);
        write_at(&to, 3, b"mkfs.fat");
        let wanted = clone(&to, "wanted.img");
        // Lifeboot makes no codes that mend damaged sectors.
        bios_setup(&bench, &wanted, "--no-rs-codes");
        let survey = look(&[&to]);
        for piece in image.pieces_on(&survey.disks[0]).unwrap() {
            write_at(&to, piece.at, &piece.after);
        }
        assert_eq!(sha256(&to), sha256(&wanted), "{table}");
        let read = look(&[&to]).disks[0].grub_core.clone();
        assert_eq!(read, Some(image.core_on(&survey.disks[0]).unwrap()));
    }
    for bad in [&core[..100], &core[..core.len() / 2], &boot[..]] {
        assert!(Image::of_files(&boot, bad).is_err());
    }
    assert!(Image::of_files(&boot[..50], &core).is_err());
    let text = vec![b'x'; 512];
    let other = Image::of_files(&text, &core).unwrap();
    let to = bench.disk("to.img", 16, &gpt(2048, 2048));
    let why = other.pieces_on(&look(&[&to]).disks[0]).unwrap_err();
    assert!(why.contains("not read as the same GRUB"), "{why}");
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
    let pieces = Image::of_disk(from).unwrap().pieces_on(to).unwrap();
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
    assert_eq!(repair["loaders"][0]["from"], "a.img");
    assert_eq!(repair["loaders"][0]["to"], "b.img");
    // Made for an older disk: no partition for GRUB, and the member is there.
    sh(&format!("sgdisk -d 1 {} > /dev/null", b.display()));
    assert_eq!(plan("repairs"), None);
    let why = plan("refused").unwrap()["why"].to_string();
    assert!(why.contains("no BIOS boot partition"), "{why}");
}

/// A server with GRUB's package, and what `grub-install` leaves in /boot.
fn server(bench: &Bench, name: &str, extra: impl Fn(&Path)) -> PathBuf {
    bench.tree(name, |root| {
        let grub = root.join("boot/grub/i386-pc");
        let package = root.join("usr/lib/grub");
        fs::create_dir_all(&grub).unwrap();
        fs::create_dir_all(&package).unwrap();
        sh(&format!(
            "cp -r {GRUB} {1}; cd {GRUB}; cp *.mod *.lst *.o modinfo.sh boot.img {0}; \
             rm {0}/fdt.lst",
            grub.display(),
            package.display()
        ));
        let menu = "menuentry 'Debian' {\n linux /boot/vmlinuz-1 root=UUID=x\n}\n";
        fs::write(root.join("boot/grub/grub.cfg"), menu).unwrap();
        // grub-mkimage, and all that it loads.
        sh(&format!(
            "for file in $(ldd $(which grub-mkimage) | grep -o '/[^ ]*'); do \
                 mkdir -p {0}/usr/$(dirname $file); cp -L $file {0}/usr/$file; done; \
             if [ -e {0}/usr/usr ]; then cp -r {0}/usr/usr/. {0}/usr; rm -r {0}/usr/usr; fi; \
             cp $(which grub-mkimage) {0}/usr/bin; ln -s usr/lib64 {0}/lib64; \
             mkdir {0}/dev {0}/run {0}/tmp {0}/sys",
            root.display()
        ));
        extra(root);
    })
}

/// The one repair about this finding, and of how many it is told.
fn planned(disks: &[&Path], field: &str, id: &str) -> Vec<serde_json::Value> {
    let answer = diagnose(disks);
    let all = answer.json["plan"][field].as_array().unwrap().clone();
    all.into_iter()
        .filter(|one| one["removes"]["id"] == id)
        .collect()
}

const MISSING: &str = "bootloader/grub-missing-on-disk";

#[test]
fn the_plan_takes_the_first_source_that_is_good() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    // As grub-install has it: the modules in its order.
    make_core(
        &bench,
        &["ext2", "part_gpt", "diskfilter", "mdraid1x", "biosdisk"],
    );
    let left = bench.path("grub/core.img");
    let with_core = |root: &Path| {
        fs::copy(&left, root.join("boot/grub/i386-pc/core.img")).unwrap();
    };
    let [a, b] = bench.mirror(&server(&bench, "server", with_core));
    let repairs = planned(&[&a, &b], "repairs", MISSING);
    assert_eq!(repairs.len(), 2);
    for (repair, to) in repairs.iter().zip(["a.img", "b.img"]) {
        assert_eq!(repair["loaders"][0]["from"], "/boot/grub/i386-pc");
        assert_eq!(repair["loaders"][0]["to"], to);
        assert_eq!(repair["actions"].as_array().unwrap().len(), 0);
        assert!(repair.get("programs").is_none());
    }
    // One of another system's is none.
    let other = bench.path("other");
    let prefix = PREFIX.replace("a0a0", "b0b0");
    sh(&format!(
        "grub-mkimage -O i386-pc -p '{prefix}' -o {} ext2 biosdisk",
        other.display()
    ));
    let with_other = |root: &Path| {
        fs::copy(&other, root.join("boot/grub/i386-pc/core.img")).unwrap();
    };
    let [a, b] = bench.mirror(&server(&bench, "other-core", with_other));
    let repairs = planned(&[&a, &b], "repairs", MISSING);
    let words = |repair: &serde_json::Value| repair["programs"][0]["words"].clone();
    assert_eq!(
        words(&repairs[1]),
        serde_json::json!([
            "/usr/bin/grub-mkimage",
            "-O",
            "i386-pc",
            "-d",
            GRUB,
            "-o",
            "/boot/grub/i386-pc/core.img",
            "-p",
            PREFIX,
            "ext2",
            "part_gpt",
            "diskfilter",
            "mdraid1x",
            "biosdisk"
        ])
    );
    // Run here, it makes the same as grub-install.
    let made = bench.path("made");
    let words: Vec<String> = serde_json::from_value(words(&repairs[0])).unwrap();
    let words = words.iter().map(|word| match word.as_str() {
        "/boot/grub/i386-pc/core.img" => made.to_str().unwrap().to_owned(),
        word => word.to_owned(),
    });
    let words = shell_words::join(words);
    sh(&words);
    assert_eq!(sha256(&made), sha256(&left));
    // Without the program there is nothing to be done, and it is said what is.
    let without = |root: &Path| fs::remove_file(root.join("usr/bin/grub-mkimage")).unwrap();
    let [a, b] = bench.mirror(&server(&bench, "without", without));
    assert_eq!(planned(&[&a, &b], "repairs", MISSING).len(), 0);
    let why = planned(&[&a, &b], "refused", MISSING)[0]["why"].to_string();
    assert!(why.contains("install --reinstall grub-common"), "{why}");
}

#[test]
fn modules_of_another_build_give_way_to_those_of_the_package() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    make_core(&bench, &MODULES);
    let tampered = |root: &Path| {
        let modules = root.join("boot/grub/i386-pc");
        sh(&format!(
            "cd {}; sed -i s/grub_calloc/grub_Calloc/ normal.mod; rm terminal.mod",
            modules.display()
        ));
    };
    let [a, b] = bench.mirror(&server(&bench, "server", tampered));
    bios_setup(&bench, &a, "");
    bios_setup(&bench, &b, "");
    let repairs = planned(&[&a, &b], "repairs", "bootloader/grub-modules-missing");
    let actions = repairs[0]["actions"].as_array().unwrap().iter();
    let actions: Vec<_> = actions
        .map(|action| (action["action"].clone(), action["path"].clone()))
        .collect();
    let normal = "/boot/grub/i386-pc/normal.mod";
    assert_eq!(
        actions,
        [
            ("quarantine".into(), normal.into()),
            ("copy".into(), normal.into()),
            ("copy".into(), "/boot/grub/i386-pc/terminal.mod".into())
        ]
    );
    // Both cores fit the package: nothing is written to a disk.
    assert!(repairs[0].get("loaders").is_none(), "{}", repairs[0]);
}

/// One disk without an array: GRUB looks for its filesystem by a command.
#[test]
fn a_new_grub_is_made_put_on_the_disk_and_taken_back() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let table =
        format!("label: gpt\nstart=2048, size=2048, type={BIOS_BOOT}\nstart=4096, size=253919\n");
    let disk = bench.disk("a.img", 128, &table);
    let none = |root: &Path| sh(&format!("rm -r {}/boot/grub/i386-pc", root.display()));
    bench.ext4(&disk, 4096, 100_000, Some(&server(&bench, "server", none)));
    let ids = |disk: &Path| {
        let answer = diagnose(&[disk]);
        let ids = answer.ids();
        let own = ids
            .into_iter()
            .filter(|id| id.starts_with("bootloader/grub"));
        own.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ids(&disk), [MISSING]);
    // ext4 counts its mounts: what lies before it is compared.
    let start = || fs::read(&disk).unwrap()[..4096 * 512].to_vec();
    let before = start();
    let path = disk.to_str().unwrap();
    let run = |words: &[&str]| {
        let output = bench::lifeboot(words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code().is_some_and(|code| code != 1), "{text}");
        text
    };
    let said = run(&["repair", "--only", MISSING, "--disk", path]);
    assert!(said.contains("grub-mkimage"), "{said}");
    assert_eq!(ids(&disk), Vec::<String>::new(), "{said}");
    let survey = look(&[&disk]);
    let core = survey.disks[0].grub_core.clone().unwrap();
    assert_eq!(core.prefix.as_deref(), Some("/boot/grub"));
    let config = core.config.unwrap();
    assert!(config.starts_with("search.fs_uuid "), "{config}");
    assert!(core.modules.contains(&"search_fs_uuid".to_owned()));
    let said = run(&["undo", "--yes", "--disk", path]);
    assert_eq!(ids(&disk), [MISSING], "{said}");
    assert!(start() == before);
}
