//! What the boot code of a BIOS disk loads: GRUB's core image.
//!
//! Sources, all of GRUB 2.12: `grub-core/boot/i386/pc/boot.S`, `diskboot.S` and
//! `startup_raw.S`, `include/grub/i386/pc/boot.h`, `include/grub/offsets.h`,
//! `include/grub/kernel.h`, `util/mkimage.c`. The layout is that of 1.99.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};

use lzma_rust2::LzmaReader;
use serde::{Deserialize, Serialize};

use super::Source;
use super::grub_module::GrubModule;
use super::little_endian::{u16_at, u32_at, u64_at};

pub(super) const SECTOR: usize = 512;

/// Where the boot code keeps the number of the core's first sector
/// (`GRUB_BOOT_MACHINE_KERNEL_SECTOR`).
pub(super) const KERNEL_SECTOR: usize = 0x5C;

/// What the boot code says when it fails. GRUB Legacy has no line end in it.
const BOOT_CODE_MARK: &[u8] = b" Error\r\n\0";

/// What the core's first sector says when it begins.
pub(super) const DISKBOOT_MARK: &[u8] = b"loading\0";

/// One entry of the core's block list, from the end of its first sector down.
pub(super) const BLOCK_LIST_ENTRY: usize = 12;

/// Largest core that the boot code could load below the video memory.
const CORE_BYTES_MAX: usize = 0xA_0000;

/// Largest unpacked core that is looked at; a usual one has 60 KiB.
const UNPACKED_BYTES_MAX: u32 = 4 << 20;

/// In the unpacking code: sizes of what follows it.
const COMPRESSED_SIZE: usize = 8;
const UNCOMPRESSED_SIZE: usize = 12;

/// Bytes of the codes that mend damaged sectors, which stand behind the core
/// (`GRUB_KERNEL_I386_PC_REED_SOLOMON_REDUNDANCY`); none at 0.
pub(super) const REDUNDANCY: usize = 16;

/// `movl $0x100000, %edi; movl $decompressor_end, %esi`: the second number is
/// where the packed part begins.
const UNPACK_CODE: &[u8] = &[0xBF, 0x00, 0x00, 0x10, 0x00, 0xBE];

/// The address that the unpacking code is linked for
/// (`GRUB_DECOMPRESSOR_I386_PC_BOOT_DEVICE` and its neighbours count from it).
const UNPACK_ADDRESS: u32 = 0x8200;

/// The dictionary that `grub-mkimage` packs with; lc 3, lp 0, pb 2.
const DICTIONARY_BYTES: u32 = 1 << 16;

/// Before the modules (`GRUB_MODULE_MAGIC`), and the kinds of what follows it.
pub(super) const MODULES_MAGIC: &[u8] = b"mimg";
const KIND_ELF: u32 = 0;
const KIND_CONFIG: u32 = 2;
const KIND_PREFIX: u32 = 3;

/// GRUB's core on one disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GrubCore {
    /// The sector that the boot code loads first.
    pub sector: u64,
    /// Where it looks for its modules and its configuration:
    /// `(mduuid/...)/boot/grub`, or without the device.
    pub prefix: Option<String>,
    /// Commands that it runs before it does.
    pub config: Option<String>,
    /// The modules inside it.
    pub modules: Vec<String>,
    /// The names that it gives to modules, sorted; and other words of its text.
    pub symbols: BTreeSet<String>,
    /// For each driver of a filesystem in it the feature bits that it refuses.
    #[serde(default)]
    pub refuses: BTreeMap<String, u32>,
    /// Why it is none, or cannot be looked into.
    pub trouble: Option<Trouble>,
    /// How much of the disk it takes.
    #[serde(default)]
    pub size: Option<CoreSize>,
}

/// The size of a core in sectors, the first one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CoreSize {
    /// With the codes behind it that mend damaged sectors.
    pub whole: u64,
    /// Without them.
    pub least: u64,
}

/// What is wrong with a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Trouble {
    /// Where the boot code looks for it there is something else.
    Absent,
    /// It could not be read or unpacked, and nothing is known of it.
    Unreadable {
        /// What kept it closed.
        why: String,
    },
}

/// Reads so many bytes of a disk at a byte; fewer at its end.
pub(super) type ReadAt<'r> = dyn Fn(u64, usize) -> io::Result<Vec<u8>> + 'r;

