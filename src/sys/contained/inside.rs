//! The two processes between the rescue system and the patient's program.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, chroot, fchdir, pivot_root, sethostname};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

use super::ROLE;
use crate::sys::exact;
use crate::sys::root_dir::RootDir;

/// The exit code that tells that no program was run: `EX_SOFTWARE` of
/// sysexits.h, which no package tool uses.
pub(super) const BROKEN: i32 = 70;

/// The exit code of a program that a signal ended, as shells have it.
const KILLED: i32 = 128;

/// Device nodes that programs expect, taken from the rescue system.
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Links in `/dev`.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// What stands in the place of a program that must not do anything now.
const NOTHING: &str = "#!/bin/sh\necho \"lifeboot: ${0##*/} is left for later\"\n";

/// Memory that the patient's programs can fill in each of their directories in
/// memory.
const MEMORY_OPTION: &str = "size=25%,nr_inodes=100k";

/// What would reach beyond the tree (capabilities(7)): the kernel, devices,
/// mounts, the clock and the network of the rescue system.
const GIVEN_UP: [CapabilitySet; 17] = [
    CapabilitySet::SYS_ADMIN,
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
    CapabilitySet::SYS_BOOT,
    CapabilitySet::SYS_TIME,
    CapabilitySet::SYS_PTRACE,
    CapabilitySet::SYS_PACCT,
    CapabilitySet::SYS_TTY_CONFIG,
    CapabilitySet::SYSLOG,
    CapabilitySet::NET_ADMIN,
    CapabilitySet::NET_RAW,
    CapabilitySet::MAC_ADMIN,
    CapabilitySet::MAC_OVERRIDE,
    CapabilitySet::WAKE_ALARM,
    CapabilitySet::BPF,
    CapabilitySet::PERFMON,
    CapabilitySet::CHECKPOINT_RESTORE,
];

/// True when this program was started to stand between.
pub fn is_our_role() -> bool {
    std::env::args_os().next().is_some_and(|name| name == ROLE)
}

/// Plays the role that the arguments tell; the exit code.
pub fn play() -> u8 {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let played = match args.split_first() {
        Some((role, rest)) if role == "outer" => outer(rest),
        Some((role, rest)) if role == "first" => first(rest),
        _ => Err(io::Error::other("this name is for lifeboot's own use")),
    };
    match played {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lifeboot: no program was run: {error}");
            u8::try_from(BROKEN).unwrap_or(1)
        }
    }
}

/// Makes the namespaces and all but `/proc` and `/sys`, which belong to the
/// new processes.
fn outer(args: &[OsString]) -> io::Result<u8> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    let [root, left_out, words @ ..] = args else {
        return Err(io::Error::other("words are missing"));
    };
    let flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET;
    unshare(flags)?;
    set_mount(None, "/", None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    let _ = sethostname("rescue");
    // Whatever the tree is mounted with, a device node in it is no device here.
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    set_mount(None, Path::new(root), None, flags, None)?;
    let tree = RootDir::open(PathBuf::from(root))?;
    devices(&tree)?;
    for place in ["/run", "/tmp"] {
        let own = in_memory(&tree, place)?;
        let mode = if place == "/tmp" { 0o1777 } else { 0o755 };
        fs::set_permissions(named(&own), fs::Permissions::from_mode(mode))?;
        if place == "/run" {
            let run = named(&own);
            fs::create_dir(run.join("lock"))?;
            leave_out(&run, left_out)?;
            fs::create_dir(run.join("systemd"))?;
            fs::write(run.join("systemd/container"), CONTAINER)?;
        }
    }
    let child = Command::new("/proc/self/exe")
        .arg0(ROLE)
        .arg("first")
        .arg(root)
        .args(words)
        .spawn()?;
    ended(child)
}

/// What /run/systemd/container says: systemd-detect-virt(1) finds a container
/// by it, and the maintainer scripts of GRUB then do not ask for disks.
const CONTAINER: &str = "lifeboot\n";

