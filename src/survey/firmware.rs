//! The firmware of the machine: how it started the rescue system, and the boot
//! entries in its memory (UEFI 2.10, 3.1.3 "Load Options", 3.3 "Globally Defined
//! Variables" and 10.3 "Device Path Nodes"; Linux,
//! `Documentation/filesystems/efivarfs.rst`).

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::little_endian::{field, u16_at, u32_at};
use super::table::guid;

/// The kernel shows the variables here, where efivarfs is mounted.
const VARIABLES: &str = "/sys/firmware/efi/efivars";

/// Who defined the variables that are read.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Largest variable that is read; an entry has some 200 bytes.
const VARIABLE_BYTES_MAX: u64 = 64 << 10;

/// Entries that are read.
const ENTRIES_MAX: usize = 256;

/// Bytes before the value: its attributes.
const ATTRIBUTES: usize = 4;

/// An entry that the firmware may start (`LOAD_OPTION_ACTIVE`).
const ACTIVE: u32 = 1;

/// How the rescue system was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Firmware {
    /// Not by UEFI, as far as its kernel knows.
    Bios,
    /// By UEFI.
    Uefi(Nvram),
}

/// The variables that decide what is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Nvram {
    /// The numbers of the entries in the order in which they are tried.
    pub order: Vec<u16>,
    /// The entry that was started last.
    pub current: Option<u16>,
    /// The entry that is started next time only.
    pub next: Option<u16>,
    /// The entries, by number.
    pub entries: Vec<BootEntry>,
    /// Whether only signed programs are started.
    pub secure_boot: Option<bool>,
    /// Whether the keys for that are still to be given.
    pub setup_mode: Option<bool>,
    /// Why nothing of this is known.
    pub unreadable: Option<String>,
}

/// One entry: `Boot0001`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BootEntry {
    /// Its number.
    pub number: u16,
    /// True when it is tried.
    pub active: bool,
    /// What the firmware's menu shows.
    pub title: String,
    /// The partition that it names, as a PARTUUID.
    pub partition: Option<String>,
    /// The file on it, with slashes: `/EFI/debian/shimx64.efi`.
    pub file: Option<String>,
}

/// Asks the kernel; nothing where that says nothing about a PC's firmware.
pub(super) fn of_machine() -> Option<Firmware> {
    if Path::new("/sys/firmware/efi").is_dir() {
        return Some(Firmware::Uefi(nvram(Path::new(VARIABLES))));
    }
    cfg!(target_arch = "x86_64").then_some(Firmware::Bios)
}

fn nvram(folder: &Path) -> Nvram {
    let mut nvram = Nvram::default();
    let names = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten(),
        Err(error) => {
            nvram.unreadable = Some(format!("{}: {error}", folder.display()));
            return nvram;
        }
    };
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    if names.is_empty() {
        let why = format!("{} is empty: efivarfs is not mounted", folder.display());
        nvram.unreadable = Some(why);
        return nvram;
    }
    names.sort();
    let value = |name: &str| variable(&folder.join(format!("{name}-{GLOBAL}")));
    let number = |name: &str| u16_at(&value(name)?, 0);
    let flag = |name: &str| Some(*value(name)?.first()? == 1);
    nvram.order = value("BootOrder")
        .unwrap_or_default()
        .chunks_exact(2)
        .filter_map(|raw| u16_at(raw, 0))
        .collect();
    nvram.current = number("BootCurrent");
    nvram.next = number("BootNext");
    nvram.secure_boot = flag("SecureBoot");
    nvram.setup_mode = flag("SetupMode");
    let entries = names.iter().filter_map(|name| {
        let number = entry_number(name)?;
        load_option(number, &value(&format!("Boot{number:04X}"))?)
    });
    nvram.entries = entries.take(ENTRIES_MAX).collect();
    nvram
}

/// `Boot0001-8be4df61-...`
fn entry_number(name: &str) -> Option<u16> {
    let digits = name.strip_prefix("Boot")?.strip_suffix(GLOBAL)?;
    let digits = digits.strip_suffix('-').filter(|d| d.len() == 4)?;
    u16::from_str_radix(digits, 16).ok()
}

