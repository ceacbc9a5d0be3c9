//! One line about the disks that were found.

use std::fs;
use std::path::Path;

use super::console::Console;

/// The unit of `/sys/block/*/size`, whatever the disk's own sector size is.
const SIZE_UNIT_BYTES: u64 = 512;

/// Prints the disks and their sizes.
pub fn print(console: &Console) {
    console.say(&sentence(&found(Path::new("/sys/block"))));
}

/// Names and sizes in bytes, sorted by name. A disk has a device behind it
/// (loop, ram, md and dm have none), a size, and is not a hidden NVMe path.
fn found(block: &Path) -> Vec<(String, u64)> {
    let Ok(entries) = fs::read_dir(block) else {
        return Vec::new();
    };
    let mut disks: Vec<(String, u64)> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let number = |name: &str| -> Option<u64> {
                let text = fs::read_to_string(path.join(name)).ok()?;
                text.trim().parse().ok()
            };
            let size = number("size")?.saturating_mul(SIZE_UNIT_BYTES);
            let real = path.join("device").is_dir() && size > 0 && number("hidden") != Some(1);
            real.then(|| (entry.file_name().to_string_lossy().into_owned(), size))
        })
        .collect();
    disks.sort();
    disks
}

fn sentence(disks: &[(String, u64)]) -> String {
    if disks.is_empty() {
        return "no disk found".to_owned();
    }
    let list: Vec<String> = disks
        .iter()
        .map(|(name, bytes)| format!("{name} ({})", in_words(*bytes)))
        .collect();
    let word = if disks.len() == 1 { "disk" } else { "disks" };
    format!("{} {word}: {}", disks.len(), list.join(", "))
}

/// `512 MiB`, `1.8 TiB`: one digit behind the point, rounded down.
fn in_words(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if tenths.is_multiple_of(10) {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        for (bytes, expected) in [
            (0, "0 KiB"),
            (512, "0.5 KiB"),
            (512 << 20, "512 MiB"),
            (2_000_398_934_016, "1.8 TiB"),
            (u64::MAX, "1638.3 PiB"),
        ] {
            assert_eq!(in_words(bytes), expected);
        }
    }

    #[test]
    fn the_line_tells_how_many_disks_there_are() {
        assert_eq!(sentence(&[]), "no disk found");
        assert_eq!(
            sentence(&[("sda".to_owned(), 1 << 30)]),
            "1 disk: sda (1 GiB)"
        );
        let two = [
            ("nvme0n1".to_owned(), 1 << 30),
            ("nvme1n1".to_owned(), 3 << 29),
        ];
        assert_eq!(
            sentence(&two),
            "2 disks: nvme0n1 (1 GiB), nvme1n1 (1.5 GiB)"
        );
    }
}
