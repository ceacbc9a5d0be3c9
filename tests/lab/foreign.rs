//! Lifeboot as one file copied into somebody else's rescue system, where mdadm
//! has already started the array.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::boot::Expect;
use super::case::Case;
use super::cpio::Archive;
use super::machine_level::{Patient, expect_boot};
use super::qemu::{Direct, Machine};
use super::report::Report;
use super::suite::Suite;
use super::{LIFEBOOT, base};

const SCRIPT: &str = include_str!("foreign-rescue.sh");
const PATIENCE: Duration = Duration::from_secs(300);

/// Diagnoses and repairs the server of `case`, then boots it.
pub fn run(case: &Case, with_loop: bool, work: &Path) -> Result<()> {
    let word = if with_loop { "yes" } else { "no" };
    let patient = Patient::of(case, work)?;
    let root = base::root(Suite::Bookworm)?;
    let kernel = base::kernel(&root)?;

    let mut archive = Archive::new(Vec::new());
    archive.program("lab-init", SCRIPT.as_bytes())?;
    archive.program("lifeboot", &read(Path::new(LIFEBOOT))?)?;
    let mut image = archive.finish()?;
    image.extend(read(&kernel.initramfs)?);
    let initramfs = work.join("foreign.initramfs");
    fs::write(&initramfs, image).with_context(|| format!("writing {}", initramfs.display()))?;

    let running = Machine::with_disks(&patient.disks())
        .direct(Direct {
            kernel: kernel.image,
            initramfs,
            // Unknown NAME=VALUE words become the environment of the script.
            command_line: format!("console=ttyS0 quiet panic=-1 rdinit=/lab-init with_loop={word}"),
        })
        .start(work, "foreign-rescue")?;
    let data = running.data.clone();
    let console = running.power_off(PATIENCE).context("the foreign rescue")?;
    let log = work.join("foreign-rescue.log");
    for mark in ["LAB-DIAGNOSED 10", "LAB-REPAIRED 0", "LAB-DONE"] {
        ensure!(console.contains(mark), "no {mark:?} in {}", log.display());
    }
    if with_loop {
        for mark in ["LAB-OPENED", "LAB-STOPPED 143", "LAB-CLEAN"] {
            ensure!(console.contains(mark), "no {mark:?} in {}", log.display());
        }
    }
    let text = String::from_utf8_lossy(&read(&data)?).into_owned();
    let how = if with_loop {
        "\"md-without-metadata\""
    } else {
        "\"adopted\""
    };
    ensure!(
        text.contains(how),
        "not opened {how}, see {}",
        data.display()
    );
    let (report, _) = Report::first(&text)?;
    let expected = case.machine.as_ref().context("no machine level")?;
    report.expect(&expected.findings, &expected.verdict, 10)?;
    expect_boot(
        Expect::Login,
        &patient.boot("boot-after")?,
        "after the repair",
    )
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}
