//! Asks the disks, all at once, and waits for none for long.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Health, ata, nvme, scsi};
use crate::sys::node;
use crate::sys::nvme::LogPage;
use crate::sys::scsi::Ata;

/// How long all disks together may take. One that dropped off the bus keeps
/// its thread until the driver gives up, which may be minutes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A disk to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// `sda`.
    pub name: String,
    /// Its node.
    pub path: PathBuf,
    /// What sysfs says in `device/vendor`.
    pub vendor: Option<String>,
}

/// What each of `disks` says, in their order.
pub(crate) fn ask(disks: Vec<Question>) -> Vec<Health> {
    let (sender, receiver) = mpsc::channel();
    let mut told: Vec<Option<Health>> = vec![None; disks.len()];
    for (number, disk) in disks.into_iter().enumerate() {
        let sender = sender.clone();
        // A thread that cannot be started leaves its disk unasked.
        let _ = std::thread::Builder::new().spawn(move || {
            let _ = sender.send((number, answer(&disk)));
        });
    }
    drop(sender);
    let end = Instant::now() + PATIENCE;
    while let Ok((number, health)) =
        receiver.recv_timeout(end.saturating_duration_since(Instant::now()))
    {
        told[number] = Some(health);
    }
    let silent = || Health::not_told(format!("no answer in {} seconds", PATIENCE.as_secs()));
    told.into_iter()
        .map(|health| health.unwrap_or_else(silent))
        .collect()
}

fn answer(disk: &Question) -> Health {
    let known = |result: io::Result<Health>| {
        result.unwrap_or_else(|error| Health::not_told(error.to_string()))
    };
    match Kind::of(&disk.name, disk.vendor.as_deref()) {
        Kind::Nvme => known(of_nvme(&disk.path)),
        Kind::Ata => known(of_ata(&disk.path)),
        Kind::Scsi => known(of_scsi(&disk.path)),
        Kind::Silent => Health::not_told("this kind of disk has no health report"),
    }
}

/// How a disk is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Nvme,
    Ata,
    Scsi,
    Silent,
}

impl Kind {
    /// By the names that the kernel gives. libata calls its disks' vendor
    /// "ATA"; USB bridges and RAID controllers have names of their own.
    pub(super) fn of(name: &str, vendor: Option<&str>) -> Self {
        match vendor {
            _ if name.starts_with("nvme") => Self::Nvme,
            Some("ATA") if name.starts_with("sd") => Self::Ata,
            _ if name.starts_with("sd") => Self::Scsi,
            _ => Self::Silent,
        }
    }
}

fn of_nvme(path: &Path) -> io::Result<Health> {
    let disk = open(path)?;
    let mut health = Health::default();
    let page = crate::sys::nvme::log_page(&disk, LogPage::Health, nvme::HEALTH_BYTES)?;
    if !nvme::health(&page, &mut health) {
        return Err(cut_off());
    }
    // The rest only adds to what is known by now.
    if let Ok(identity) = crate::sys::nvme::identify_controller(&disk) {
        nvme::identity(&identity, &mut health);
        let bytes = nvme::errors_to_read(&identity) * nvme::ERROR_BYTES;
        if let Ok(page) = crate::sys::nvme::log_page(&disk, LogPage::Errors, bytes) {
            health.latest_errors = nvme::errors(&page);
        }
    }
    Ok(health)
}

fn of_ata(path: &Path) -> io::Result<Health> {
    let disk = open(path)?;
    let mut health = Health::default();
    let identity = crate::sys::scsi::ata(&disk, Ata::Identify)?;
    match ata::identity(&identity, &mut health).ok_or_else(cut_off)? {
        ata::Smart::On => {}
        // Switching it on would change the disk.
        ata::Smart::Off => health.unreadable = Some("SMART is switched off in it".into()),
        ata::Smart::None => health.unreadable = Some("it has no SMART".into()),
    }
    if health.unreadable.is_some() {
        return Ok(health);
    }
    let values = crate::sys::scsi::ata(&disk, Ata::SmartData).and_then(|data| {
        let limits = crate::sys::scsi::ata(&disk, Ata::SmartThresholds)?;
        if ata::attributes(&data, &limits, &mut health) {
            Ok(())
        } else {
            Err(io::Error::other("its SMART values have a wrong checksum"))
        }
    });
    match crate::sys::scsi::smart_passed(&disk) {
        Ok(passed) => health.passed = Some(passed),
        // The values tell as well; without both, nothing is known.
        Err(error) if values.is_err() => return Err(error),
        Err(_) => {}
    }
    if ata::has_logs(&identity) {
        health.worn_percent = endurance(&disk);
    }
    Ok(health)
}

/// The share of its life that a SATA SSD has used, where it keeps statistics.
fn endurance(disk: &File) -> Option<u8> {
    let log = |address, page| crate::sys::scsi::ata(disk, Ata::Log { address, page }).ok();
    let pages = ata::log_pages(&log(0, 0)?, ata::STATISTICS_LOG);
    if pages <= u16::from(ata::ENDURANCE_PAGE) {
        return None;
    }
    ata::endurance(&log(ata::STATISTICS_LOG, ata::ENDURANCE_PAGE)?)
}

fn of_scsi(path: &Path) -> io::Result<Health> {
    let disk = open(path)?;
    let mut health = Health::default();
    let page = crate::sys::scsi::log_sense(&disk, scsi::EXCEPTIONS_PAGE)?;
    if scsi::exceptions(&page, &mut health) {
        Ok(health)
    } else {
        Err(cut_off())
    }
}

fn open(path: &Path) -> io::Result<File> {
    node::open_disk(path)
}

fn cut_off() -> io::Error {
    io::Error::other("its answer is cut off")
}
