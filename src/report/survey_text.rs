//! Disks and arrays as a tree.

use super::Page;
use crate::assembly::{Assembly, Standing, State};
use crate::survey::{Content, Disk, Partition, Signature, Survey};
use crate::sysroot::filesystems::{Backing, Filesystem};

/// The picture of the storage.
pub fn survey(survey: &Survey, assembly: &Assembly, filesystems: &[Filesystem]) -> String {
    let mut page = Page::default();
    if survey.disks.is_empty() {
        page.line("No disk is visible. Next: dmesg | grep -i -e nvme -e ata");
    }
    for disk in &survey.disks {
        disk_lines(&mut page, disk);
    }
    for array in &assembly.arrays {
        let state = match &array.state {
            State::Complete => "complete".to_owned(),
            State::Degraded => "degraded".to_owned(),
            State::Diverged => "its members diverged".to_owned(),
            State::Unusable { why } => why.clone(),
        };
        let line = format!(
            "array {}  level {}, {} slots: {state}",
            array.name, array.level, array.raid_disks
        );
        page.line(&line);
        let holds = filesystems.iter().find(|f| match &f.backing {
            Backing::Array { uuid, .. } => *uuid == array.uuid,
            Backing::Plain { .. } => false,
        });
        if let Some(holds) = holds {
            page.item("  ", 4, &format!("holds {}", signature(&holds.signature)));
        }
        for leg in &array.legs {
            let standing = match leg.standing {
                Standing::Fresh { slot } => format!("slot {slot}, current"),
                Standing::Stale { behind } => format!("old, {behind} events behind"),
                Standing::Rebuilding => "partly rebuilt".into(),
                Standing::Spare => "spare".into(),
                Standing::Faulty => "failed".into(),
                Standing::Duplicate => "duplicate".into(),
            };
            let events = leg.superblock.events;
            page.item(
                "  ",
                4,
                &format!("{}  {standing} ({events} events)", leg.name),
            );
        }
    }
    page.finish()
}

fn disk_lines(page: &mut Page, disk: &Disk) {
    let mut line = format!("{}  {}", disk.name, size(disk.source.bytes));
    for extra in [&disk.model, &disk.serial].into_iter().flatten() {
        line.push_str("  ");
        line.push_str(extra);
    }
    if let Some(table) = &disk.table {
        line.push_str(&format!("  ({table})"));
    }
    if disk.grub_boot_code {
        line.push_str("  GRUB boot code");
    }
    page.line(&line);
    if let Some(problem) = &disk.table_problem {
        page.item("  ! ", 4, problem);
    }
    for partition in &disk.partitions {
        partition_line(page, partition);
    }
    if disk.partitions.is_empty() {
        page.item("  ", 4, &content(&disk.content));
    }
}

fn partition_line(page: &mut Page, partition: &Partition) {
    let line = format!(
        "{}  {}  {}  {}",
        partition.name,
        size(partition.source.bytes),
        partition.purpose,
        content(&partition.content)
    );
    page.item("  ", 4, &line);
}

fn content(content: &Content) -> String {
    match content {
        Content::Unknown => "nothing known on it".into(),
        Content::Signature(found) => signature(found),
        Content::RaidMember(superblock) => {
            format!("RAID member {} of {}", superblock.version, superblock.name)
        }
        Content::RaidUnusable { why } | Content::Unreadable { why, .. } => why.clone(),
    }
}

fn signature(found: &Signature) -> String {
    let mut text = found.format.clone();
    for extra in [&found.label, &found.uuid].into_iter().flatten() {
        text.push(' ');
        text.push_str(extra);
    }
    if found.dirty {
        text.push_str(" (journal not replayed)");
    }
    if found.errors {
        text.push_str(" (has errors)");
    }
    text
}

/// A size in the units that disks are sold by.
fn size(bytes: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
    ];
    for (unit, name) in units {
        if bytes >= unit {
            return format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10));
        }
    }
    format!("{} kB", bytes / 1000)
}
