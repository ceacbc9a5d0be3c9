//! Firmware RAID of the format DDF whose checksums are right: an anchor, then
//! one copy of the description.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot_fuzz::{LEAST_BYTES, put};

fn be32(bytes: &[u8], at: usize) -> usize {
    let raw = bytes.get(at..at.saturating_add(4));
    raw.map_or(0, |raw| u32::from_be_bytes(raw.try_into().expect("four")) as usize)
}

fn sign(bytes: &mut [u8]) {
    put(bytes, 4, &[0xFF; 4]);
    let sum = crc32fast::hash(bytes);
    put(bytes, 4, &sum.to_be_bytes());
}

fuzz_target!(|bytes: &[u8]| {
    let mut all = bytes.to_vec();
    all.resize(all.len().max(LEAST_BYTES).next_multiple_of(512), 0);
    let mut anchor: Vec<u8> = all.drain(..512).collect();
    // The description lies at the beginning of the disk here.
    put(&mut anchor, 96, &[0; 8]);
    sign(&mut anchor);
    let header = all[..512].to_vec();
    let sections = [200, 208, 216, 224].map(|at| {
        let first = be32(&header, at).saturating_mul(512);
        (first, be32(&header, at + 4).saturating_mul(512))
    });
    let record = usize::from(header[134]) << 8 | usize::from(header[135]);
    for (index, (first, length)) in sections.into_iter().enumerate() {
        let Some(section) = all.get_mut(first..first.saturating_add(length)) else {
            continue;
        };
        match index {
            2 if record > 0 => section.chunks_exact_mut(record * 512).for_each(sign),
            3 => section.chunks_exact_mut(512).take(1).for_each(sign),
            _ => sign(section),
        }
    }
    sign(&mut all[..512]);
    all.extend(anchor);
    lifeboot_fuzz::survey(&all);
});
