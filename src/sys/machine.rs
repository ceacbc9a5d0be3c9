//! The machine as a whole: kernel filesystems, switching off.

use std::env;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use nix::unistd::{gethostname, getpid};

/// `ramfs` in `include/uapi/linux/magic.h`; nix has no name for it.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// How to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Start the machine again.
    Reboot,
    /// Switch it off.
    PowerOff,
    /// Stop the processors, power on.
    Halt,
}

/// Mounts a filesystem of the kernel's own (`proc`, `tmpfs`, ...) unless
/// something is mounted there already. Missing directories are made.
pub fn mount_kernel_filesystem(
    kind: &str,
    target: &Path,
    flags: MsFlags,
    data: &str,
) -> io::Result<()> {
    if !target.is_dir() {
        fs::create_dir_all(target)?;
    }
    if is_mount_point(target)? {
        return Ok(());
    }
    match mount(Some(kind), target, Some(kind), flags, Some(data)) {
        Ok(()) | Err(nix::errno::Errno::EBUSY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn is_mount_point(target: &Path) -> io::Result<bool> {
    let own = fs::metadata(target)?.dev();
    let parent = fs::metadata(target.join(".."))?.dev();
    Ok(own != parent)
}

/// Whether `/` lies in memory, as it does in an initramfs.
pub fn root_is_in_memory() -> bool {
    statfs("/").is_ok_and(|fs| matches!(fs.filesystem_type(), RAMFS_MAGIC | TMPFS_MAGIC))
}

/// Who works at this machine, as far as it is known: the user behind sudo(8),
/// the host's name, and from where, over ssh (`SSH_CONNECTION` in ssh(1)).
pub fn operator() -> String {
    let user = env::var("SUDO_USER").or_else(|_| env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| "root".to_owned());
    let host = gethostname().map(|name| name.to_string_lossy().into_owned());
    let host = host.unwrap_or_else(|_| "unnamed".to_owned());
    let from = env::var("SSH_CONNECTION").ok();
    match from.as_deref().and_then(|ends| ends.split(' ').next()) {
        Some(from) => format!("{user}@{host}, from {from}"),
        None => format!("{user}@{host}"),
    }
}

/// The id of this boot of the running kernel, 32 digits, and when it began in
/// seconds since 1970.
pub fn this_boot() -> (Option<String>, Option<i64>) {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let id = id.map(|text| text.trim().replace('-', ""));
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let began = stat
        .lines()
        .find_map(|line| line.strip_prefix("btime "))
        .and_then(|number| number.trim().parse().ok());
    (id, began)
}

/// Makes Ctrl-Alt-Del a SIGINT for PID 1 instead of an immediate reset.
pub fn catch_ctrl_alt_del() -> io::Result<()> {
    Ok(set_cad_enabled(false)?)
}

/// Writes everything out and unmounts what was mounted since the start, newest
/// first; what is still in use becomes read-only. For PID 1 only.
pub fn sync_and_unmount(keep: &[&Path]) {
    if getpid().as_raw() != 1 {
        return;
    }
    nix::unistd::sync();
    let mounts = fs::read("/proc/self/mounts").unwrap_or_default();
    for target in mount_points(&mounts).iter().rev() {
        if keep.contains(&target.as_path()) || target == Path::new("/") {
            continue;
        }
        if umount2(target, MntFlags::empty()).is_err() {
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            let _ = mount(None::<&str>, target, None::<&str>, flags, None::<&str>);
        }
    }
    nix::unistd::sync();
}

/// The second field of each line, with `\040` and the like resolved (fstab(5)).
fn mount_points(text: &[u8]) -> Vec<PathBuf> {
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(1))
        .map(|field| PathBuf::from(std::ffi::OsString::from_vec(unescape(field))))
        .collect()
}

fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) =
            (first, tail)
        {
            plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = tail;
        } else {
            plain.push(*first);
            rest = tail;
        }
    }
    plain
}

/// Calls `reboot(2)`; comes back only with an error. For PID 1 only.
pub fn leave(how: Leave) -> io::Error {
    if getpid().as_raw() != 1 {
        return io::ErrorKind::PermissionDenied.into();
    }
    let mode = match how {
        Leave::Reboot => RebootMode::RB_AUTOBOOT,
        Leave::PowerOff => RebootMode::RB_POWER_OFF,
        Leave::Halt => RebootMode::RB_HALT_SYSTEM,
    };
    match reboot(mode) {
        Err(error) => error.into(),
        Ok(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_escapes() {
        let text = b"proc /proc proc rw 0 0\n/dev/md0 /mnt/a\\040b\\134c ext4 ro 0 0\nx\n\n";
        assert_eq!(
            mount_points(text),
            [PathBuf::from("/proc"), PathBuf::from("/mnt/a b\\c")]
        );
        assert_eq!(unescape(b"\\04"), b"\\04");
        assert_eq!(unescape(b"\\"), b"\\");
        assert_eq!(unescape(b"\\377x"), b"\xffx");
    }

    #[test]
    fn proc_is_a_mount_point_and_its_files_are_not() {
        assert!(is_mount_point(Path::new("/proc")).is_ok_and(|is| is));
        assert!(is_mount_point(Path::new("/proc/sys")).is_ok_and(|is| !is));
        assert!(is_mount_point(Path::new("/no/such/place")).is_err());
    }
}
