//! SCSI commands that only read, through `SG_IO` (`scsi/sg.h`), and ATA
//! commands that only read inside of them (SAT: ATA PASS-THROUGH (16)).
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `struct sg_io_hdr`.
#[repr(C)]
#[derive(Debug)]
pub struct Header {
    interface_id: i32,
    dxfer_direction: i32,
    cmd_len: u8,
    mx_sb_len: u8,
    iovec_count: u16,
    dxfer_len: u32,
    dxferp: *mut c_void,
    cmdp: *const u8,
    sbp: *mut u8,
    timeout: u32,
    flags: u32,
    pack_id: i32,
    usr_ptr: *mut c_void,
    status: u8,
    masked_status: u8,
    msg_status: u8,
    sb_len_wr: u8,
    host_status: u16,
    driver_status: u16,
    resid: i32,
    duration: u32,
    info: u32,
}

mod request {
    nix::ioctl_readwrite_bad!(sg_io, 0x2285, super::Header);
}

const NO_DATA: i32 = -1;
const FROM_DEVICE: i32 = -3;

/// Longer than a disk takes that has to spin up.
const TIMEOUT_MS: u32 = 20_000;

const CHECK_CONDITION: u8 = 2;
const SENSE_BYTES: u8 = 64;
const SECTOR: usize = 512;

/// An ATA command that only reads (ACS-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ata {
    /// IDENTIFY DEVICE, 512 bytes.
    Identify,
    /// SMART READ DATA, 512 bytes.
    SmartData,
    /// SMART READ THRESHOLDS, 512 bytes.
    SmartThresholds,
    /// READ LOG EXT of one page, 512 bytes.
    Log {
        /// Log address.
        address: u8,
        /// Page of it.
        page: u8,
    },
}

/// What SMART RETURN STATUS has in the two upper LBA registers when all is
/// well, and when a threshold was passed (ACS-3, 7.48.8).
const PASSED: (u8, u8) = (0x4f, 0xc2);
const EXCEEDED: (u8, u8) = (0xf4, 0x2c);

const SMART: u8 = 0xb0;

impl Ata {
    /// The command block: PIO data-in of one sector.
    fn block(self) -> [u8; 16] {
        let (feature, low, mid, high, command) = match self {
            Self::Identify => (0, 0, 0, 0, 0xec),
            Self::SmartData => (0xd0, 0, PASSED.0, PASSED.1, SMART),
            Self::SmartThresholds => (0xd1, 0, PASSED.0, PASSED.1, SMART),
            Self::Log { address, page } => (0, address, page, 0, 0x2f),
        };
        // READ LOG EXT is a 48-bit command.
        let extend = u8::from(matches!(self, Self::Log { .. }));
        let mut block = [0; 16];
        block[0] = 0x85;
        block[1] = 4 << 1 | extend;
        // From the device, length in blocks, given by the count field.
        block[2] = 0x0e;
        block[4] = feature;
        block[6] = 1;
        block[8] = low;
        block[10] = mid;
        block[12] = high;
        block[14] = command;
        block
    }
}

/// Runs an ATA command on a disk behind a SATA controller.
///
/// # Errors
/// The kernel's, or the disk's refusal.
pub fn ata(disk: &File, command: Ata) -> io::Result<Vec<u8>> {
    let answer = run(disk, &command.block(), SECTOR)?;
    if answer.status == 0 {
        Ok(answer.data)
    } else {
        Err(refused(&answer))
    }
}

/// SMART RETURN STATUS: true when the disk judges itself well.
///
/// # Errors
/// The kernel's, or an answer that says neither.
pub fn smart_passed(disk: &File) -> io::Result<bool> {
    let mut block = [0; 16];
    block[0] = 0x85;
    block[1] = 3 << 1;
    // CK_COND: the registers come back as sense data.
    block[2] = 0x20;
    block[4] = 0xda;
    block[10] = PASSED.0;
    block[12] = PASSED.1;
    block[14] = SMART;
    let answer = run(disk, &block, 0)?;
    match registers(&answer.sense) {
        Some(PASSED) => Ok(true),
        Some(EXCEEDED) => Ok(false),
        _ => Err(refused(&answer)),
    }
}

/// LOG SENSE: the current values of a log page (SPC-4), at most 512 bytes.
///
/// # Errors
/// The kernel's, or the device's refusal.
pub fn log_sense(disk: &File, page: u8) -> io::Result<Vec<u8>> {
    let block = [0x4d, 0, 0x40 | (page & 0x3f), 0, 0, 0, 0, 2, 0, 0];
    let answer = run(disk, &block, SECTOR)?;
    if answer.status == 0 {
        Ok(answer.data)
    } else {
        Err(refused(&answer))
    }
}

