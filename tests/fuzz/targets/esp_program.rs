//! Programs of UEFI, configurations of boot loaders.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot::survey::esp::EspFile;

fuzz_target!(|bytes: &[u8]| {
    for path in ["/EFI/BOOT/BOOTX64.EFI", "/EFI/debian/grub.cfg"] {
        let _ = EspFile::of(path, bytes);
    }
});