fn variable(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(VARIABLE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    bytes.get(ATTRIBUTES..).map(<[u8]>::to_vec)
}

/// `EFI_LOAD_OPTION`: attributes, the length of the path, a title, the path.
fn load_option(number: u16, raw: &[u8]) -> Option<BootEntry> {
    let attributes = u32_at(raw, 0)?;
    let length = usize::from(u16_at(raw, 4)?);
    let (title, used) = wide_text(raw.get(6..)?);
    let mut entry = BootEntry {
        number,
        active: attributes & ACTIVE != 0,
        title,
        ..BootEntry::default()
    };
    let path = raw.get(6 + used..).unwrap_or_default();
    entry.follow(path.get(..length).unwrap_or(path));
    Some(entry)
}

/// Text of two bytes a letter up to a zero, and how many bytes it has with it.
fn wide_text(raw: &[u8]) -> (String, usize) {
    let letters: Vec<u16> = raw
        .chunks_exact(2)
        .filter_map(|pair| u16_at(pair, 0))
        .take_while(|letter| *letter != 0)
        .collect();
    (String::from_utf16_lossy(&letters), (letters.len() + 1) * 2)
}

impl BootEntry {
    /// Reads the nodes of a device path.
    fn follow(&mut self, mut path: &[u8]) {
        const MEDIA: u8 = 4;
        const HARD_DRIVE: u8 = 1;
        const FILE_PATH: u8 = 4;
        while let (Some([kind, below]), Some(length)) = (field(path, 0), u16_at(path, 2)) {
            let node = path.get(4..usize::from(length));
            let Some(node) = node else { return };
            match (kind, below) {
                (MEDIA, HARD_DRIVE) => self.partition = partition(node),
                (MEDIA, FILE_PATH) => {
                    let part = wide_text(node).0.replace('\\', "/");
                    let file = self.file.get_or_insert_default();
                    if !file.ends_with('/') && !part.starts_with('/') {
                        file.push('/');
                    }
                    file.push_str(&part);
                }
                (0x7F, _) => return,
                _ => {}
            }
            path = path.get(usize::from(length)..).unwrap_or_default();
        }
    }
}

/// A partition by the GUID or, on an MBR, by signature and number.
fn partition(node: &[u8]) -> Option<String> {
    let number = u32_at(node, 0)?;
    let signature: [u8; 16] = field(node, 20)?;
    match node.get(37)? {
        1 => Some(format!("{:08x}-{number:02x}", u32_at(&signature, 0)?)),
        2 => Some(guid(&signature)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `Boot0001` as OVMF keeps it after `grub-install` of Debian 12.
    fn debian() -> Vec<u8> {
        let wide =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let file = [wide("\\EFI\\debian\\shimx64.efi"), vec![0, 0]].concat();
        let mut drive = vec![4, 1, 42, 0, 1, 0, 0, 0];
        drive.extend(2048_u64.to_le_bytes());
        drive.extend(131_072_u64.to_le_bytes());
        drive.extend([0x28, 0x73, 0x2A, 0xC1, 0x1F, 0xF8, 0xD2, 0x11]);
        drive.extend([0xBA, 0x4B, 0, 0xA0, 0xC9, 0x3E, 0xC9, 0x3B, 2, 2]);
        let length = u16::try_from(4 + file.len()).unwrap();
        let path = [
            drive,
            vec![4, 4],
            length.to_le_bytes().to_vec(),
            file,
            vec![0x7F, 0xFF, 4, 0],
        ]
        .concat();
        let length = u16::try_from(path.len()).unwrap();
        [
            vec![1, 0, 0, 0],
            length.to_le_bytes().to_vec(),
            wide("debian"),
            vec![0, 0],
            path,
        ]
        .concat()
    }

    #[test]
    fn an_entry_names_its_partition_and_file() {
        let entry = load_option(1, &debian()).unwrap();
        assert!(entry.active);
        assert_eq!(entry.title, "debian");
        assert_eq!(entry.file.as_deref(), Some("/EFI/debian/shimx64.efi"));
        let esp = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
        assert_eq!(entry.partition.as_deref(), Some(esp));
    }

    #[test]
    fn cut_and_scrambled_entries_end() {
        let whole = debian();
        for end in 0..whole.len() {
            let _ = load_option(1, &whole[..end]);
            let mut bad = whole.clone();
            bad[end] = 0xFF;
            let _ = load_option(1, &bad);
            bad[end] = 0;
            let _ = load_option(1, &bad);
        }
    }

    #[test]
    fn the_variables_of_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, value: &[u8]| {
            let path = folder.path().join(format!("{name}-{GLOBAL}"));
            fs::write(path, [&[7, 0, 0, 0], value].concat()).unwrap();
        };
        assert!(nvram(folder.path()).unreadable.is_some());
        put("BootOrder", &[1, 0, 0x0A, 0]);
        put("Boot0001", &debian());
        put("BootOrderDefault", &[1]);
        put("SecureBoot", &[1]);
        put("SetupMode", &[0]);
        let read = nvram(folder.path());
        assert_eq!(read.order, [1, 10]);
        assert_eq!(read.entries.len(), 1);
        assert_eq!(
            (read.secure_boot, read.setup_mode),
            (Some(true), Some(false))
        );
    }
}
