//! Firmware RAID of Intel (IMSM) whose checksum is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot::survey::superblock;
use lifeboot_fuzz::{put, u32_at};

fuzz_target!(|bytes: &[u8]| {
    let mut all = bytes.to_vec();
    let size = u32_at(&all, 36) as usize;
    if let Some(summed) = all.get(..size.min(1 << 16)) {
        let words = summed.chunks_exact(4).map(|word| u32_at(word, 0));
        let sum = words.fold(0_u32, u32::wrapping_add);
        let sum = sum.wrapping_sub(u32_at(&all, 32));
        put(&mut all, 32, &sum.to_le_bytes());
    }
    let _ = superblock::parse_imsm(&all, 393_214, 393_216, Some("lab0"));
});
