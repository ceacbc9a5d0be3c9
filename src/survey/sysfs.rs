//! What the kernel knows of a disk (`Documentation/ABI/stable/sysfs-block`).

use std::fs;
use std::path::Path;

/// The serial number of the kernel's disk at `path`.
pub(super) fn serial_of(path: &Path) -> Option<String> {
    serial(&path.file_name()?.to_string_lossy())
}

/// The serial number of the kernel's disk `disk`, where the kernel knows it.
pub(super) fn serial(disk: &str) -> Option<String> {
    text(disk, "device/serial")
        .or_else(|| text(disk, "serial"))
        .or_else(|| {
            // SCSI and SATA: a page with a head of four bytes (SPC-4, 7.8.17).
            let page = Path::new("/sys/block").join(disk).join("device/vpd_pg80");
            let bytes = fs::read(page).ok()?;
            let text = String::from_utf8_lossy(bytes.get(4..)?).trim().to_owned();
            (!text.is_empty()).then_some(text)
        })
}

/// What a file of its directory in sysfs says, if anything.
pub(super) fn text(disk: &str, file: &str) -> Option<String> {
    let path = Path::new("/sys/block").join(disk).join(file);
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The number in such a file.
pub(super) fn number(disk: &str, file: &str) -> Option<u64> {
    text(disk, file)?.parse().ok()
}
