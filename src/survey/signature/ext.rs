//! ext2, ext3 and ext4 (`fs/ext4/ext4.h`).

use super::{Life, Signature, magic, text, u16_at, u32_at, uuid_at};

const SB: usize = 1024;

pub(super) fn recognise(head: &[u8]) -> Option<Signature> {
    if !magic(head, SB + 0x38, &[0x53, 0xEF]) {
        return None;
    }
    let state = u16_at(head, SB + 0x3A)?;
    let compat = u32_at(head, SB + 0x5C)?;
    let incompat = u32_at(head, SB + 0x60)?;
    let ro_compat = u32_at(head, SB + 0x64)?;
    // has_journal; and the features that ext3 does not know.
    let journal = compat & 4 != 0;
    let newer = incompat & !(0x2 | 0x4 | 0x10) != 0 || ro_compat & !0x7 != 0;
    // EXT4_FEATURE_INCOMPAT_JOURNAL_DEV: the journal of another filesystem.
    let only_a_journal = incompat & 0x8 != 0;
    let format = match (only_a_journal, journal, newer) {
        (true, _, _) => "jbd",
        (_, _, true) => "ext4",
        (_, true, false) => "ext3",
        (_, false, false) => "ext2",
    };
    Some(Signature {
        format: format.into(),
        uuid: uuid_at(head, SB + 0x68),
        label: text(head, SB + 0x78, 16),
        incompat: Some(incompat),
        dirty: incompat & 4 != 0,
        // s_journal_inum and s_journal_dev
        external_journal: journal
            && !only_a_journal
            && u32_at(head, SB + 0xE0)? == 0
            && u32_at(head, SB + 0xE4)? != 0,
        // s_last_orphan; EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT
        orphans: u32_at(head, SB + 0xE8)? != 0 || ro_compat & 0x1_0000 != 0,
        errors: state & 2 != 0,
        life: Some(Life {
            created: time(head, 0x108, 0x276),
            written: time(head, 0x30, 0x274),
            mounted: time(head, 0x2C, 0x275),
            mounts: u16_at(head, SB + 0x34),
            mounted_on: text(head, SB + 0x88, 64),
            error_count: u32_at(head, SB + 0x194).unwrap_or(0),
        }),
        ..Signature::default()
    })
}

/// A time, and the byte with its higher bits; 0 is none.
fn time(head: &[u8], low: usize, high: usize) -> Option<u64> {
    let low = u64::from(u32_at(head, SB + low)?);
    let high = u64::from(*head.get(SB + high)?);
    Some(high << 32 | low).filter(|time| *time > 0)
}
