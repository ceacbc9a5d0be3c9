//! The boot loaders for UEFI that the patient's packages brought, and that
//! `grub-install` or `bootctl` copies to an EFI system partition.

use crate::survey::Survey;
use crate::survey::esp::EspFile;
use crate::sys::root_dir::RootDir;

/// The largest is GRUB with all its modules: 4 MiB.
pub const PROGRAM_BYTES_MAX: u64 = 16 << 20;

/// Where Debian and its kin keep them; `{}` is the firmware's word for the
/// machine. `core.efi` is what `grub-install` made and put on the partition.
const PLACES: [&str; 9] = [
    "/usr/lib/shim/shim{}.efi.signed",
    "/usr/lib/shim/mm{}.efi.signed",
    "/usr/lib/shim/fb{}.efi.signed",
    "/usr/lib/grub/{arch}-efi-signed/grub{}.efi.signed",
    "/usr/lib/grub/{arch}-efi/monolithic/grub{}.efi",
    "/boot/grub/{arch}-efi/core.efi",
    "/boot/grub2/{arch}-efi/core.efi",
    "/usr/lib/systemd/boot/efi/systemd-boot{}.efi.signed",
    "/usr/lib/systemd/boot/efi/systemd-boot{}.efi",
];

/// shim's list for its fallback.
const LIST: &str = "/usr/lib/shim/BOOT{}.CSV";

/// What the firmware calls a machine, and what GRUB calls it.
pub const MACHINES: [(&str, &str); 2] = [("x64", "x86_64"), ("aa64", "arm64")];

/// Reads them, where a disk has an EFI system partition to put them on.
pub(super) fn collect(root: &RootDir, survey: Option<&Survey>) -> Vec<EspFile> {
    let parts = survey.iter().flat_map(|survey| &survey.disks);
    let mut parts = parts.flat_map(|disk| &disk.partitions);
    if !parts.any(|part| part.purpose == "esp") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (suffix, arch) in MACHINES {
        let programs = PLACES.map(|place| place.replace("{}", suffix).replace("{arch}", arch));
        let list = LIST.replace("{}", &suffix.to_ascii_uppercase());
        for path in programs.into_iter().chain([list]) {
            if let Ok(bytes) = root.read(&path, PROGRAM_BYTES_MAX) {
                found.push(EspFile::of(&path, &bytes));
            }
        }
    }
    found
}
