//! Physical volumes of LVM2 whose checksums are right, so that what lies behind
//! them is reached: the label, the metadata area and its text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot::survey::lvm::checksum;
use lifeboot_fuzz::{put, u64_at};

/// Where pvcreate(8) puts them.
const LABEL: usize = 512;
const AREA: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let mut disk = bytes.to_vec();
    disk.resize(disk.len().max(AREA + 512), 0);
    let text = AREA.saturating_add(u64_at(&disk, AREA + 40));
    let end = text.saturating_add(u64_at(&disk, AREA + 48));
    if let Some(text) = disk.get(text..end) {
        let sum = checksum(text);
        put(&mut disk, AREA + 56, &sum.to_le_bytes());
    }
    let sum = checksum(&disk[AREA + 4..AREA + 512]);
    put(&mut disk, AREA, &sum.to_le_bytes());
    let sum = checksum(&disk[LABEL + 20..LABEL + 512]);
    put(&mut disk, LABEL + 16, &sum.to_le_bytes());
    lifeboot_fuzz::survey(&disk);
});
