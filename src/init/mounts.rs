//! The kernel's own filesystems, where every program expects them.

use std::os::unix::fs::symlink;
use std::path::Path;

use nix::mount::MsFlags;

use crate::sys::machine::mount_kernel_filesystem;

/// One row of the table.
struct Mount {
    kind: &'static str,
    target: &'static str,
    flags: MsFlags,
    data: &'static str,
    needed: bool,
}

const LOCKED: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);
const GUARDED: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// In this order: later ones lie inside earlier ones. EFI variables are mounted
/// read-only: diagnosis looks at them, and some firmware dies of a bad write.
const MOUNTS: &[Mount] = &[
    row("proc", "/proc", LOCKED, "", true),
    row("sysfs", "/sys", LOCKED, "", true),
    row("devtmpfs", "/dev", MsFlags::MS_NOSUID, "mode=0755", true),
    row(
        "devpts",
        "/dev/pts",
        MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC),
        "gid=5,mode=620,ptmxmode=666",
        false,
    ),
    row("tmpfs", "/run", GUARDED, "mode=0755", true),
    row("tmpfs", "/tmp", GUARDED, "mode=1777", true),
    row("pstore", "/sys/fs/pstore", LOCKED, "", false),
    row(
        "efivarfs",
        "/sys/firmware/efi/efivars",
        LOCKED.union(MsFlags::MS_RDONLY),
        "",
        false,
    ),
];

const fn row(
    kind: &'static str,
    target: &'static str,
    flags: MsFlags,
    data: &'static str,
    needed: bool,
) -> Mount {
    Mount {
        kind,
        target,
        flags,
        data,
        needed,
    }
}

/// Links that shells and scripts rely on (`Documentation/admin-guide/devices.rst`).
const LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// Mounts the table; gives one sentence for each needed mount that failed.
pub fn mount_all() -> Vec<String> {
    let mut failures = Vec::new();
    for mount in MOUNTS {
        let target = Path::new(mount.target);
        let result = mount_kernel_filesystem(mount.kind, target, mount.flags, mount.data);
        if let (Err(error), true) = (result, mount.needed) {
            failures.push(format!(
                "mounting {} on {} failed: {error}",
                mount.kind, mount.target
            ));
        }
    }
    for (target, link) in LINKS {
        // It may exist already, or /dev may be missing, which was said above.
        let _ = symlink(target, link);
    }
    failures
}

/// Mounts what was not needed and could not be mounted before.
pub fn mount_optional() {
    for mount in MOUNTS.iter().filter(|mount| !mount.needed) {
        let target = Path::new(mount.target);
        // As before: a machine without it is none that lacks something.
        let _ = mount_kernel_filesystem(mount.kind, target, mount.flags, mount.data);
    }
}

/// What stays mounted until the end, for switching off.
pub fn targets() -> Vec<&'static Path> {
    MOUNTS.iter().map(|mount| Path::new(mount.target)).collect()
}
