//! Device-mapper through its ioctls (`linux/dm-ioctl.h`), without libdevmapper.
//!
//! A mapping of ours stands on read-only views when looking, so that its table
//! may be of any kind: what is below refuses every write.
#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::stat;
use zeroize::Zeroizing;

use super::loopdev::Access;
use super::{leftovers, node, retry};

const CONTROL: &str = "/dev/mapper/control";

/// Where the nodes of our mappings are made, and where when `/dev` is not ours
/// to write in.
const NODES: [&str; 2] = ["/dev/mapper", "/run/lifeboot/dev"];

/// Every mapping of this program is called so, with its process and a number.
const PREFIX: &str = "dm_lifeboot";

const READ_ONLY: u32 = 1;
/// The kernel wipes its copy of the call: a key may be in it.
const SECURE_DATA: u32 = 1 << 15;
const BUFFER_FULL: u32 = 1 << 8;

/// For udev's rules: no scanning, no links, no activation of what is inside.
const UDEV_KEEP_OFF: u32 = (0x02 | 0x04 | 0x08 | 0x40) << 16;

/// `struct dm_ioctl`; only its size and field places matter here.
#[repr(C)]
pub struct Header {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event: u32,
    padding: u32,
    device: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    data: [u8; 7],
}

const HEADER: usize = size_of::<Header>();
const SPEC: usize = 40;

mod request {
    use super::Header;

    nix::ioctl_readwrite!(version, 0xfd, 0, Header);
    nix::ioctl_readwrite!(create, 0xfd, 3, Header);
    nix::ioctl_readwrite!(remove, 0xfd, 4, Header);
    nix::ioctl_readwrite!(suspend, 0xfd, 6, Header);
    nix::ioctl_readwrite!(load, 0xfd, 9, Header);
    nix::ioctl_readwrite!(status, 0xfd, 12, Header);
    nix::ioctl_readwrite!(list_versions, 0xfd, 13, Header);
}

/// The calls that are made, by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Version,
    Create,
    Remove,
    Resume,
    Load,
    Status,
    Targets,
}

/// One stretch of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its length in sectors of 512 bytes.
    pub sectors: u64,
    /// `linear`, `striped`, `crypt`, `snapshot`, `raid`.
    pub kind: &'static str,
    /// What the target's documentation calls its parameters. Wiped when
    /// dropped: a key may be among them.
    pub parameters: Zeroizing<String>,
}

impl Target {
    /// A stretch of `sectors` sectors of this kind.
    pub fn new(sectors: u64, kind: &'static str, parameters: impl Into<String>) -> Self {
        Self {
            sectors,
            kind,
            parameters: Zeroizing::new(parameters.into()),
        }
    }
}

/// A mapping that this program made; it is removed when dropped.
#[derive(Debug)]
pub struct Mapping {
    name: String,
    node: PathBuf,
    number: (u64, u64),
}

/// Whether the running kernel has device-mapper; its modules must be loaded.
///
/// # Errors
/// Why it cannot be used.
pub fn available() -> io::Result<()> {
    Message::new("")?.send(Call::Version).map(drop)
}

/// True when the kernel knows this kind of target now.
pub fn has_target(kind: &str) -> bool {
    let answer = Message::new("").and_then(|mut message| {
        message.bytes.resize(64 * 1024, 0);
        message.send(Call::Targets)
    });
    let Ok(answer) = answer else {
        return false;
    };
    // struct dm_target_versions: next, version[3], name.
    let mut at = answer.data_start();
    loop {
        let name = answer.text(at + 16);
        if name == kind {
            return true;
        }
        match answer.word(at) {
            0 => return false,
            next => at += next as usize,
        }
        if at >= answer.bytes.len() {
            return false;
        }
    }
}

