//! What the firmware or reserved memory kept of an earlier kernel's end
//! (`Documentation/ABI/testing/pstore`). Reading a record does not remove it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::mount::MsFlags;
use nix::sys::statfs::{FsType, statfs};

use super::mount;

/// `PSTOREFS_MAGIC` of `linux/magic.h`.
const MAGIC: FsType = FsType(0x6165_676c);

const PLACE: &str = "/sys/fs/pstore";

/// Records beyond these are not read: firmware holds a few dozen.
const MOST_RECORDS: usize = 512;

/// Larger than any record; ramoops regions are some hundred KiB.
const MOST_BYTES: u64 = 2 << 20;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `dmesg-efi-170000000001001`, `console-ramoops-0`, ...
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub time: i64,
    /// Its text, decompressed by the kernel.
    pub text: String,
}

/// Every record that the running kernel offers; none where it has no pstore.
///
/// Where pstore is not mounted it is mounted read-only in a mount namespace of
/// a thread, which ends with the thread.
///
/// # Errors
/// The kernel's.
pub fn records() -> io::Result<Vec<Record>> {
    let place = Path::new(PLACE);
    if !place.is_dir() {
        return Ok(Vec::new());
    }
    if is_mounted(place) {
        return read(place);
    }
    let thread = std::thread::Builder::new().spawn(move || {
        // CLONE_NEWNS is of the calling thread alone (unshare(2)).
        mount::private_namespace()?;
        let flags =
            MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        nix::mount::mount(Some("pstore"), place, Some("pstore"), flags, None::<&str>)?;
        read(place)
    })?;
    thread
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("reading it failed")))
}

fn is_mounted(place: &Path) -> bool {
    statfs(place).is_ok_and(|fs| fs.filesystem_type() == MAGIC)
}

fn read(place: &Path) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    for entry in fs::read_dir(place)?.flatten().take(MOST_RECORDS) {
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        let time = file.metadata().map_or(0, |meta| meta.mtime());
        let mut bytes = Vec::new();
        if file.take(MOST_BYTES).read_to_end(&mut bytes).is_err() {
            continue;
        }
        records.push(Record {
            name: entry.file_name().to_string_lossy().into_owned(),
            time,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        });
    }
    records.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(records)
}
