//! The disks of this machine by sysfs, or the ones named by the operator.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{
    Content, Disk, KernelLog, Partition, Source, Survey, boot_areas, cards, esp, firmware,
    grub_core, health, kernel_log, last_panic, signature, superblock, sysfs, table, whole,
    whole_disk,
};
use crate::sys::node;

/// Names in `/sys/block` that are never a disk of the patient.
const NOT_DISKS: [&str; 10] = [
    "loop",
    "ram",
    "zram",
    "md",
    "dm-",
    "sr",
    "fd",
    "nbd",
    "mtd",
    "mmcblk0boot",
];

/// Surveys every disk that the kernel knows.
///
/// # Errors
/// Only when `/sys/block` cannot be read; a disk that cannot be read is told
/// in the survey itself.
pub fn survey() -> io::Result<Survey> {
    let mut names: Vec<String> = fs::read_dir("/sys/block")
        .map_err(|e| io::Error::new(e.kind(), format!("/sys/block: {e}")))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !NOT_DISKS.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    names.sort();
    let disks = names
        .iter()
        .filter(|name| sysfs::number(name, "size").is_some_and(|sectors| sectors > 0))
        .map(|name| device(name))
        .collect();
    Ok(examined(disks, false))
}

/// Surveys the devices or image files at `paths` and nothing else.
///
/// # Errors
/// A path that cannot be opened, by name.
pub fn survey_of(paths: &[PathBuf]) -> io::Result<Survey> {
    let mut disks = Vec::new();
    for path in paths {
        let (_, source) = whole(path)?;
        let real = fs::canonicalize(path)?;
        let name = real.file_name().unwrap_or_default().to_string_lossy();
        let is_device = Path::new("/sys/block").join(&*name).exists() && real.starts_with("/dev");
        disks.push(if is_device {
            device(&name)
        } else {
            let same = |other: &&PathBuf| other.file_name() == path.file_name();
            let name = match paths.iter().filter(same).count() {
                1 => name.into_owned(),
                // Everything else goes by the name: it has to be one.
                _ => real.display().to_string(),
            };
            look(name, source, &[])
        });
    }
    Ok(examined(disks, true))
}

/// Adds what the disks, the kernel and the machine say besides.
fn examined(mut disks: Vec<Disk>, selected: bool) -> Survey {
    let devices: Vec<usize> = (0..disks.len())
        .filter(|number| kernel_log::Names::of_disk(&disks[*number]).is_some())
        .collect();
    let questions = devices.iter().map(|number| {
        let disk = &disks[*number];
        health::Question {
            name: disk.name.clone(),
            path: disk.source.path.clone(),
            vendor: sysfs::text(&disk.name, "device/vendor"),
        }
    });
    let told = health::ask(questions.collect());
    for (number, health) in devices.into_iter().zip(told) {
        let disk = &mut disks[number];
        // sysfs does not know the serial number of a SATA disk.
        disk.serial = disk.serial.take().or_else(|| health.serial.clone());
        disk.health = Some(health);
    }
    let known: Vec<_> = disks
        .iter()
        .filter_map(kernel_log::Names::of_disk)
        .collect();
    let on_machine = !selected || !known.is_empty();
    Survey {
        kernel_log: if on_machine {
            kernel_log::read(&known, selected)
        } else {
            KernelLog::default()
        },
        cards: on_machine.then(cards::of_machine),
        last_panic: on_machine.then(last_panic::of_machine).flatten(),
        firmware: on_machine.then(firmware::of_machine).flatten(),
        disks,
        selected,
    }
}

/// A disk of the kernel's: identity from sysfs, content from the disk itself.
fn device(name: &str) -> Disk {
    let path = Path::new("/dev").join(name);
    let bytes = sysfs::number(name, "size").unwrap_or(0).saturating_mul(512);
    let source = Source {
        path,
        offset: 0,
        bytes,
    };
    let known = known_partitions(name);
    let mut disk = look(name.to_owned(), source, &known);
    disk.model = sysfs::text(name, "device/model");
    disk.serial = sysfs::serial(name);
    disk.modaliases = modaliases(name);
    disk
}

/// What a disk and the controllers above it call themselves, up to the first
/// one on a PCI bus.
fn modaliases(disk: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(mut place) = fs::canonicalize(Path::new("/sys/block").join(disk).join("device")) else {
        return found;
    };
    while place.starts_with("/sys/devices") {
        let text = fs::read_to_string(place.join("modalias")).unwrap_or_default();
        let text = text.trim();
        if !text.is_empty() {
            found.push(text.to_owned());
        }
        if text.starts_with("pci:") || !place.pop() {
            break;
        }
    }
    found
}

