//! The cases of `tests/hardware.rs`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cpio::Archive;
use super::legs::Legs;
use super::qemu::{Bus, Direct, Drive, Machine, PATIENCE};
use super::report::Report;
use super::rescue::{Rescue, Session};
use super::suite::Suite;
use super::{LIFEBOOT, base, disks, run};

/// Size of a disk without a system.
const SMALL_MIB: u64 = 64;

/// Spare blocks below the threshold, reliability degraded.
const SPARE_AND_RELIABILITY: u8 = 0b101;

/// Temperature alone.
const HEAT: u8 = 0b010;

/// A rescue image and a folder of one case.
struct Lab {
    rescue: Rescue,
    work: PathBuf,
}

impl Lab {
    fn new(work: &Path) -> Result<Self> {
        Ok(Self {
            rescue: Rescue::build(Suite::Bookworm, Path::new(LIFEBOOT), work)?,
            work: work.to_owned(),
        })
    }

    /// The two disks of a healthy server.
    fn server(&self) -> Result<Legs> {
        disks::healthy(Suite::Bookworm)?.copy_to(&self.work)
    }

    /// A small disk with a partition table and an ext4 filesystem.
    fn small(&self, name: &str) -> Result<PathBuf> {
        let path = self.work.join(name);
        File::create(&path)
            .and_then(|file| file.set_len(SMALL_MIB << 20))
            .with_context(|| format!("creating {}", path.display()))?;
        let mut table = Command::new("sgdisk");
        table.args(["--new=1:1M:0", "--typecode=1:8300"]).arg(&path);
        run::output("partitioning a disk", &mut table)?;
        let mut filesystem = Command::new("mkfs.ext4");
        filesystem.args(["-q", "-F", "-E", "offset=1048576"]);
        filesystem.arg(&path).arg("60m");
        run::output("making a filesystem", &mut filesystem)?;
        Ok(path)
    }

    /// A rescue session that must leave every bit of `images` as it is.
    fn session(
        &self,
        images: &[PathBuf],
        drives: Vec<Drive>,
        commands: &[&str],
    ) -> Result<Session> {
        let before = digests(images)?;
        let session = self
            .rescue
            .run_with(drives, commands, &self.work, "rescue")?;
        let after = digests(images)?;
        ensure!(
            before == after,
            "SHA-256 before {before:?}, after {after:?}"
        );
        Ok(session)
    }
}

fn digests(images: &[PathBuf]) -> Result<Vec<String>> {
    let digest = |image: &PathBuf| {
        let mut openssl = Command::new("openssl");
        run::output(
            "hashing",
            openssl.args(["dgst", "-sha256", "-r"]).arg(image),
        )
    };
    images.iter().map(digest).collect()
}

/// Each JSON value that a session printed.
fn values(session: &Session) -> Result<Vec<Value>> {
    let values = serde_json::Deserializer::from_str(&session.output).into_iter();
    values
        .collect::<Result<_, _>>()
        .with_context(|| format!("reading JSON, console in {}", session.log.display()))
}

/// The ids of the findings, sorted, and the verdict.
fn answer(report: &Value) -> Result<(Vec<String>, String)> {
    let report: Report = serde_json::from_value(report.clone()).context("reading a report")?;
    let ids = report.ids().into_iter().map(str::to_owned).collect();
    Ok((ids, report.verdict.kind))
}

fn expect_answer(report: &Value, ids: &[&str], verdict: &str) -> Result<()> {
    let (found, kind) = answer(report)?;
    ensure!(
        found == ids && kind == verdict,
        "expected {verdict} and {ids:?}, found {kind} and {found:?}"
    );
    Ok(())
}

/// The health of disk `number` in a survey.
fn health(survey: &Value, number: usize) -> &Value {
    &survey["survey"]["disks"][number]["health"]
}

/// Two healthy NVMe disks: health is read, and nothing is found.
pub fn healthy(work: &Path) -> Result<()> {
    let lab = Lab::new(work)?;
    let images = lab.server()?.disks();
    let drives = images.iter().map(|image| Drive::new(image, Bus::Nvme));
    let session = lab.session(
        &images,
        drives.collect(),
        &["survey --json --read-test", "diagnose --json"],
    )?;
    ensure!(session.exit_codes == [0, 0], "{:?}", session.exit_codes);
    let values = values(&session)?;
    for number in 0..2 {
        let told = health(&values[0], number);
        ensure!(told["unreadable"].is_null(), "{told}");
        ensure!(
            told["warnings"].as_array().is_some_and(Vec::is_empty),
            "{told}"
        );
        ensure!(told["worn_percent"] == 0, "{told}");
        ensure!(told["serial"] == format!("lab{number}"), "{told}");
        ensure!(told["temperature"].as_i64().is_some(), "{told}");
        let read = &values[0]["read_test"]["disks"][number];
        ensure!(read["ended"] == true, "{read}");
        ensure!(read["done_bytes"] == 258 << 20, "{read}");
        ensure!(
            read["errors"].as_array().is_some_and(Vec::is_empty),
            "{read}"
        );
    }
    expect_answer(&values[1], &[], "boots")
}

