//! What has to happen before `main` when this program is PID 1.
//!
//! Without a usable console (`console=` names a port that is not there) the
//! kernel starts init with descriptors 0 to 2 closed. Rust's start-up code then
//! opens `/dev/null` in their place and aborts if it cannot, which is a kernel
//! panic; and an initramfs need not contain `/dev/null`.

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{getpid, mkdir};

// SAFETY: `.init_array` takes pointers to functions of the C calling convention,
// which the C library calls once before `main`, arguments in registers that may
// be ignored (ELF gABI, "Initialization and Termination Functions").
#[allow(unsafe_code)]
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = provide_null;

/// Makes `/dev/null` unless it exists. Plain system calls only: nothing of the
/// standard library is ready here.
extern "C" fn provide_null() {
    if getpid().as_raw() != 1 {
        return;
    }
    let _ = mkdir("/dev", Mode::from_bits_truncate(0o755));
    // Device 1:3 (Documentation/admin-guide/devices.txt).
    let mode = Mode::from_bits_truncate(0o666);
    let _ = mknod("/dev/null", SFlag::S_IFCHR, mode, makedev(1, 3));
}