/// The core of the disk in `source`; nothing when its boot code is not GRUB's.
pub(super) fn read(file: &File, source: &Source) -> Option<GrubCore> {
    read_by(&|at, length| source.read_at(file, at, length))
}

/// The same of anything that can be read like a disk.
pub(super) fn read_by(read_at: &ReadAt<'_>) -> Option<GrubCore> {
    let boot = read_at(0, SECTOR).ok()?;
    let has = |bytes: &[u8], mark: &[u8]| bytes.windows(mark.len()).any(|word| word == mark);
    if !has(boot.get(..440)?, BOOT_CODE_MARK) {
        return None;
    }
    let sector = u64_at(&boot, KERNEL_SECTOR)?;
    let mut core = GrubCore {
        sector,
        ..GrubCore::default()
    };
    let at = sector.saturating_mul(SECTOR as u64);
    let unreadable = |why: String| Some(Trouble::Unreadable { why });
    match read_at(at, SECTOR) {
        Err(error) => core.trouble = unreadable(error.to_string()),
        Ok(first) if !has(&first, DISKBOOT_MARK) => core.trouble = Some(Trouble::Absent),
        Ok(first) => {
            let looked = load(read_at, &first).and_then(|packed| {
                core.size = size_of(&packed);
                core.look_into(&unpack(&packed)?)
            });
            core.trouble = looked.err().and_then(unreadable);
        }
    }
    Some(core)
}

/// The core at `sector`, as if all of it lay in one piece.
pub(super) fn whole(read_at: &ReadAt<'_>, sector: u64) -> Result<Vec<u8>, String> {
    let at = sector.saturating_mul(SECTOR as u64);
    let mut core = read_at(at, SECTOR).map_err(|error| error.to_string())?;
    let rest = load(read_at, &core)?;
    core.extend(rest);
    Ok(core)
}

/// Its size, from what follows its first sector. The codes that mend it are the
/// last part, as `util/setup.c` puts them there.
fn size_of(packed: &[u8]) -> Option<CoreSize> {
    let sectors = |bytes: usize| bytes.div_ceil(SECTOR) as u64 + 1;
    let codes = usize::try_from(u32_at(packed, REDUNDANCY)?).ok()?;
    Some(CoreSize {
        whole: sectors(packed.len()),
        least: sectors(packed.len().checked_sub(codes)?),
    })
}

/// What the first sector's block list names, behind each other.
fn load(read_at: &ReadAt<'_>, first: &[u8]) -> Result<Vec<u8>, String> {
    let mut packed = Vec::new();
    let mut end = SECTOR;
    while let Some(at) = end.checked_sub(BLOCK_LIST_ENTRY) {
        let start = u64_at(first, at).ok_or("its block list is cut off")?;
        let sectors = u16_at(first, at + 8).ok_or("its block list is cut off")?;
        if sectors == 0 {
            return Ok(packed);
        }
        let count = usize::from(sectors) * SECTOR;
        if packed.len() + count > CORE_BYTES_MAX {
            break;
        }
        let part = read_at(start.saturating_mul(SECTOR as u64), count)
            .map_err(|error| error.to_string())?;
        if part.len() < count {
            return Err("its block list leads behind the end of the disk".into());
        }
        packed.extend(part);
        end = at;
    }
    Err("its block list is longer than any core".into())
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let size = |at| u32_at(packed, at).filter(|size| *size <= UNPACKED_BYTES_MAX);
    let (Some(compressed), Some(uncompressed)) = (size(COMPRESSED_SIZE), size(UNCOMPRESSED_SIZE))
    else {
        return Err("its sizes make no sense".into());
    };
    let code = memchr::memmem::find(packed, UNPACK_CODE);
    let start = code
        .and_then(|at| u32_at(packed, at + UNPACK_CODE.len()))
        .and_then(|address| usize::try_from(address.checked_sub(UNPACK_ADDRESS)?).ok())
        .ok_or("it is packed in a way that this version does not know")?;
    let end = start.saturating_add(usize::try_from(compressed).unwrap_or(usize::MAX));
    let body = packed.get(start..end).ok_or("its packed part is cut off")?;
    let size = u64::from(uncompressed);
    let unpacked = LzmaReader::new(body, size, 3, 0, 2, DICTIONARY_BYTES, None);
    let mut image = Vec::new();
    unpacked
        .map(|reader| reader.take(size))
        .and_then(|mut reader| reader.read_to_end(&mut image))
        .map_err(|error| format!("it cannot be unpacked: {error}"))?;
    Ok(image)
}

