//! Where a file lies on its device: FS_IOC_FIEMAP (`linux/fiemap.h`).
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Extents asked for in one call.
const BATCH: u32 = 64;
const ROOM: usize = BATCH as usize;

/// The last extent of the file.
const LAST: u32 = 1;
/// Its place is not known: delayed, inline or encoded data.
const NO_PLACE: u32 = 2 | 4 | 8 | 0x200;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct RawExtent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved64: [u64; 2],
    flags: u32,
    reserved: [u32; 3],
}

#[repr(C)]
struct Request {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    count: u32,
    reserved: u32,
    extents: [RawExtent; ROOM],
}

mod request {
    use super::Request;

    // The number counts the header's 32 bytes only, whatever follows it.
    nix::ioctl_readwrite_bad!(fiemap, 0xC020_660B, Request);
}

/// A piece of a file on its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins, in bytes from the start of the device.
    pub start: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// The pieces of `file`, at most `most` of them.
///
/// # Errors
/// The kernel's; `Unsupported` for a filesystem that cannot tell.
pub fn extents(file: &File, most: usize) -> io::Result<Vec<Extent>> {
    let mut found = Vec::new();
    let mut start = 0;
    while found.len() < most {
        let mut asked = Request {
            start,
            length: u64::MAX - start,
            flags: 0,
            mapped: 0,
            count: BATCH,
            reserved: 0,
            extents: [RawExtent::default(); ROOM],
        };
        // SAFETY: the kernel writes at most `count` extents behind the header,
        // and `asked` has room for as many and outlives the call.
        unsafe { request::fiemap(file.as_raw_fd(), &raw mut asked) }?;
        let mapped = usize::try_from(asked.mapped).unwrap_or(0).min(ROOM);
        let Some(last) = asked.extents[..mapped].last().copied() else {
            break;
        };
        let placed = asked.extents[..mapped]
            .iter()
            .filter(|extent| extent.flags & NO_PLACE == 0);
        found.extend(placed.map(|extent| Extent {
            start: extent.physical,
            bytes: extent.length,
        }));
        let end = last.logical.saturating_add(last.length);
        if last.flags & LAST != 0 || end <= start {
            break;
        }
        start = end;
    }
    found.truncate(most);
    Ok(found)
}