/// A disk that warns of itself, and one that is merely hot.
pub fn critical_warning(work: &Path) -> Result<()> {
    let lab = Lab::new(work)?;
    let images = lab.server()?.disks();
    let drives = vec![
        Drive::new(&images[0], Bus::Nvme).critical_warning(SPARE_AND_RELIABILITY),
        Drive::new(&images[1], Bus::Nvme).critical_warning(HEAT),
    ];
    let session = lab.session(&images, drives, &["diagnose --json", "survey"])?;
    ensure!(session.exit_codes == [30, 0], "{:?}", session.exit_codes);
    let (report, text) = Report::first(&session.output)?;
    ensure!(
        report.ids() == ["hardware/disk-failing", "hardware/disk-overheating"],
        "{:?}",
        report.ids()
    );
    ensure!(
        report.verdict.kind == "hardware-first",
        "{}",
        report.verdict.kind
    );
    ensure!(text.contains("health: FAILING: its spare blocks"), "{text}");
    ensure!(text.contains("TOO HOT"), "{text}");
    Ok(())
}

/// Sectors that cannot be read: the read test names them, and the diagnosis
/// that meets one says hardware-first.
pub fn bad_sectors(work: &Path) -> Result<()> {
    let lab = Lab::new(work)?;
    let images = [lab.small("a.img")?, lab.small("b.img")?];
    // The start of the partition, and two places that only the test reads.
    let drives = vec![
        Drive::new(&images[0], Bus::Nvme)
            .bad_sector(40_001)
            .bad_sector(99_999),
        Drive::new(&images[1], Bus::Nvme).bad_sector(2050),
    ];
    let commands = ["survey --json --read-test=full", "diagnose --json"];
    let session = lab.session(&images, drives, &commands)?;
    ensure!(session.exit_codes == [30, 30], "{:?}", session.exit_codes);
    let values = values(&session)?;
    let offsets = |number: usize| -> Vec<u64> {
        let errors = values[0]["read_test"]["disks"][number]["errors"].as_array();
        let offsets = errors.into_iter().flatten();
        offsets
            .filter_map(|error| error["offset"].as_u64())
            .collect()
    };
    let block = |sector: u64| sector / 8 * 4096;
    ensure!(
        offsets(0) == [block(40_001), block(99_999)],
        "{:?}",
        offsets(0)
    );
    ensure!(offsets(1) == [block(2050)], "{:?}", offsets(1));
    let read = &values[0]["read_test"]["disks"][0];
    ensure!(read["done_bytes"] == SMALL_MIB << 20, "{read}");
    let (ids, verdict) = answer(&values[1])?;
    for id in ["hardware/disk-unreadable", "hardware/disk-io-errors"] {
        ensure!(ids.iter().any(|found| found == id), "{id} not in {ids:?}");
    }
    ensure!(verdict == "hardware-first", "{verdict}");
    Ok(())
}

/// A bad sector under a file that the diagnosis reads, on the only disk left:
/// nothing but the kernel's log tells of it.
pub fn bad_sector_in_a_file(work: &Path) -> Result<()> {
    let lab = Lab::new(work)?;
    let legs = lab.server()?;
    let mounted = legs.look(&lab.work.join("mnt"))?;
    let block = first_block(&mounted.path().join("var/lib/dpkg/status"))?;
    mounted.unmount()?;
    let sector = legs.data_area()?.offset / 512 + block;
    let images = &legs.disks()[..1];
    let drive = Drive::new(&images[0], Bus::Nvme).bad_sector(sector);
    let session = lab.session(images, vec![drive], &["diagnose --json"])?;
    ensure!(session.exit_codes == [30], "{:?}", session.exit_codes);
    let (ids, verdict) = answer(&values(&session)?[0])?;
    ensure!(
        ids.iter().any(|id| id == "hardware/disk-io-errors"),
        "{ids:?}"
    );
    ensure!(
        !ids.iter().any(|id| id == "hardware/disk-unreadable"),
        "{ids:?}"
    );
    ensure!(verdict == "hardware-first", "{verdict}");
    Ok(())
}

/// Where a file begins on its filesystem, in sectors of 512 bytes.
fn first_block(file: &Path) -> Result<u64> {
    let mut filefrag = Command::new("filefrag");
    let text = run::output("finding a file", filefrag.args(["-v", "-b512"]).arg(file))?;
    let first = text
        .lines()
        .find(|line| line.trim_start().starts_with("0:"));
    let start = first.and_then(|line| {
        line.split(':')
            .nth(2)?
            .split("..")
            .next()?
            .trim()
            .parse()
            .ok()
    });
    start.with_context(|| format!("no extent in: {text}"))
}