impl GrubCore {
    /// What `grub-mkimage` put into a file, `core.img`.
    pub fn of_file(bytes: &[u8]) -> Self {
        let mut core = Self::default();
        let (first, packed) = bytes.split_at(bytes.len().min(SECTOR));
        if memchr::memmem::find(first, DISKBOOT_MARK).is_none() {
            core.trouble = Some(Trouble::Absent);
            return core;
        }
        core.size = size_of(packed);
        let looked = unpack(packed).and_then(|image| core.look_into(&image));
        core.trouble = looked.err().map(|why| Trouble::Unreadable { why });
        core
    }

    /// Reads the kernel of GRUB and what is packed with it.
    fn look_into(&mut self, image: &[u8]) -> Result<(), String> {
        let (kernel, objects) = parts(image).ok_or("it has no modules in it")?;
        self.symbols = words(kernel);
        let inside = Inside::of(objects)?;
        self.symbols.extend(inside.symbols);
        self.modules = inside.modules;
        self.refuses = inside.refuses;
        self.config = inside.config;
        self.prefix = inside.prefix;
        Ok(())
    }
}

/// What is packed with GRUB's kernel.
#[derive(Default)]
pub(super) struct Inside {
    pub(super) symbols: BTreeSet<String>,
    pub(super) modules: Vec<String>,
    pub(super) refuses: BTreeMap<String, u32>,
    pub(super) config: Option<String>,
    pub(super) prefix: Option<String>,
}

impl Inside {
    /// Reads the objects.
    ///
    /// # Errors
    /// A module that is none.
    pub(super) fn of(objects: Vec<Part<'_>>) -> Result<Self, String> {
        let mut inside = Self::default();
        for (kind, body) in objects {
            match kind {
                KIND_ELF => {
                    let module = GrubModule::read(body).ok_or("a module in it is damaged")?;
                    inside.symbols.extend(module.defines);
                    if let (Some(name), true) = (&module.name, module.refuses != 0) {
                        inside.refuses.insert(name.clone(), module.refuses);
                    }
                    inside.modules.extend(module.name);
                }
                KIND_CONFIG => inside.config = text(body),
                KIND_PREFIX => inside.prefix = text(body),
                _ => {}
            }
        }
        Ok(inside)
    }
}

/// A kind and what it is.
pub(super) type Part<'i> = (u32, &'i [u8]);

/// The kernel, and everything behind it by its kind.
fn parts(image: &[u8]) -> Option<(&[u8], Vec<Part<'_>>)> {
    memchr::memmem::find_iter(image, MODULES_MAGIC).find_map(|at| {
        let header = image.get(at..)?;
        let offset = usize::try_from(u32_at(header, 4)?).ok()?;
        let size = usize::try_from(u32_at(header, 8)?).ok()?;
        let parts = objects(header.get(offset..size)?)?;
        // The magic also stands in the code that looks for it.
        (!parts.is_empty()).then_some((&image[..at], parts))
    })
}

/// The objects that lie behind each other, by their kinds.
pub(super) fn objects(mut rest: &[u8]) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    while let (Some(kind), Some(length)) = (u32_at(rest, 0), u32_at(rest, 4)) {
        let length = usize::try_from(length).ok()?;
        parts.push((kind, rest.get(8..length)?));
        rest = rest.get(length..)?;
    }
    Some(parts)
}

/// Every NUL-terminated word that could be the name of a symbol. There are a
/// few too many; none that it exports is missing.
fn words(kernel: &[u8]) -> BTreeSet<String> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    kernel
        .split(|byte| *byte == 0)
        .filter_map(|piece| {
            // A name may follow other bytes that are no text.
            let start = piece.iter().rposition(|byte| !is_name(byte));
            let word = piece.get(start.map_or(0, |at| at + 1)..)?;
            let text = str::from_utf8(word).ok()?;
            (word.len() >= 4 && !word[0].is_ascii_digit()).then(|| text.to_owned())
        })
        .collect()
}

fn text(raw: &[u8]) -> Option<String> {
    let end = raw.iter().position(|byte| *byte == 0).unwrap_or(raw.len());
    let text = String::from_utf8_lossy(raw.get(..end)?).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
