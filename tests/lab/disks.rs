//! Machines: two NVMe disks with a mirrored root that boot from firmware.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::base::{Kernel, Kind};
use super::cpio::Archive;
use super::legs::Legs;
use super::qemu::{Direct, Machine};
use super::suite::Suite;
use super::{base, cache, progress, run};

/// Room for the server, a half-done upgrade of it and its packages.
const DISK_MIB: u64 = 2048;

const CREATE_ARRAY: &str = include_str!("create-array.sh");
const INSTALL_GRUB: &str = include_str!("install-grub.sh");

/// The disks of a healthy `suite` server, made when they are not cached.
pub fn healthy(suite: Suite) -> Result<Legs> {
    of(suite, Kind::Usual)
}

/// The disks of a healthy `suite` server of this kind.
pub fn of(suite: Suite, kind: Kind) -> Result<Legs> {
    let root = base::root_of(suite, kind)?;
    let starter = base::kernel(&base::root(suite)?)?;
    let root_name = root.display().to_string();
    let size = DISK_MIB.to_string();
    let inputs = [root_name.as_str(), CREATE_ARRAY, INSTALL_GRUB, &size];
    let entry = cache::entry(&format!("disks-{suite}"), &inputs, |dir| {
        build(&root, kind, &starter, dir)
    })?;
    Ok(Legs::in_folder(&entry))
}

/// `starter` is a kernel whose initramfs has mdadm and starts the array.
fn build(root: &Path, kind: Kind, starter: &Kernel, dir: &Path) -> Result<()> {
    let legs = Legs::in_folder(dir);
    for disk in legs.disks() {
        partition(&disk)?;
    }
    progress::step("  mdadm makes the array in a virtual machine", || {
        create_array(starter, dir, &legs)
    })?;
    progress::step("  filling the root filesystem", || {
        fill(root, kind, dir, &legs)
    })?;
    progress::step("  the server installs GRUB on both disks", || {
        install_grub(starter, dir, &legs)
    })
}

fn partition(disk: &Path) -> Result<()> {
    File::create(disk)
        .and_then(|file| file.set_len(DISK_MIB << 20))
        .with_context(|| format!("creating {}", disk.display()))?;
    run::output(
        "partitioning a disk",
        Command::new("sgdisk")
            .args(["--new=1:1M:+1M", "--typecode=1:ef02"])
            .args(["--new=2:2M:0", "--typecode=2:fd00"])
            .arg(disk),
    )?;
    Ok(())
}

/// The Debian initramfs has mdadm; only its `/init` is another one here.
fn create_array(kernel: &Kernel, dir: &Path, legs: &Legs) -> Result<()> {
    let mut script = Archive::new(Vec::new());
    script.program("lab-init", CREATE_ARRAY.as_bytes())?;
    let mut initramfs = script.finish()?;
    let debian = &kernel.initramfs;
    initramfs.extend(fs::read(debian).with_context(|| format!("reading {}", debian.display()))?);
    let path = dir.join("create-array.initramfs");
    fs::write(&path, initramfs).with_context(|| format!("writing {}", path.display()))?;

    run_once(
        legs,
        dir,
        "create-array",
        Direct {
            kernel: kernel.image.clone(),
            initramfs: path.clone(),
            // Unknown NAME=VALUE words become the environment of the script.
            command_line: format!(
                "console=ttyS0 panic=-1 rdinit=/lab-init array_uuid={}",
                base::ARRAY_UUID
            ),
        },
    )?;
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
}

fn fill(root: &Path, kind: Kind, dir: &Path, legs: &Legs) -> Result<()> {
    let area = legs.data_area()?;
    let script = format!(
        "device=$(losetup --find --show --offset={} --sizelimit={} {})\n\
         trap 'losetup --detach \"$device\"' EXIT\n\
         {} -L root \"$device\"",
        area.offset,
        area.length,
        legs.disks()[0].display(),
        kind.mkfs()
    );
    run::shell("making the root filesystem", dir, &script)?;
    legs.change(&dir.join("mnt"), |patient| {
        run::output(
            "copying the base root",
            Command::new("cp")
                .args(["--archive", "-T"])
                .arg(root)
                .arg(patient),
        )?;
        let script = patient.join("lab-install-grub");
        fs::write(&script, INSTALL_GRUB)?;
        run::output(
            "making it a program",
            Command::new("chmod").arg("755").arg(&script),
        )?;
        Ok(())
    })
}

fn install_grub(kernel: &Kernel, dir: &Path, legs: &Legs) -> Result<()> {
    run_once(
        legs,
        dir,
        "install-grub",
        Direct {
            kernel: kernel.image.clone(),
            initramfs: kernel.initramfs.clone(),
            command_line: format!(
                "console=ttyS0 panic=-1 root=UUID={} ro init=/lab-install-grub",
                base::ROOT_UUID
            ),
        },
    )?;
    legs.change(&dir.join("mnt"), |patient| {
        fs::remove_file(patient.join("lab-install-grub")).context("removing the GRUB script")
    })
}

/// Boots a kernel with a script that says `LAB-DONE` when it succeeded.
fn run_once(legs: &Legs, dir: &Path, name: &str, direct: Direct) -> Result<()> {
    let machine = Machine::with_disks(&legs.disks()).direct(direct);
    let console = machine
        .start(dir, name)?
        .power_off(Duration::from_secs(180))
        .with_context(|| format!("running {name}"))?;
    if !console.contains("LAB-DONE") {
        bail!(
            "{name} failed in its virtual machine, see {}",
            dir.join(format!("{name}.log")).display()
        );
    }
    Ok(())
}
