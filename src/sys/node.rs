//! Block devices: size, sector, number. Requests from `linux/fs.h`.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, PosixFadviseAdvice};
use nix::sys::stat::{self, Mode, SFlag};

mod request {
    nix::ioctl_read!(get_size_64, 0x12, 114, u64);
    nix::ioctl_read_bad!(get_sector_size, 0x1268, i32);
}

/// Opens a disk or disk image for reading.
///
/// # Errors
/// The kernel's; `InvalidInput` for anything else than these.
pub fn open_disk(path: &Path) -> io::Result<File> {
    // O_NONBLOCK: a FIFO must not stop the rescue.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(file);
    }
    let what = "neither a disk nor a disk image; name one with --disk";
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// Size in bytes of an open block device or regular file.
///
/// # Errors
/// The kernel's.
pub fn device_bytes(file: &File) -> io::Result<u64> {
    let meta = file.metadata()?;
    if meta.is_file() {
        return Ok(meta.len());
    }
    let mut bytes = 0_u64;
    // SAFETY: BLKGETSIZE64 writes one u64, which outlives the call.
    unsafe { request::get_size_64(file.as_raw_fd(), &raw mut bytes) }?;
    Ok(bytes)
}

/// Logical sector size in bytes; 512 for regular files.
pub fn sector_bytes(file: &File) -> u32 {
    let mut bytes = 0_i32;
    // SAFETY: BLKSSZGET writes one int, which outlives the call.
    match unsafe { request::get_sector_size(file.as_raw_fd(), &raw mut bytes) } {
        Ok(_) => u32::try_from(bytes).unwrap_or(512).max(512),
        Err(_) => 512,
    }
}

/// Major and minor number of an open device.
///
/// # Errors
/// The kernel's.
pub fn device_number(file: &File) -> io::Result<(u64, u64)> {
    let number = stat::fstat(file)?.st_rdev;
    Ok((stat::major(number), stat::minor(number)))
}

/// Drops what is cached of an open device, so that the next read asks it: who
/// writes to a device below another one passes the cache of its node by.
pub fn forget_cached(file: &File) {
    // A refusal leaves it as it is; it is only a cache.
    let _ = nix::fcntl::posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

/// True for the node of an array or mapping that this program made: both stand
/// on read-only views already when looking.
pub fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let made = name.starts_with("md_lifeboot") || name.starts_with("dm_lifeboot");
    let place = path.parent().unwrap_or(path);
    let places = ["/dev", "/dev/mapper", "/run/lifeboot/dev"];
    made && places.iter().any(|known| place == Path::new(known))
}

/// The node of a block device, made below `scratch` where `/dev` lacks it
/// (a rescue system without devtmpfs).
///
/// # Errors
/// The kernel's, when it has to be made and cannot.
pub fn block_node(name: &str, number: (u64, u64), scratch: &Path) -> io::Result<PathBuf> {
    let usual = Path::new("/dev").join(name);
    let wanted = stat::makedev(number.0, number.1);
    if stat::stat(&usual).is_ok_and(|s| s.st_rdev == wanted && is_block(s.st_mode)) {
        return Ok(usual);
    }
    std::fs::create_dir_all(scratch)?;
    let own = scratch.join(name);
    let _ = std::fs::remove_file(&own);
    let mode = Mode::from_bits_truncate(0o600);
    stat::mknod(&own, SFlag::S_IFBLK, mode, wanted)?;
    Ok(own)
}

/// Makes the node of a character device at `path`, unless it is there.
///
/// # Errors
/// The kernel's.
pub fn character_node(path: &Path, number: (u64, u64)) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mode = Mode::from_bits_truncate(0o600);
    match stat::mknod(
        path,
        SFlag::S_IFCHR,
        mode,
        stat::makedev(number.0, number.1),
    ) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn is_block(mode: u32) -> bool {
    mode & SFlag::S_IFMT.bits() == SFlag::S_IFBLK.bits()
}
