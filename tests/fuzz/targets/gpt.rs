//! GPTs whose checksums are right (UEFI specification, "GPT Header").
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot_fuzz::{put, u32_at, u64_at};

/// The header lies in the second sector.
const HEADER: usize = 512;

fuzz_target!(|bytes: &[u8]| {
    let mut disk = bytes.to_vec();
    disk.resize(disk.len().max(HEADER + 512), 0);
    let first = u64_at(&disk, HEADER + 72).saturating_mul(512);
    let count = u32_at(&disk, HEADER + 80) as usize;
    let length = count.saturating_mul(u32_at(&disk, HEADER + 84) as usize);
    if let Some(table) = disk.get(first..first.saturating_add(length)) {
        let sum = crc32fast::hash(table);
        put(&mut disk, HEADER + 88, &sum.to_le_bytes());
    }
    let size = u32_at(&disk, HEADER + 12) as usize;
    put(&mut disk, HEADER + 16, &[0; 4]);
    if let Some(header) = disk.get(HEADER..HEADER.saturating_add(size)) {
        let sum = crc32fast::hash(header);
        put(&mut disk, HEADER + 16, &sum.to_le_bytes());
    }
    lifeboot_fuzz::survey(&disk);
});
