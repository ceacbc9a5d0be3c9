//! LUKS headers, those of version 2 with a right checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot_fuzz::put;
use sha2::{Digest, Sha256};

/// The checksum in the binary header of version 2.
const SUM: usize = 448;

fuzz_target!(|bytes: &[u8]| {
    let mut disk = bytes.to_vec();
    let size = disk.get(8..16).map(|raw| raw.try_into().expect("eight"));
    let size = usize::try_from(size.map_or(0, u64::from_be_bytes)).unwrap_or(0);
    if disk.get(6..8) == Some(&[0, 2]) && size <= 4 << 20 {
        // What is not there reads as zeros.
        disk.resize(disk.len().max(size), 0);
        put(&mut disk, SUM, &[0; 64]);
        let sum = Sha256::digest(&disk[..size]);
        put(&mut disk, SUM, &sum);
    }
    lifeboot_fuzz::survey(&disk);
    let image = lifeboot_fuzz::image();
    if let Ok(file) = image.open() {
        let _ = lifeboot::survey::luks::read(&file, &image);
    }
});
