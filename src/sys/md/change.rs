//! Members that come into a running array or leave it, after consent.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::super::consent::WriteToken;
use super::sysfs;

/// `MD_DISK_SYNC` of `include/uapi/linux/raid/md_p.h`, as a bit: the member is
/// to come back into its slot.
const IN_SYNC: i32 = 1 << 2;

/// `mdu_disk_info_t` of `include/uapi/linux/raid/md_u.h`.
#[repr(C)]
#[derive(Debug, Default)]
pub struct DiskInfo {
    number: i32,
    major: i32,
    minor: i32,
    raid_disk: i32,
    state: i32,
}

nix::ioctl_write_ptr!(add_new_disk, 9, 0x21, DiskInfo);

/// Brings a member into the running array `name`. With `slot` it comes back as
/// what it was: the kernel then copies only what changed, by the bitmap, and
/// refuses when it knows no better than a full copy. Without, it becomes a
/// spare, and the kernel overwrites all of it.
///
/// This is what `mdadm --re-add` and `--add` ask; with `--add`, a superblock
/// must have been written before, which this function does not do.
///
/// # Errors
/// The kernel's: `EINVAL` when the member does not fit or cannot come back.
pub fn add_member(
    name: &str,
    member: (u64, u64),
    slot: Option<u32>,
    _consent: &WriteToken,
) -> io::Result<()> {
    let small = |number: u64| i32::try_from(number).map_err(io::Error::other);
    let mut info = DiskInfo {
        major: small(member.0)?,
        minor: small(member.1)?,
        // The kernel reads number and slot from the superblock itself.
        raid_disk: -1,
        ..DiskInfo::default()
    };
    if let Some(slot) = slot {
        info.raid_disk = i32::try_from(slot).map_err(io::Error::other)?;
        info.state = IN_SYNC;
    }
    let node = node_of(name)?;
    // SAFETY: the structure has the kernel's layout and lives through the call.
    #[allow(unsafe_code)]
    unsafe { add_new_disk(node.as_raw_fd(), &raw const info) }.map_err(io::Error::from)?;
    Ok(())
}

/// The array's device, open for the ioctl.
fn node_of(name: &str) -> io::Result<File> {
    let number = fs::read_to_string(sysfs(name).join("../dev"))?;
    let number = super::parse_number(&number)
        .ok_or_else(|| io::Error::other(format!("{name}: odd device number")))?;
    let node = super::node::block_node(name, number, Path::new("/run/lifeboot/dev"))?;
    fs::OpenOptions::new().read(true).write(true).open(node)
}
