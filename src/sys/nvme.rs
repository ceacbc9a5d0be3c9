//! NVMe controllers: the two admin commands that only read
//! (`linux/nvme_ioctl.h`, NVM Express Base Specification 2.0).
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `struct nvme_passthru_cmd`, 72 bytes.
#[repr(C)]
#[derive(Debug, Default)]
pub struct AdminCommand {
    opcode: u8,
    flags: u8,
    reserved: u16,
    nsid: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    addr: u64,
    metadata_len: u32,
    data_len: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_ms: u32,
    result: u32,
}

mod request {
    nix::ioctl_readwrite!(admin, b'N', 0x41, super::AdminCommand);
}

const GET_LOG_PAGE: u8 = 0x02;
const IDENTIFY: u8 = 0x06;
const ALL_NAMESPACES: u32 = 0xffff_ffff;

/// Bytes of the structure that Identify Controller gives.
const IDENTIFY_BYTES: usize = 4096;

/// Retain Asynchronous Event: reading must not acknowledge a warning that the
/// system's own driver waits for.
const RETAIN_EVENT: u32 = 1 << 15;

/// A log page that only tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPage {
    /// The newest entries of the error log, newest first; 64 bytes each.
    Errors,
    /// SMART / health information, 512 bytes.
    Health,
}

impl LogPage {
    fn number(self) -> u32 {
        match self {
            Self::Errors => 1,
            Self::Health => 2,
        }
    }
}

/// Reads the first `bytes` (a multiple of four, at most 4096) of a log page.
///
/// # Errors
/// The kernel's, or the controller's status in words.
pub fn log_page(disk: &File, page: LogPage, bytes: usize) -> io::Result<Vec<u8>> {
    let bytes = bytes.clamp(4, 4096) & !3;
    let dwords = u32::try_from(bytes / 4 - 1).unwrap_or(0);
    let command = AdminCommand {
        opcode: GET_LOG_PAGE,
        nsid: ALL_NAMESPACES,
        cdw10: dwords << 16 | RETAIN_EVENT | page.number(),
        ..AdminCommand::default()
    };
    read(disk, command, bytes)
}

/// What the controller says about itself, 4096 bytes.
///
/// # Errors
/// Like [`log_page`].
pub fn identify_controller(disk: &File) -> io::Result<Vec<u8>> {
    let command = AdminCommand {
        opcode: IDENTIFY,
        cdw10: 1,
        ..AdminCommand::default()
    };
    read(disk, command, IDENTIFY_BYTES)
}

fn read(disk: &File, mut command: AdminCommand, bytes: usize) -> io::Result<Vec<u8>> {
    let mut data = vec![0_u8; bytes];
    command.addr = data.as_mut_ptr() as u64;
    command.data_len = u32::try_from(bytes).map_err(io::Error::other)?;
    // timeout_ms stays 0, the kernel's own limit: when an admin command times
    // out the driver resets the controller, and that must not be our doing.
    // SAFETY: `command` lives through the call, and `addr` and `data_len`
    // describe `data`, which the kernel fills and which outlives it as well.
    let status = unsafe { request::admin(disk.as_raw_fd(), &raw mut command) }?;
    if status == 0 {
        Ok(data)
    } else {
        let text = format!("the controller refused, NVMe status {status:#x}");
        Err(io::Error::other(text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_command_is_the_kernels_structure() {
        assert_eq!(size_of::<AdminCommand>(), 72);
    }

    #[test]
    fn what_is_no_nvme_disk_answers_with_an_error() {
        let file = tempfile::tempfile().unwrap();
        assert!(log_page(&file, LogPage::Health, 512).is_err());
        assert!(identify_controller(&file).is_err());
    }
}
