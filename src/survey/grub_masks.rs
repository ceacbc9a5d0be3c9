//! Which features of a filesystem a driver of GRUB refuses, read from its code.
//!
//! A driver compares the features of the superblock with those that it knows
//! (GRUB 2.12: `EXT2_DRIVER_SUPPORTED_INCOMPAT` and
//! `EXT4_DRIVER_IGNORED_INCOMPAT` in `grub-core/fs/ext2.c`,
//! `XFS_SB_FEAT_INCOMPAT_SUPPORTED` in `grub-core/fs/xfs.c`). On x86 that is one
//! instruction with the others as its number. Distributions add to the known
//! ones without a change of the version, so the code is asked and not a table.

/// Features that every GRUB since 1.99 knows of ext: filetype, extents, flex_bg.
const EXT_KNOWN: u32 = 0x2 | 0x40 | 0x200;

/// Features that none can know, because they change what a directory or a block
/// is: compression, journal_dev, ea_inode, dirdata.
const EXT_UNKNOWN: u32 = 0x1 | 0x8 | 0x400 | 0x1000;

/// Bits beyond those that exist.
const EXT_BEYOND: u32 = 0xFFF0_0000;

/// Features that every GRUB since 2.02 knows of xfs: ftype, sparse inodes.
const XFS_KNOWN: u32 = 0x1 | 0x2;

/// Bits beyond those that exist, by far.
const XFS_BEYOND: u32 = 0xFFFF_FF00;

/// What GRUB's `ext2` refuses of `s_feature_incompat`; 0 when that is not clear.
pub(super) fn ext(code: &[u8]) -> u32 {
    let asks = EXT_UNKNOWN | EXT_BEYOND;
    only(tested(code).filter(|mask| mask & asks == asks && mask & EXT_KNOWN == 0))
}

/// What GRUB's `xfs` refuses of `sb_features_incompat`; 0 when that is not
/// clear. The superblock has it with the highest byte first.
pub(super) fn xfs(code: &[u8]) -> u32 {
    let masks = tested(code).map(u32::swap_bytes);
    only(masks.filter(|mask| mask & XFS_BEYOND == XFS_BEYOND && mask & XFS_KNOWN == 0))
}

/// The one number of all; 0 when there are several or none.
fn only(masks: impl Iterator<Item = u32>) -> u32 {
    let mut masks = masks;
    match masks.next() {
        Some(first) if masks.all(|mask| mask == first) => first,
        _ => 0,
    }
}

/// Numbers that something is masked with: TEST and AND with 32 bits (Intel 64
/// and IA-32 Architectures Software Developer's Manual, volume 2).
fn tested(code: &[u8]) -> impl Iterator<Item = u32> + '_ {
    (0..code.len()).filter_map(|at| {
        let number = at + 1 + operand(code, at)?;
        let bytes = code.get(number..number + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    })
}

/// Bytes between the opcode at `at` and its number; none for another opcode.
fn operand(code: &[u8], at: usize) -> Option<usize> {
    let extension = match code[at] {
        // TEST EAX, AND EAX
        0xA9 | 0x25 => return Some(0),
        // TEST r/m32
        0xF7 => 0,
        // AND r/m32
        0x81 => 4,
        _ => return None,
    };
    let operand = *code.get(at + 1)?;
    if (operand >> 3) & 7 != extension {
        return None;
    }
    let (mode, base) = (operand >> 6, operand & 7);
    let sib = usize::from(mode != 3 && base == 4);
    Some(match mode {
        0 if base == 5 => 5,
        0 => 1 + sib,
        1 => 2 + sib,
        2 => 5 + sib,
        _ => 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_behind_each_kind_of_operand() {
        let ways: [&[u8]; 6] = [
            &[0xA9],
            &[0x25],
            &[0xF7, 0xC1],
            &[0xF7, 0x43, 0x60],
            &[0x81, 0xA4, 0x24, 0xD8, 0, 0, 0],
            &[0xF7, 0x83, 0xD8, 0, 0, 0],
        ];
        for way in ways {
            let number = 0xFFFE_9C29_u32.to_le_bytes();
            let code = [&[0x90, 0x55], way, &number, &[0x75, 0x10]].concat();
            assert_eq!(ext(&code), 0xFFFE_9C29, "{way:x?}");
            let cut = &code[..code.len() - 3];
            assert_eq!(ext(cut), 0, "{way:x?}");
        }
    }

    #[test]
    fn two_numbers_are_no_answer() {
        let one = [0xA9, 0xFF, 0xFF, 0xFF, 0xC0];
        let other = [0xA9, 0xFF, 0xFF, 0xFF, 0xE0];
        assert_eq!(xfs(&one), 0xFFFF_FFC0);
        assert_eq!(xfs(&[one, one].concat()), 0xFFFF_FFC0);
        assert_eq!(xfs(&[one, other].concat()), 0);
        assert_eq!(xfs(&[]), 0);
    }
}
