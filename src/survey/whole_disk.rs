//! A RAID member and a partition table on one disk: which of them counts.
//!
//! Superblocks of 0.90 and 1.0 lie at the end: the same bytes may be seen from
//! the whole disk and from its last partition, and the table of an array shows
//! through on each mirrored disk.

use std::fs::File;
use std::io;

use super::superblock::Superblock;
use super::{Content, Partition, Source};

/// The stretch of each partition in bytes of the disk: start and end.
pub(super) type Stretches = Vec<(u64, u64)>;

/// True when a partition that fits on the disk covers the byte `at`.
pub(super) fn covered(stretches: &Stretches, bytes: u64, at: u64) -> bool {
    // One that ends beyond the disk belongs to a larger array.
    let fits = |end: u64| end <= bytes;
    stretches
        .iter()
        .any(|(start, end)| fits(*end) && (*start..*end).contains(&at))
}

/// True when the partitions count, and `member`, found on the whole disk, is
/// what an earlier use of it left.
pub(super) fn partitions_win(
    member: &Content,
    partitions: &[Partition],
    gpt_is_the_disks: bool,
) -> bool {
    let holds_member = |p: &Partition| matches!(p.content, Content::RaidMember(_));
    let holds_something =
        |p: &Partition| holds_member(p) || matches!(p.content, Content::Signature(_));
    if partitions.is_empty() {
        return false;
    }
    let at_end = match member {
        Content::RaidMember(member) => member.arrays.iter().all(Superblock::at_end),
        _ => true,
    };
    if at_end {
        // The table of an array looks the same. Only a GPT says for how large
        // a disk it was made; and mirrors of mirrors are not built.
        return gpt_is_the_disks || partitions.iter().any(holds_member);
    }
    // At the start, only the member or the table can still be whole.
    partitions.iter().any(holds_something)
}

/// True when a GPT was made for just this disk: its backup lies in the last
/// sector (UEFI specification, table "GPT Header").
///
/// # Errors
/// The disk's.
pub(super) fn gpt_is_the_disks(file: &File, source: &Source, sector: u32) -> io::Result<bool> {
    let sector = u64::from(sector);
    let header = source.read_at(file, sector, 40)?;
    let backup = header.get(32..40).and_then(|raw| raw.try_into().ok());
    let backup = backup.map_or(0, u64::from_le_bytes);
    let last = (source.bytes / sector.max(1)).saturating_sub(1);
    Ok(header.starts_with(b"EFI PART") && backup == last && last > 0)
}
