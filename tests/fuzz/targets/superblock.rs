//! md superblocks of arbitrary bytes, as they are and with a right checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot::survey::superblock;

fuzz_target!(|bytes: &[u8]| {
    let _ = superblock::parse(bytes, 8);
    let mut right = bytes.to_vec();
    let sum = superblock::checksum(&right);
    lifeboot_fuzz::put(&mut right, 216, &sum.to_le_bytes());
    let _ = superblock::parse(&right, 8);
});