/// The LBA mid and high registers in sense data (SAT-3, 12.2.2.7), which come
/// as a descriptor or, with newer kernels, in fixed format.
fn registers(sense: &[u8]) -> Option<(u8, u8)> {
    match sense.first()? & 0x7f {
        0x72 => {
            let mut at = 8;
            while let (Some(&kind), Some(&length)) = (sense.get(at), sense.get(at + 1)) {
                if kind == 0x09 {
                    return Some((*sense.get(at + 9)?, *sense.get(at + 11)?));
                }
                at += 2 + usize::from(length);
            }
            None
        }
        // ATA PASS-THROUGH INFORMATION AVAILABLE
        0x70 if sense.get(12..14)? == [0x00, 0x1d] => Some((*sense.get(10)?, *sense.get(11)?)),
        _ => None,
    }
}

#[derive(Debug)]
struct Answer {
    status: u8,
    data: Vec<u8>,
    sense: Vec<u8>,
}

fn refused(answer: &Answer) -> io::Error {
    let sense = &answer.sense;
    // Sense key, additional sense code and its qualifier.
    let codes = match sense.first().map(|byte| byte & 0x7f) {
        Some(0x72 | 0x73) => sense.get(1..4).map(|c| (c[0] & 0xf, c[1], c[2])),
        Some(0x70 | 0x71) => sense.get(..14).map(|c| (c[2] & 0xf, c[12], c[13])),
        _ => None,
    };
    io::Error::other(match codes {
        Some((key, asc, ascq)) => format!("it refused, sense {key:x}/{asc:02x}/{ascq:02x}"),
        None => format!("it refused, SCSI status {:#x}", answer.status),
    })
}

fn run(disk: &File, block: &[u8], bytes: usize) -> io::Result<Answer> {
    let mut data = vec![0_u8; bytes];
    let mut sense = vec![0_u8; usize::from(SENSE_BYTES)];
    let mut header = Header {
        interface_id: i32::from(b'S'),
        dxfer_direction: if bytes == 0 { NO_DATA } else { FROM_DEVICE },
        cmd_len: u8::try_from(block.len()).map_err(io::Error::other)?,
        mx_sb_len: SENSE_BYTES,
        iovec_count: 0,
        dxfer_len: u32::try_from(bytes).map_err(io::Error::other)?,
        dxferp: data.as_mut_ptr().cast(),
        cmdp: block.as_ptr(),
        sbp: sense.as_mut_ptr(),
        timeout: TIMEOUT_MS,
        flags: 0,
        pack_id: 0,
        usr_ptr: std::ptr::null_mut(),
        status: 0,
        masked_status: 0,
        msg_status: 0,
        sb_len_wr: 0,
        host_status: 0,
        driver_status: 0,
        resid: 0,
        duration: 0,
        info: 0,
    };
    // SAFETY: the header and the three buffers that it points to, with their
    // true lengths, live through the call; the kernel writes into them only.
    unsafe { request::sg_io(disk.as_raw_fd(), &raw mut header) }?;
    if header.host_status != 0 {
        let text = format!(
            "the controller failed, host status {:#x}",
            header.host_status
        );
        return Err(io::Error::other(text));
    }
    sense.truncate(header.sb_len_wr.into());
    // A command that went well may leave sense data, without a status.
    let status = match header.status {
        CHECK_CONDITION => CHECK_CONDITION,
        other => other & 0x3e,
    };
    Ok(Answer {
        status,
        data,
        sense,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_header_is_the_kernels_structure() {
        assert_eq!(size_of::<Header>(), 88);
    }

    #[test]
    fn registers_come_in_both_sense_formats() {
        let mut sense = vec![0x72, 1, 0, 0x1d, 0, 0, 0, 14];
        sense.extend([0x09, 12, 0, 0, 0, 0, 0, 0, 0, 0xf4, 0, 0x2c, 0, 0x50]);
        assert_eq!(registers(&sense), Some(EXCEEDED));
        let mut sense = vec![0x70, 0, 1, 0, 0x50, 0, 0, 10, 0, 0, 0x4f, 0xc2];
        sense.extend([0x00, 0x1d]);
        assert_eq!(registers(&sense), Some(PASSED));
    }

    #[test]
    fn cut_off_sense_has_no_registers() {
        let whole = [
            0x72, 1, 0, 0x1d, 0, 0, 0, 14, 0x09, 12, 0, 0, 0, 0, 0, 0, 0, 0x4f, 0, 0xc2,
        ];
        for length in 0..whole.len() {
            assert_eq!(registers(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(registers(&[0x70; 32]), None);
        assert_eq!(registers(&[0x72; 64]), None);
    }

    #[test]
    fn what_is_no_disk_answers_with_an_error() {
        let file = tempfile::tempfile().unwrap();
        assert!(ata(&file, Ata::Identify).is_err());
        assert!(smart_passed(&file).is_err());
        assert!(log_sense(&file, 0x2f).is_err());
    }
}
