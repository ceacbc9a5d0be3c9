//! A module of GRUB: a relocatable ELF file with a name in a section of its own
//! (GRUB 2.12, `include/grub/dl.h`, `grub-core/kern/dl.c`).

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};

use goblin::elf::Elf;
use goblin::elf::header::ET_REL;
use goblin::elf::section_header::SHN_UNDEF;
use serde::{Deserialize, Serialize};

use super::grub_masks;

/// One module, as far as it must fit others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GrubModule {
    /// What it calls itself.
    pub name: Option<String>,
    /// The names that it gives to others.
    pub defines: BTreeSet<String>,
    /// The names that it wants of others.
    pub wants: BTreeSet<String>,
    /// Feature bits of a filesystem that it does not open; 0 when it is no
    /// driver, or that is not known.
    #[serde(default)]
    pub refuses: u32,
}

impl GrubModule {
    /// Reads one; nothing when it is no module.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        // The library is asked about hostile bytes: a panic in it is an answer.
        panic::catch_unwind(AssertUnwindSafe(|| parse(bytes))).ok()?
    }
}

fn parse(bytes: &[u8]) -> Option<GrubModule> {
    let elf = Elf::parse(bytes).ok()?;
    if elf.header.e_type != ET_REL {
        return None;
    }
    let mut module = GrubModule::default();
    let section = |name: &str| {
        let mut all = elf.section_headers.iter();
        let found = all.find(|section| elf.shdr_strtab.get_at(section.sh_name) == Some(name))?;
        bytes.get(found.file_range()?)
    };
    module.name = section(".modname").and_then(|raw| {
        let end = raw.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&raw[..end]).into_owned())
    });
    let text = section(".text").unwrap_or_default();
    module.refuses = match module.name.as_deref() {
        Some("ext2") => grub_masks::ext(text),
        Some("xfs") => grub_masks::xfs(text),
        _ => 0,
    };
    for symbol in &elf.syms {
        let name = elf.strtab.get_at(symbol.st_name).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        let names = match symbol.st_shndx == SHN_UNDEF as usize {
            true => &mut module.wants,
            false => &mut module.defines,
        };
        names.insert(name.to_owned());
    }
    Some(module)
}
