//! All that a salvage notes of one name in an open directory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use nix::fcntl::{self, AtFlags, OFlag};
use nix::sys::stat::{self, Mode, SFlag};
use nix::sys::statfs;

use super::{Directory, Meta};
use crate::sys::xattr;

/// Filesystems that lie on no disk, and those of other machines (the kernel's
/// include/uapi/linux/magic.h; CIFS's and FUSE's are in their own sources).
const ELSEWHERE: [i64; 21] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x1cd1,      // devpts
    0x0102_1994, // tmpfs
    0x27_e0eb,   // cgroup
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xf97c_ff8c, // selinuxfs
    0x6165_676c, // pstore
    0xcafe_4a11, // bpf
    0x0187,      // autofs
    0x1980_0202, // mqueue
    0x9584_58f6, // hugetlbfs
    0x6265_6570, // configfs
    0x4249_4e4d, // binfmt_misc
    0x6969,      // nfs
    0xff53_4d42, // cifs
    0xfe53_4d42, // smb2
    0x6573_5546, // fuse
];

/// One name, a link not followed.
#[derive(Debug, Clone, Copy)]
pub struct Details {
    /// What `stat(2)` tells.
    pub meta: Meta,
    /// Its kind, as `stat(2)` tells it.
    pub format: SFlag,
    /// The number of a device.
    pub device: u64,
    /// Bytes that it takes on the disk: fewer than its size where it has holes.
    pub allocated: u64,
}

impl Directory {
    /// Everything about `name`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn details(&self, name: &OsStr) -> io::Result<Details> {
        let found = stat::fstatat(self.descriptor()?, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        Ok(Details {
            meta: Meta::new(&found),
            format: SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()),
            device: found.st_rdev,
            allocated: u64::try_from(found.st_blocks)
                .unwrap_or(0)
                .saturating_mul(512),
        })
    }

    /// What the symbolic link `name` says.
    ///
    /// # Errors
    /// The kernel's; `EINVAL` when it is no link.
    pub fn link_text(&self, name: &OsStr) -> io::Result<PathBuf> {
        Ok(fcntl::readlinkat(self.descriptor()?, name)?.into())
    }

    /// The extended attributes of `name`, a link itself included.
    ///
    /// # Errors
    /// The kernel's.
    pub fn attributes(&self, name: &OsStr) -> io::Result<BTreeMap<String, Vec<u8>>> {
        xattr::of(self.descriptor()?.as_fd(), name)
    }

    /// Opens the directory `name`; a link there is not followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn below(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = fcntl::openat(self.descriptor()?, name, flags, Mode::empty())?;
        Ok(Self::open(fd))
    }

    /// True for a filesystem that lies on no disk of this machine.
    ///
    /// # Errors
    /// The kernel's.
    pub fn is_elsewhere(&self) -> io::Result<bool> {
        let kind = statfs::fstatfs(self.descriptor()?)?.filesystem_type().0;
        #[allow(clippy::useless_conversion)] // another type with musl
        let kind = i64::try_from(kind).unwrap_or(0);
        Ok(ELSEWHERE.contains(&kind))
    }
}
