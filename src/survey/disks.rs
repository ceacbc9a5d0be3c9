//! The disks of this machine by sysfs, or the ones named by the operator.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Content, Disk, Partition, Source, Survey, signature, superblock, table, whole};
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
        .filter(|name| sysfs_number(name, "size").is_some_and(|sectors| sectors > 0))
        .map(|name| device(name))
        .collect();
    Ok(Survey {
        disks,
        selected: false,
    })
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
            look(name.into_owned(), source, &[])
        });
    }
    Ok(Survey {
        disks,
        selected: true,
    })
}

/// A disk of the kernel's: identity from sysfs, content from the disk itself.
fn device(name: &str) -> Disk {
    let path = Path::new("/dev").join(name);
    let bytes = sysfs_number(name, "size").unwrap_or(0).saturating_mul(512);
    let source = Source {
        path,
        offset: 0,
        bytes,
    };
    let known = known_partitions(name);
    let mut disk = look(name.to_owned(), source, &known);
    disk.model = sysfs_text(name, "device/model");
    disk.serial = sysfs_text(name, "device/serial").or_else(|| sysfs_text(name, "serial"));
    disk
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

fn look(name: String, source: Source, known: &[(u32, String)]) -> Disk {
    let mut disk = Disk {
        name,
        source,
        sector_bytes: 512,
        model: None,
        serial: None,
        table: None,
        table_problem: None,
        grub_boot_code: false,
        partitions: Vec::new(),
        content: Content::Unknown,
    };
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
    let table = table::read(&file, &disk.source, disk.sector_bytes);
    disk.table = table.kind;
    disk.table_problem = table.problem;
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
        let (content, blank) = content_of(&source);
        disk.partitions.push(Partition {
            number: entry.number,
            name,
            source,
            purpose: entry.purpose,
            uuid: entry.uuid,
            label: entry.label,
            content,
            blank,
        });
    }
    if disk.partitions.is_empty() {
        disk.content = content_of(&disk.source).0;
    }
    disk
}

/// What lies on `source`, and whether its first 4 KiB are zeros.
fn content_of(source: &Source) -> (Content, bool) {
    let read = || -> io::Result<(Content, bool)> {
        let file = source.open()?;
        let start = source.read_at(&file, 0, 4096)?;
        let blank = start.iter().all(|byte| *byte == 0);
        // A member of an array comes first: with some formats its filesystem
        // shows through, and a leg must never be taken for the filesystem.
        if let Some(member) = superblock::probe(&file, source)? {
            return Ok((member, blank));
        }
        Ok(match signature::probe(&file, source)? {
            Some(found) => (Content::Signature(found), blank),
            None => (Content::Unknown, blank),
        })
    };
    read().unwrap_or_else(|error| (Content::unreadable(&error), false))
}

fn sysfs_text(disk: &str, file: &str) -> Option<String> {
    let path = Path::new("/sys/block").join(disk).join(file);
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn sysfs_number(disk: &str, file: &str) -> Option<u64> {
    sysfs_text(disk, file)?.parse().ok()
}