/// ATA disks give their SMART status; a disk that has no health report is
/// unknown and no finding.
pub fn sata_and_scsi(work: &Path) -> Result<()> {
    let lab = Lab::new(work)?;
    let images = [lab.small("a.img")?, lab.small("b.img")?];
    let drives = vec![
        Drive::new(&images[0], Bus::Ata).serial("SATADISK"),
        Drive::new(&images[1], Bus::Scsi).serial("SCSIDISK"),
    ];
    let session = lab.session(&images, drives, &["survey --json", "diagnose --json"])?;
    let values = values(&session)?;
    let disks = values[0]["survey"]["disks"]
        .as_array()
        .context("no disks")?;
    let disk = |serial: &str| disks.iter().find(|disk| disk["serial"] == serial);
    let ata = disk("SATADISK").with_context(|| format!("no SATA disk in {disks:?}"))?;
    ensure!(ata["health"]["passed"] == true, "{ata}");
    ensure!(ata["health"]["unreadable"].is_null(), "{ata}");
    ensure!(ata["health"]["temperature"].as_i64().is_some(), "{ata}");
    ensure!(disks.len() == 2, "{disks:?}");
    let scsi = disks.iter().find(|disk| disk["health"]["passed"].is_null());
    let scsi = scsi.with_context(|| format!("no SCSI disk in {disks:?}"))?;
    let why = scsi["health"]["unreadable"].as_str();
    ensure!(why.is_some_and(|why| why.contains("refused")), "{scsi}");
    let (ids, _) = answer(&values[1])?;
    ensure!(!ids.iter().any(|id| id.starts_with("hardware/")), "{ids:?}");
    Ok(())
}

/// Two disks with one serial number: the kernel gives the second controller
/// up, as it does with one that fails. The server is told to be degraded, and
/// why.
pub fn dropped_out(work: &Path) -> Result<()> {
    let lab = Lab::new(work)?;
    let images = lab.server()?.disks();
    let drives = images
        .iter()
        .map(|image| Drive::new(image, Bus::Nvme).serial("twins"));
    let session = lab.session(&images, drives.collect(), &["diagnose --json"])?;
    let values = values(&session)?;
    let expected = [
        "hardware/disk-dropped-out",
        "storage/absent-member-expected",
        "storage/array-degraded",
    ];
    let log = &values[0]["survey"]["kernel_log"]["disks"][0];
    ensure!(log["present"] == false, "{log}");
    ensure!(log["dropouts"].as_u64() > Some(0), "{log}");
    expect_answer(&values[0], &expected, "boots")
}

/// Memory that the kernel leaves to ramoops, where the script looks for it.
const RESERVED: &str = "nokaslr memmap=0x100000$0x10000000";

const PANIC_AND_LOOK: &str = include_str!("panic-and-look.sh");

/// A kernel panics, and the next one has its last words: read from pstore that
/// is not mounted, and left there.
pub fn panic_in_pstore(work: &Path) -> Result<()> {
    let root = base::root(Suite::Bookworm)?;
    let kernel = base::kernel(&root)?;
    let modules = root
        .join("usr/lib/modules")
        .join(&kernel.release)
        .join("kernel");
    let mut archive = Archive::new(Vec::new());
    archive.program("lab-init", PANIC_AND_LOOK.as_bytes())?;
    archive.folder("lab")?;
    archive.program("lab/lifeboot", &fs::read(LIFEBOOT)?)?;
    for module in ["lib/reed_solomon/reed_solomon.ko", "fs/pstore/ramoops.ko"] {
        let file = modules.join(module);
        let name = file.file_name().and_then(|name| name.to_str());
        let content = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        archive.file(&format!("lab/{}", name.context("no name")?), &content)?;
    }
    let mut initramfs = archive.finish()?;
    initramfs.resize(initramfs.len().next_multiple_of(512), 0);
    initramfs.extend(fs::read(&kernel.initramfs)?);
    let path = work.join("panic.initramfs");
    fs::write(&path, initramfs).with_context(|| format!("writing {}", path.display()))?;
    let machine = Machine::with_drives(Vec::new()).with_resets();
    let running = machine
        .direct(Direct {
            kernel: kernel.image,
            initramfs: path,
            command_line: format!("console=ttyS0 panic=-1 rdinit=/lab-init {RESERVED}"),
        })
        .start(work, "panic")?;
    let data = running.data.clone();
    let console = running.power_off_in_the_end(PATIENCE)?;
    ensure!(console.contains("LAB-DONE"), "see {}", work.display());
    let survey: Value = serde_json::from_slice(&fs::read(&data)?).context("reading the survey")?;
    let panic = &survey["survey"]["last_panic"];
    let what = panic["what"].as_str().unwrap_or_default();
    ensure!(
        what.starts_with("Kernel panic - not syncing: sysrq triggered crash"),
        "{panic}"
    );
    let source = panic["source"].as_str().unwrap_or_default();
    ensure!(
        source.starts_with("/sys/fs/pstore/dmesg-ramoops-"),
        "{panic}"
    );
    Ok(())
}