/// Number and node of each partition that the kernel made.
fn known_partitions(disk: &str) -> Vec<(u32, String)> {
    let Ok(entries) = fs::read_dir(Path::new("/sys/block").join(disk)) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let number = fs::read_to_string(entry.path().join("partition")).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((number.trim().parse().ok()?, name))
        })
        .collect()
}

/// What lies on a device that was opened above the disks: an array or mapping.
/// What cannot be read is told in the answer.
pub(crate) fn examine(name: &str, path: &Path) -> Disk {
    let (source, failed) = match whole(path) {
        Ok((_, source)) => (source, None),
        Err(error) => {
            let source = Source {
                path: path.to_owned(),
                offset: 0,
                bytes: 0,
            };
            (source, Some(error))
        }
    };
    let mut seen = look(name.to_owned(), source, &[]);
    if let Some(error) = failed {
        seen.content = Content::unreadable(&error);
    }
    seen
}

fn look(name: String, source: Source, known: &[(u32, String)]) -> Disk {
    let mut disk = Disk::blank(name, source);
    let file = match disk.source.open() {
        Ok(file) => file,
        Err(error) => {
            disk.content = Content::unreadable(&error);
            return disk;
        }
    };
    disk.sector_bytes = node::sector_bytes(&file);
    disk.grub_boot_code = disk
        .source
        .read_at(&file, 0, 440)
        .is_ok_and(|code| code.windows(4).any(|word| word == b"GRUB"));
    disk.grub_core = grub_core::read(&file, &disk.source);
    let table = table::read(&file, &disk.source, disk.sector_bytes);
    disk.table = table.kind;
    disk.table_problem = table.problem;
    disk.table_id = table.id;
    let gap = |end| boot_areas::gap(&file, &disk.source, end);
    disk.gap = table.gap_end.and_then(gap);
    for entry in table.entries {
        let node = known.iter().find(|(number, _)| *number == entry.number);
        let part = disk.source.part(entry.start, entry.bytes);
        let (name, source) = match node {
            Some((_, name)) => {
                let path = Path::new("/dev").join(name);
                (
                    path.display().to_string(),
                    Source {
                        path,
                        offset: 0,
                        ..part
                    },
                )
            }
            None => (format!("{} partition {}", disk.name, entry.number), part),
        };
        let (content, blank) = content_of(&source, false);
        let firmware_looks = entry.purpose == "esp" || content.format() == Some("vfat");
        disk.partitions.push(Partition {
            number: entry.number,
            esp: firmware_looks.then(|| esp::read(&source)),
            name,
            source,
            start: entry.start,
            purpose: entry.purpose,
            uuid: entry.uuid,
            label: entry.label,
            content,
            blank,
        });
    }
    settle(&mut disk, &file);
    disk
}

/// Decides what a disk itself holds, and whether its table counts.
fn settle(disk: &mut Disk, file: &File) {
    let source = disk.source.clone();
    if disk.partitions.is_empty() {
        disk.content = content_of(&source, true).0;
        return;
    }
    let stretch = |p: &Partition| (p.start, p.start.saturating_add(p.source.bytes));
    let stretches: whole_disk::Stretches = disk.partitions.iter().map(stretch).collect();
    let covered = |at| whole_disk::covered(&stretches, source.bytes, at);
    // What cannot be read here was told where the partitions were looked at.
    let Ok(Some(content)) = superblock::probe_disk(file, &source, covered) else {
        return;
    };
    let the_disks = whole_disk::gpt_is_the_disks(file, &source, disk.sector_bytes);
    if whole_disk::partitions_win(&content, &disk.partitions, the_disks.unwrap_or(true)) {
        if let Content::RaidMember(old) = content {
            disk.old_members = old.arrays.into_iter().chain(old.also).collect();
        }
        return;
    }
    disk.table = None;
    disk.table_problem = None;
    disk.table_id = None;
    disk.gap = None;
    disk.partitions = Vec::new();
    disk.content = content;
}

/// What lies on `source`, and whether its first 4 KiB are zeros. Firmware RAID
/// is looked for on whole disks only.
fn content_of(source: &Source, whole: bool) -> (Content, bool) {
    let read = || -> io::Result<(Content, bool)> {
        let file = source.open()?;
        let start = source.read_at(&file, 0, 4096)?;
        let blank = start.iter().all(|byte| *byte == 0);
        // A member of an array comes first: with some formats its filesystem
        // shows through, and a leg must never be taken for the filesystem.
        if let Some(member) = superblock::probe(&file, source, whole)? {
            return Ok((member, blank));
        }
        Ok((signature::content(&file, source)?, blank))
    };
    read().unwrap_or_else(|error| (Content::unreadable(&error), false))
}
