//! Writing where a disk holds no filesystem: boot code, the gap before the
//! first partition, a BIOS boot partition.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::consent::WriteToken;
use super::failpoint::hit;
use super::node;

/// What a disk writes as a whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// The same, as places on a disk are counted.
pub const SECTOR: u64 = SECTOR_BYTES as u64;

/// Bytes of the first sector before the disk's signature and its table.
pub const BOOT_CODE: Range<u64> = 0..440;

/// A disk of which some areas may be written, and nothing else.
#[derive(Debug)]
pub struct AreaDisk {
    file: File,
    areas: Vec<Range<u64>>,
}

impl AreaDisk {
    /// Opens the disk or image at `path`, of which `areas` hold no filesystem.
    ///
    /// # Errors
    /// The kernel's; `InvalidInput` when it has another size than `bytes`.
    pub fn open(path: &Path, bytes: u64, areas: Vec<Range<u64>>) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)?;
        let now = node::device_bytes(&file)?;
        if now != bytes {
            let what = format!("{} has {now} bytes now, not {bytes}", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(Self { file, areas })
    }

    /// True when all of this lies inside one of the areas.
    pub fn allows(&self, range: &Range<u64>) -> bool {
        let inside = |area: &Range<u64>| area.start <= range.start && range.end <= area.end;
        // The table stands right behind the boot code, whatever is asked for.
        let spares_table = range.start >= SECTOR || range.end <= BOOT_CODE.end;
        range.start < range.end && spares_table && self.areas.iter().any(inside)
    }

    /// What the disk holds at `at`; the disk itself is asked, not a cache.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        node::forget_cached(&self.file);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// Writes `bytes` at `at`, waits until they are on the disk, and reads them
    /// again.
    ///
    /// # Errors
    /// The kernel's; `PermissionDenied` outside of the areas, or where nothing
    /// but layers over the patient may be changed.
    pub fn write(&self, at: u64, bytes: &[u8], consent: &WriteToken) -> io::Result<()> {
        let range = at..at.saturating_add(bytes.len() as u64);
        if !consent.reaches_disks() || !self.allows(&range) {
            let what = format!("bytes {} to {} may not be written", range.start, range.end);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        // A test can cut it off in the middle.
        let half = bytes.len() / 2;
        let (first, second) = bytes.split_at(half - half % SECTOR_BYTES);
        self.file.write_all_at(first, at)?;
        hit("area/half")?;
        self.file.write_all_at(second, at + first.len() as u64)?;
        hit("area/written")?;
        self.sync()?;
        if self.read(at, bytes.len())? != bytes {
            return Err(io::Error::other("the disk does not keep what is written"));
        }
        hit("area/kept")
    }

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    /// The kernel's.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nothing_outside_of_the_areas_is_written() {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(64 * SECTOR).unwrap();
        let areas = vec![BOOT_CODE, SECTOR..8 * SECTOR];
        let open = |bytes| AreaDisk::open(image.path(), bytes, areas.clone());
        assert!(open(63 * SECTOR).is_err());
        let disk = open(64 * SECTOR).unwrap();
        let yes = WriteToken::granted("the test said yes");
        let denied = |at: u64, length: usize, consent: &WriteToken| {
            let error = disk.write(at, &vec![7; length], consent).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        };
        denied(0, 441, &yes);
        denied(0, 1024, &yes);
        denied(440, 6, &yes);
        denied(511, 2, &yes);
        denied(7 * SECTOR, 1024, &yes);
        denied(u64::MAX, 2, &yes);
        denied(0, 0, &yes);
        denied(0, 440, &WriteToken::for_rehearsal());
        assert_eq!(disk.read(0, 64 * 512).unwrap(), vec![0; 64 * 512]);
        disk.write(0, &[7; 440], &yes).unwrap();
        disk.write(SECTOR, &[8; 7 * 512], &yes).unwrap();
        let now = disk.read(0, 9 * 512).unwrap();
        assert!(now[..440] == [7; 440] && now[440..512] == [0; 72]);
        assert!(now[512..4096] == [8; 3584] && now[4096..] == [0; 512]);
        // Areas that are wrong do not open the table.
        let wrong = AreaDisk::open(image.path(), 64 * SECTOR, vec![0..4096, 0..8192]).unwrap();
        assert!(wrong.write(0, &[9; 512], &yes).is_err());
    }
}