impl Mapping {
    /// Makes a mapping of `table`, its targets one behind the other. With
    /// [`Access::ReadOnly`] the kernel opens what is below for reading only.
    ///
    /// # Errors
    /// The kernel's; no device-mapper.
    pub fn create(table: &[Target], access: Access) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{number}", std::process::id());
        let mut message = Message::new(&name)?;
        message.set_uuid(&format!("LIFEBOOT-{name}"));
        // Noted first: a signal may end this process right after it is there.
        leftovers::note(leftovers::Kind::Mapping, &name);
        let created = message.send(Call::Create);
        let answer = match created {
            Ok(answer) => answer,
            Err(error) => {
                leftovers::forget(leftovers::Kind::Mapping, &name);
                return Err(error);
            }
        };
        let device = answer.device();
        let mut mapping = Self {
            name,
            node: PathBuf::new(),
            number: (stat::major(device), stat::minor(device)),
        };
        mapping.load(table, access)?;
        let mut resume = Message::new(&mapping.name)?;
        resume.set_event(UDEV_KEEP_OFF);
        resume.send(Call::Resume)?;
        mapping.node = make_node(&mapping.name, mapping.number)?;
        Ok(mapping)
    }

    fn load(&self, table: &[Target], access: Access) -> io::Result<()> {
        let mut message = Message::new(&self.name)?;
        let read_only = if access == Access::ReadOnly {
            READ_ONLY
        } else {
            0
        };
        message.set_flags(read_only | SECURE_DATA);
        message.set_table(table)?;
        message.send(Call::Load).map(drop).map_err(|error| {
            let kinds: Vec<_> = table.iter().map(|target| target.kind).collect();
            let kind = kinds.first().copied().unwrap_or_default();
            let what = format!("device-mapper does not take the table ({kind}): {error}");
            io::Error::new(error.kind(), what)
        })
    }

    /// Its block device.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// Major and minor number.
    pub fn number(&self) -> (u64, u64) {
        self.number
    }

    /// What its first target says of its state.
    ///
    /// # Errors
    /// The kernel's.
    pub fn status(&self) -> io::Result<String> {
        let mut message = Message::new(&self.name)?;
        message.bytes.resize(16 * 1024, 0);
        let answer = message.send(Call::Status)?;
        Ok(answer.text(answer.data_start() + SPEC))
    }

    /// Removes it.
    ///
    /// # Errors
    /// The kernel's; `ResourceBusy` when somebody keeps it open.
    pub fn close(self) -> io::Result<()> {
        let result = remove(&self.name);
        std::mem::forget(self);
        result
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // What cannot be removed now stays noted for the supervisor.
        let _ = remove(&self.name);
    }
}

/// True for the name of a mapping that this program makes.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) && !name.contains('/')
}

/// Removes the mapping `name` and its node; nothing to do when it is gone.
///
/// # Errors
/// The kernel's; `ResourceBusy` when somebody keeps it open.
pub fn remove(name: &str) -> io::Result<()> {
    // udev and the end of a mount may hold it a moment longer.
    let removed = retry::while_busy(|| Message::new(name)?.send(Call::Remove).map(drop));
    match removed {
        Err(error) if error.raw_os_error() != Some(nix::libc::ENXIO) => return Err(error),
        _ => {}
    }
    for place in NODES {
        let _ = fs::remove_file(Path::new(place).join(name));
    }
    leftovers::forget(leftovers::Kind::Mapping, name);
    Ok(())
}

fn make_node(name: &str, number: (u64, u64)) -> io::Result<PathBuf> {
    let [usual, other] = NODES.map(Path::new);
    node::block_node(name, number, usual).or_else(|_| node::block_node(name, number, other))
}

