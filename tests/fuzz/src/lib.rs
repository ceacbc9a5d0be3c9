//! What the targets share: an image in memory, looked at as a disk.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::LazyLock;

use lifeboot::survey::Source;

/// Disks are this large at least, so that what lies at an end has a place.
pub const LEAST_BYTES: usize = 1 << 20;

static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("lifeboot-fuzz-{}.img", std::process::id());
    PathBuf::from("/dev/shm").join(name)
});

/// Does what `lifeboot survey --disk` does with a disk that begins with
/// `bytes`, short of opening what it finds.
pub fn survey(bytes: &[u8]) {
    let mut image = File::create(&*IMAGE).expect("making the image");
    image.write_all(bytes).expect("writing the image");
    let length = LEAST_BYTES.max(bytes.len());
    image.set_len(length as u64).expect("its length");
    let survey = lifeboot::survey::survey_of(&[IMAGE.clone()]).expect("the image opens");
    // Whatever is there, it can be judged and written down.
    let assembly = lifeboot::assembly::Assembly::unopened(&survey);
    lifeboot::assembly::lvm::judge(&assembly.volumes);
    serde_json::to_vec(&assembly).expect("facts are JSON");
}

/// The image that [`survey`] made last.
pub fn image() -> Source {
    Source {
        path: IMAGE.clone(),
        offset: 0,
        bytes: IMAGE.metadata().map_or(0, |meta| meta.len()),
    }
}

/// Writes `value` at `at` where there is room.
pub fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at.saturating_add(value.len())) {
        place.copy_from_slice(value);
    }
}

/// The little-endian number at `at`; zero beyond the end.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let raw = bytes.get(at..at.saturating_add(4));
    raw.map_or(0, |raw| u32::from_le_bytes(raw.try_into().expect("four bytes")))
}

/// The same, of eight bytes, as a place in memory.
pub fn u64_at(bytes: &[u8], at: usize) -> usize {
    let (low, high) = (u32_at(bytes, at), u32_at(bytes, at.saturating_add(4)));
    (u64::from(high) << 32 | u64::from(low)) as usize
}
