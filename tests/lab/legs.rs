//! The two disk images of a machine, seen from the host.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::unistd::{Whence, lseek};

use super::mounts::{self, Mounted};
use super::{digest, run};

/// Where the array member begins on each disk: behind 1 MiB for the partition
/// table and 1 MiB for GRUB.
pub const MEMBER_BYTES: u64 = 2 << 20;

const SUPERBLOCK_OFFSET_BYTES: u64 = 4096;
const SUPERBLOCK_MAGIC: u32 = 0xa92b_4efc;
const SECTOR_BYTES: u64 = 512;

/// Both legs of the array, as image files in one folder.
#[derive(Debug, Clone)]
pub struct Legs {
    dir: PathBuf,
}

/// The part of each leg that holds the filesystem.
#[derive(Debug, Clone, Copy)]
pub struct DataArea {
    /// Bytes from the start of the disk.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl Legs {
    /// The images in `dir`, whether they exist yet or not.
    pub fn in_folder(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// The image files, first leg first.
    pub fn disks(&self) -> Vec<PathBuf> {
        vec![self.dir.join("a.img"), self.dir.join("b.img")]
    }

    /// Sparse copies of both images in the folder `dir`.
    pub fn copy_to(&self, dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        run::output(
            "copying the disks",
            Command::new("cp")
                .args(["--sparse=auto", "--reflink=auto", "-t"])
                .arg(dir)
                .args(self.disks()),
        )?;
        Ok(Self::in_folder(dir))
    }

    /// Where the data lies, read from the md superblock of the first leg.
    pub fn data_area(&self) -> Result<DataArea> {
        let path = self.dir.join("a.img");
        let mut superblock = [0; 256];
        File::open(&path)
            .and_then(|disk| {
                disk.read_exact_at(&mut superblock, MEMBER_BYTES + SUPERBLOCK_OFFSET_BYTES)
            })
            .with_context(|| format!("reading the md superblock of {}", path.display()))?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&superblock[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        if superblock[..4] != SUPERBLOCK_MAGIC.to_le_bytes() {
            bail!("{}: no md superblock: mdadm did not run", path.display());
        }
        Ok(DataArea {
            offset: MEMBER_BYTES + number(128) * SECTOR_BYTES,
            length: number(80) * SECTOR_BYTES,
        })
    }

    /// Mounts the filesystem of the first leg read-only, without replaying
    /// its journal.
    pub fn look(&self, at: &Path) -> Result<Mounted> {
        self.mount(at, "ro,norecovery")
    }

    /// Changes the filesystem: mounts the first leg at `at`, runs `change`
    /// there and brings the second leg to the same content.
    pub fn change(&self, at: &Path, change: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let mounted = self.mount(at, "rw")?;
        change(mounted.path())?;
        mounted.unmount()?;
        self.wait_until_written()?;
        self.mirror()
    }

    /// Waits until no loop device uses the first leg: what was killed in the
    /// mounted tree, or another test's program, may hold a copy of the mount a
    /// little longer, and the last of it is written when that goes.
    fn wait_until_written(&self) -> Result<()> {
        let disk = self.dir.join("a.img");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let mut losetup = Command::new("losetup");
            let used = run::output("asking for loop devices", losetup.arg("-j").arg(&disk))?;
            if used.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "still in use: {used}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn mount(&self, at: &Path, mode: &str) -> Result<Mounted> {
        let area = self.data_area()?;
        let disk = self.dir.join("a.img");
        let mut magic = [0; 4];
        File::open(&disk)
            .and_then(|disk| disk.read_exact_at(&mut magic, area.offset))
            .with_context(|| format!("reading {}", disk.display()))?;
        // A copy of the same filesystem may be mounted, too.
        let (filesystem, more) = match &magic == b"XFSB" {
            true => ("xfs", ",nouuid"),
            false => ("ext4", ""),
        };
        let options = format!(
            "loop,{mode}{more},offset={},sizelimit={}",
            area.offset, area.length
        );
        mounts::with_mount_program(&["-t", filesystem, "-o", &options], &disk, at)
    }

    /// Makes the second leg's data area equal to the first's, holes too.
    pub fn mirror(&self) -> Result<()> {
        let area = self.data_area()?;
        let [from_path, to_path] = [self.dir.join("a.img"), self.dir.join("b.img")];
        let mut from =
            File::open(&from_path).with_context(|| format!("opening {}", from_path.display()))?;
        let mut to = OpenOptions::new()
            .write(true)
            .open(&to_path)
            .with_context(|| format!("opening {}", to_path.display()))?;
        copy_area(&mut from, &mut to, area)
            .with_context(|| format!("copying {} to {}", from_path.display(), to_path.display()))
    }

    /// The SHA-256 of each disk, all bytes of it.
    pub fn digests(&self) -> Result<Vec<String>> {
        digest::files(&self.disks())
    }
}

fn copy_area(from: &mut File, to: &mut File, area: DataArea) -> Result<()> {
    let end = i64::try_from(area.offset + area.length)?;
    let start = i64::try_from(area.offset)?;
    fallocate(
        &*to,
        FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE,
        start,
        end - start,
    )?;
    let mut at = start;
    while at < end {
        let data = match lseek(&*from, at, Whence::SeekData) {
            Ok(data) if data < end => data,
            Ok(_) | Err(Errno::ENXIO) => break,
            Err(errno) => return Err(errno.into()),
        };
        at = lseek(&*from, data, Whence::SeekHole)?.min(end);
        from.seek(SeekFrom::Start(u64::try_from(data)?))?;
        to.seek(SeekFrom::Start(u64::try_from(data)?))?;
        std::io::copy(&mut from.take(u64::try_from(at - data)?), to)?;
    }
    Ok(())
}