/// Puts a program that does nothing in the place of others: first in PATH, so
/// that dpkg can still replace the patient's own files.
fn leave_out(run: &Path, names: &OsStr) -> io::Result<()> {
    let folder = run.join("lifeboot");
    fs::create_dir(&folder)?;
    for name in names
        .to_string_lossy()
        .split(':')
        .filter(|name| !name.is_empty())
    {
        let path = folder.join(name);
        fs::write(&path, NOTHING)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Process 1 of the patient's processes.
fn first(args: &[OsString]) -> io::Result<u8> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    let [root, program, words @ ..] = args else {
        return Err(io::Error::other("words are missing"));
    };
    if std::process::id() != 1 {
        return Err(io::Error::other("this is not process 1"));
    }
    let tree = RootDir::open(PathBuf::from(root))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount_at(&tree, "/proc", "proc", flags, None)?;
    // A kernel may refuse it where the rescue system hides a part of its own.
    let _ = mount_at(&tree, "/sys", "sysfs", flags | MsFlags::MS_RDONLY, None);
    enter(&tree)?;
    for capability in GIVEN_UP {
        // One that this kernel does not know cannot be used, either.
        let _ = remove_capability_from_bounding_set(capability);
    }
    let child = Command::new(program).args(words).spawn().map_err(|error| {
        let text = format!("starting {} of the patient: {error}", program.display());
        io::Error::new(error.kind(), text)
    })?;
    ended(child)
}

/// Waits for `child`, and collects whatever else becomes this process's.
fn ended(child: Child) -> io::Result<u8> {
    let wanted = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    loop {
        let code = match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == wanted => code,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == wanted => KILLED + signal as i32,
            Ok(_) | Err(Errno::EINTR) => continue,
            // A signal without a name ended it: waitpid has collected it.
            Err(Errno::EINVAL) => continue,
            Err(_) => BROKEN,
        };
        return Ok(u8::try_from(code).unwrap_or(1));
    }
}

/// `/dev`: a directory in memory where no node works but those of [`NODES`],
/// which are the rescue system's own.
fn devices(tree: &RootDir) -> io::Result<()> {
    let dev = in_memory(tree, "/dev")?;
    let dev = named(&dev);
    for name in NODES {
        let from = Path::new("/dev").join(name);
        let at = dev.join(name);
        File::create(&at)?;
        // /dev/tty is no good without a terminal, and may lack.
        let bound = set_mount(Some(from.as_os_str()), &at, None, MsFlags::MS_BIND, None);
        match bound {
            Err(error) if name != "tty" => {
                let text = format!("giving the patient {}: {error}", from.display());
                return Err(io::Error::new(error.kind(), text));
            }
            _ => {}
        }
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name))?;
    }
    let shm = dev.join("shm");
    fs::create_dir(&shm)?;
    fs::set_permissions(&shm, fs::Permissions::from_mode(0o1777))?;
    let pts = dev.join("pts");
    fs::create_dir(&pts)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let options = Some("newinstance,ptmxmode=0666,mode=0620,gid=5");
    // Only a program that makes a terminal for itself needs it.
    if set_mount(None, &pts, Some("devpts"), flags, options).is_ok() {
        symlink("pts/ptmx", dev.join("ptmx"))?;
    }
    Ok(())
}

/// Mounts a directory in memory at `place` of the tree, and opens it.
fn in_memory(tree: &RootDir, place: &str) -> io::Result<OwnedFd> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_at(tree, place, "tmpfs", flags, Some(MEMORY_OPTION))?;
    // What was opened before the mount lies below it.
    let again = RootDir::open(tree.path())?;
    exact::open_dir(&again, Path::new(place))
}

/// Mounts a filesystem of the kernel's at `place`, wherever a hostile tree
/// might want it: no link is followed.
fn mount_at(
    tree: &RootDir,
    place: &str,
    kind: &str,
    flags: MsFlags,
    options: Option<&str>,
) -> io::Result<()> {
    let told = |error: io::Error| {
        let text = format!("{place} of the patient is no directory to mount at: {error}");
        io::Error::new(error.kind(), text)
    };
    let at = exact::open_dir(tree, Path::new(place)).map_err(told)?;
    set_mount(None, named(&at), Some(kind), flags, options).map_err(told)
}

/// Makes the tree the root of this process, and lets go of everything else.
fn enter(tree: &RootDir) -> io::Result<()> {
    fchdir(tree.fd())?;
    // The tree is a mount of its own: pivot_root(2) asks for one.
    match pivot_root(".", ".") {
        Ok(()) => umount2(".", MntFlags::MNT_DETACH)?,
        // The root of the rescue system is an initramfs, which cannot be moved.
        Err(Errno::EINVAL) => cover_the_old_root()?,
        Err(errno) => return Err(errno.into()),
    }
    chdir("/")?;
    Ok(())
}

/// Lays the tree, where this process stands, over an initramfs, as
/// switch_root(8) does. What was mounted in the initramfs goes, and no device
/// node works in what is left of it.
fn cover_the_old_root() -> io::Result<()> {
    set_mount(Some(OsStr::new(".")), "/", None, MsFlags::MS_MOVE, None)?;
    // This process's root is still the old one, so these are the old places.
    for place in fs::read_dir("/")? {
        let place = place?.path();
        if place.is_dir() {
            // Most are no mounts.
            let _ = umount2(&place, MntFlags::MNT_DETACH);
        }
    }
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    set_mount(None, "/", None, flags, None)?;
    chroot(".")?;
    Ok(())
}

fn named(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

fn set_mount(
    source: Option<&OsStr>,
    at: impl AsRef<Path>,
    kind: Option<&str>,
    flags: MsFlags,
    options: Option<&str>,
) -> io::Result<()> {
    let source = source.or(kind.map(OsStr::new));
    Ok(mount(source, at.as_ref(), kind, flags, options)?)
}
