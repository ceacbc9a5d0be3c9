//! A program of UEFI: what machine it is for, whether it is whole and signed,
//! and which boot loader it is.
//!
//! Sources: Microsoft, "PE Format"; UEFI 2.10, 2.1.1; GRUB 2.12,
//! `include/grub/kernel.h`; shim 15.8, `include/loader-proto.h`, `SBAT.md`;
//! systemd 257, `src/boot/boot.c`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::grub_core::{self, Inside};
use super::super::little_endian::{u16_at, u32_at, u64_at};

/// Largest table of sections that is believed; a kernel image has 8.
const SECTIONS_MAX: usize = 96;

/// Bytes of an entry in the table of sections.
const SECTION: usize = 40;

/// Place of the entry for signatures among the data directories.
const SECURITY: usize = 4;

/// Which program it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Loader {
    /// GRUB.
    Grub {
        /// Where it looks for its configuration: `/EFI/debian`.
        prefix: Option<String>,
        /// Commands that it runs before it does.
        config: Option<String>,
        /// The modules inside it.
        modules: Vec<String>,
        /// For each driver of a filesystem in it the feature bits that it
        /// refuses.
        #[serde(default)]
        refuses: BTreeMap<String, u32>,
    },
    /// shim, which starts another program of its directory.
    Shim {
        /// That program: `grubx64.efi`.
        next: String,
    },
    /// The part of shim that makes entries in the firmware's memory.
    ShimFallback,
    /// systemd-boot.
    SystemdBoot,
    /// A Linux kernel, alone or with its initramfs (a unified kernel image).
    Linux {
        /// True when it carries a whole entry.
        unified: bool,
        /// The command line in it.
        command_line: Option<String>,
        /// True when there is an initramfs in it.
        initramfs: bool,
    },
    /// Something else.
    #[default]
    Other,
}

/// A program of UEFI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Program {
    /// `x86-64`, `x86`, `arm64`, or a number.
    pub machine: String,
    /// How long the file must be for its last section and signature.
    pub wants: u64,
    /// True when it has a signature for Secure Boot. Whose is not looked at.
    pub signed: bool,
    /// True when it tells its generation to Secure Boot (SBAT).
    pub sbat: bool,
    /// Which one it is.
    pub loader: Loader,
}

impl Program {
    /// Reads one from the bytes that are there of it; nothing when it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let start = usize::try_from(u32_at(bytes, 0x3C)?).ok()?;
        let header = bytes.get(start..)?;
        if !bytes.starts_with(b"MZ") || !header.starts_with(b"PE\0\0") {
            return None;
        }
        let machine = match u16_at(header, 4)? {
            0x8664 => "x86-64".into(),
            0x14C => "x86".into(),
            0xAA64 => "arm64".into(),
            other => format!("{other:#06x}"),
        };
        // The data directories stand behind fields that are longer in PE32+.
        let directories = match u16_at(header, 24)? {
            0x20B => 24 + 112,
            _ => 24 + 96,
        };
        let security = directories + SECURITY * 8;
        let signature = (u32_at(header, security)?, u32_at(header, security + 4)?);
        let sections = sections(header)?;
        let last = sections.iter().map(|s| s.at + s.bytes).max().unwrap_or(0);
        let signature_end = u64::from(signature.0) + u64::from(signature.1);
        Some(Self {
            machine,
            wants: last.max(signature_end),
            signed: signature.0 > 0 && signature.1 > 0,
            sbat: sections.iter().any(|section| section.name == ".sbat"),
            loader: loader(bytes, &sections),
        })
    }
}

struct Section {
    name: String,
    at: u64,
    bytes: u64,
    /// Its bytes without the padding behind them.
    used: u64,
}

impl Section {
    fn content<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let at = usize::try_from(self.at).ok()?;
        let end = at.checked_add(usize::try_from(self.bytes).ok()?)?;
        bytes.get(at..end)
    }
}

fn sections(header: &[u8]) -> Option<Vec<Section>> {
    let count = usize::from(u16_at(header, 6)?).min(SECTIONS_MAX);
    let table = 24 + usize::from(u16_at(header, 20)?);
    let entries = (0..count).map_while(|index| header.get(table + index * SECTION..));
    let sections = entries.map_while(|entry| {
        let name = entry.get(..8)?.split(|byte| *byte == 0).next()?;
        Some(Section {
            name: String::from_utf8_lossy(name).into_owned(),
            used: u64::from(u32_at(entry, 8)?),
            bytes: u64::from(u32_at(entry, 16)?),
            at: u64::from(u32_at(entry, 20)?),
        })
    });
    Some(sections.collect())
}

fn loader(bytes: &[u8], sections: &[Section]) -> Loader {
    let section = |name: &str| sections.iter().find(|section| section.name == name);
    let text = |name: &str| {
        let section = section(name)?;
        let used = usize::try_from(section.used).unwrap_or(usize::MAX);
        let content = section.content(bytes)?;
        let content = content.get(..used).unwrap_or(content);
        let text = String::from_utf8_lossy(content);
        Some(text.trim_end_matches('\0').trim().to_owned())
    };
    if let Some(modules) = section("mods").and_then(|mods| mods.content(bytes)) {
        return grub(modules).unwrap_or_default();
    }
    if section(".linux").is_some() {
        return Loader::Linux {
            unified: true,
            command_line: text(".cmdline"),
            initramfs: section(".initrd").is_some(),
        };
    }
    let is_kernel =
        bytes.get(0x202..0x206) == Some(b"HdrS") || bytes.get(0x38..0x3C) == Some(b"ARM\x64");
    if is_kernel {
        return Loader::Linux {
            unified: false,
            command_line: None,
            initramfs: false,
        };
    }
    if text(".sdmagic").is_some_and(|magic| magic.contains("systemd-boot")) {
        return Loader::SystemdBoot;
    }
    if text(".sbat").is_some_and(|sbat| sbat.contains("\nshim,")) {
        return shim(bytes);
    }
    Loader::Other
}

/// shim and its helpers carry the same SBAT; only shim itself names what it
/// starts, and only its fallback knows the lists that it reads.
fn shim(bytes: &[u8]) -> Loader {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let has = |text: &str| memchr::memmem::find(bytes, &wide(text)).is_some();
    let names = ["grubx64.efi", "grubia32.efi", "grubaa64.efi"];
    let next = names.iter().find(|name| has(&format!("\\{name}")));
    match next {
        Some(next) => Loader::Shim {
            next: (*next).to_owned(),
        },
        None if has("\\EFI\\") && has("boot.csv") => Loader::ShimFallback,
        None => Loader::Other,
    }
}

/// What `grub-mkimage` puts behind GRUB's kernel (`grub_module_info64`, or the
/// shorter one of 32 bits).
fn grub(section: &[u8]) -> Option<Loader> {
    if !section.starts_with(grub_core::MODULES_MAGIC) {
        return None;
    }
    let long = u64_at(section, 8).zip(u64_at(section, 16));
    let long = long.filter(|(offset, _)| *offset == 24);
    let (offset, size) = match long {
        Some(both) => both,
        None => (
            u64::from(u32_at(section, 4)?),
            u64::from(u32_at(section, 8)?),
        ),
    };
    let objects = section.get(usize::try_from(offset).ok()?..usize::try_from(size).ok()?)?;
    let inside = Inside::of(grub_core::objects(objects)?).ok()?;
    Some(Loader::Grub {
        prefix: inside.prefix,
        config: inside.config,
        modules: inside.modules,
        refuses: inside.refuses,
    })
}
