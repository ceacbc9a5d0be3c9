//! Loop devices: a file or block device, or a part of it, as a block device.
//!
//! A read-only loop device is a real barrier: its driver refuses every write,
//! the kernel's own included. Numbers and structures from `linux/loop.h`.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use std::sync::Arc;

use super::image_lock::{self, ImageLock};
use super::{node, retry};

const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

#[repr(C)]
#[derive(Clone, Copy)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo64,
    reserved: [u64; 8],
}

mod request {
    use super::{LoopConfig, LoopInfo64};

    nix::ioctl_none_bad!(get_free, 0x4C82);
    nix::ioctl_write_ptr_bad!(configure, 0x4C0A, LoopConfig);
    nix::ioctl_write_int_bad!(set_fd, 0x4C00);
    nix::ioctl_write_ptr_bad!(set_status64, 0x4C04, LoopInfo64);
    nix::ioctl_none_bad!(clear_fd, 0x4C01);
}

/// Whether anything may be written through the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is ever written; the backing file is not even opened for it.
    ReadOnly,
    /// For a repair that the operator agreed to.
    ReadWrite,
}

/// A loop device of ours. It detaches by itself when its last user is gone.
#[derive(Debug)]
pub struct LoopDevice {
    file: File,
    path: PathBuf,
    number: (u64, u64),
    _lock: Option<Arc<ImageLock>>,
}

impl LoopDevice {
    /// Shows `bytes` of `backing` from `offset` on as a block device.
    ///
    /// `sector` is the logical block size; 512 is always allowed.
    ///
    /// # Errors
    /// The kernel's, with the backing path; no loop driver; none free.
    pub fn attach(
        backing: &Path,
        offset: u64,
        bytes: u64,
        sector: u32,
        access: Access,
    ) -> io::Result<Self> {
        let write = access == Access::ReadWrite;
        let file = OpenOptions::new().read(true).write(write).open(backing)?;
        // Two programs that write to one image would destroy what is on it.
        let lock = if write {
            Some(image_lock::take(&file, backing)?)
        } else {
            None
        };
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/loop-control")
            .map_err(|e| {
                io::Error::new(e.kind(), format!("no loop driver (/dev/loop-control): {e}"))
            })?;
        retry::while_busy(|| {
            // SAFETY: LOOP_CTL_GET_FREE takes no argument and returns a number.
            let number = unsafe { request::get_free(control.as_raw_fd()) }?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let device = OpenOptions::new().read(true).write(write).open(&path)?;
            keep_udev_away(&device);
            configure(&device, &file, offset, bytes, sector, access)?;
            let number = node::device_number(&device)?;
            Ok((device, path, number))
        })
        .map(|(file, path, number)| Self {
            file,
            path,
            number,
            _lock: lock,
        })
    }

    /// Its device node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Major and minor number.
    pub fn number(&self) -> (u64, u64) {
        self.number
    }

    /// Its size in bytes as the kernel sees it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn bytes(&self) -> io::Result<u64> {
        node::device_bytes(&self.file)
    }
}

/// While this lock is held, the udev of the rescue system does not look at the
/// device, and so no rule of it activates a volume group or array that shows
/// on it (systemd: "Locking Block Device Access"). Best effort: others have no
/// udev, or it looks just now.
fn keep_udev_away(device: &File) {
    // SAFETY: flock takes a descriptor that is open and a number.
    let _ =
        unsafe { nix::libc::flock(device.as_raw_fd(), nix::libc::LOCK_EX | nix::libc::LOCK_NB) };
}

fn configure(
    device: &File,
    backing: &File,
    offset: u64,
    bytes: u64,
    sector: u32,
    access: Access,
) -> io::Result<()> {
    let read_only = if access == Access::ReadOnly {
        LO_FLAGS_READ_ONLY
    } else {
        0
    };
    let info = LoopInfo64 {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset,
        size_limit: bytes,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: read_only | LO_FLAGS_AUTOCLEAR,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
    };
    let fd = backing.as_raw_fd();
    let config = LoopConfig {
        // A descriptor is never negative once it is open.
        fd: fd.unsigned_abs(),
        block_size: if sector > 512 { sector } else { 0 },
        info,
        reserved: [0; 8],
    };
    // SAFETY: `config` is laid out as struct loop_config and outlives the call.
    match unsafe { request::configure(device.as_raw_fd(), &raw const config) } {
        Ok(_) => Ok(()),
        // Before Linux 5.8 there is no LOOP_CONFIGURE. The descriptor is open
        // read-only, which alone makes the device read-only.
        Err(nix::Error::EINVAL | nix::Error::ENOTTY | nix::Error::ENOSYS) => {
            configure_old(device, fd, &info)
        }
        Err(errno) => Err(errno.into()),
    }
}

fn configure_old(device: &File, backing: i32, info: &LoopInfo64) -> io::Result<()> {
    // SAFETY: LOOP_SET_FD takes a descriptor by value.
    unsafe { request::set_fd(device.as_raw_fd(), backing) }?;
    // SAFETY: `info` is laid out as struct loop_info64 and outlives the call.
    let set = unsafe { request::set_status64(device.as_raw_fd(), info) };
    if let Err(errno) = set {
        // SAFETY: LOOP_CLR_FD takes no argument.
        let _ = unsafe { request::clear_fd(device.as_raw_fd()) };
        return Err(errno.into());
    }
    Ok(())
}