/// The control device, its node made where `/dev` lacks it. Its minor number
/// stands in `/proc/misc`.
fn control() -> io::Result<File> {
    let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
    let first = match open(Path::new(CONTROL)) {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    let misc = fs::read_to_string("/proc/misc")?;
    let minor = misc.lines().find_map(|line| {
        let (minor, name) = line.trim().split_once(' ')?;
        (name == "device-mapper").then(|| minor.parse().ok())?
    });
    let Some(minor) = minor else {
        let what = "this kernel has no device-mapper (dm_mod)";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    };
    let made = NODES.iter().find_map(|place| {
        let path = Path::new(place).join("control");
        node::character_node(&path, (10, minor)).ok()?;
        open(&path).ok()
    });
    made.ok_or(first)
}

/// The buffer of one call. Wiped when dropped: a key may be in it.
struct Message {
    control: File,
    bytes: Zeroizing<Vec<u8>>,
}

impl Message {
    fn new(name: &str) -> io::Result<Self> {
        let mut message = Self {
            control: control()?,
            bytes: Zeroizing::new(vec![0; HEADER]),
        };
        message.put(0, &4_u32.to_ne_bytes());
        message.put(16, &u32_of(HEADER).to_ne_bytes());
        if name.len() >= 128 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        message.put(48, name.as_bytes());
        Ok(message)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn set_uuid(&mut self, uuid: &str) {
        self.put(176, uuid.as_bytes());
    }

    fn set_flags(&mut self, flags: u32) {
        self.put(28, &flags.to_ne_bytes());
    }

    fn set_event(&mut self, event: u32) {
        self.put(32, &event.to_ne_bytes());
    }

    fn set_table(&mut self, table: &[Target]) -> io::Result<()> {
        // One allocation: growing would leave copies of a key behind.
        let text: usize = table.iter().map(|t| t.parameters.len() + 16).sum();
        let whole = HEADER + table.len() * SPEC + text;
        let mut bytes = Zeroizing::new(Vec::with_capacity(whole + 8));
        bytes.extend_from_slice(&self.bytes);
        let mut start = 0_u64;
        for target in table {
            let length = (SPEC + target.parameters.len() + 1).next_multiple_of(8);
            let end = bytes.len() + length;
            bytes.extend_from_slice(&start.to_ne_bytes());
            bytes.extend_from_slice(&target.sectors.to_ne_bytes());
            bytes.extend_from_slice(&0_u32.to_ne_bytes());
            bytes.extend_from_slice(&u32_of(length).to_ne_bytes());
            let mut kind = [0_u8; 16];
            let name = target.kind.as_bytes();
            kind.get_mut(..name.len())
                .ok_or(io::ErrorKind::InvalidInput)?
                .copy_from_slice(name);
            bytes.extend_from_slice(&kind);
            bytes.extend_from_slice(target.parameters.as_bytes());
            bytes.resize(end, 0);
            start = start
                .checked_add(target.sectors)
                .ok_or(io::ErrorKind::InvalidInput)?;
        }
        self.bytes = bytes;
        self.put(20, &u32_of(table.len()).to_ne_bytes());
        Ok(())
    }

    fn send(mut self, call: Call) -> io::Result<Self> {
        let length = u32_of(self.bytes.len());
        self.put(12, &length.to_ne_bytes());
        self.put(16, &u32_of(HEADER).to_ne_bytes());
        let fd = self.control.as_raw_fd();
        let header = self.bytes.as_mut_ptr().cast::<Header>();
        // SAFETY: the buffer begins with a struct dm_ioctl whose data_size is
        // the buffer's length; the kernel writes no further than that.
        let done = unsafe {
            match call {
                Call::Version => request::version(fd, header),
                Call::Create => request::create(fd, header),
                Call::Remove => request::remove(fd, header),
                Call::Resume => request::suspend(fd, header),
                Call::Load => request::load(fd, header),
                Call::Status => request::status(fd, header),
                Call::Targets => request::list_versions(fd, header),
            }
        };
        done?;
        if self.word(28) & BUFFER_FULL != 0 {
            return Err(io::Error::other("the kernel's answer is too long"));
        }
        Ok(self)
    }

    fn word(&self, at: usize) -> u32 {
        let raw = self.bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
        raw.map_or(0, u32::from_ne_bytes)
    }

    fn device(&self) -> u64 {
        let raw = self.bytes.get(40..48).and_then(|b| b.try_into().ok());
        raw.map_or(0, u64::from_ne_bytes)
    }

    fn data_start(&self) -> usize {
        self.word(16) as usize
    }

    fn text(&self, at: usize) -> String {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let end = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
        String::from_utf8_lossy(&rest[..end]).into_owned()
    }
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
