//! Which symbols of an object the loader looks up, and when.
//!
//! Source: glibc elf/dynamic-link.h and elf/dl-reloc.c: what `DT_RELA` and
//! `DT_REL` name is looked up at the start, what `DT_JMPREL` names when it is
//! first called, unless the object is bound at once.

use goblin::elf::dynamic::{
    DF_1_NOW, DF_BIND_NOW, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_JMPREL, DT_PLTREL, DT_PLTRELSZ,
    DT_REL, DT_RELA, DT_RELACOUNT, DT_RELASZ, DT_RELCOUNT, DT_RELSZ,
};
use goblin::elf::header::{
    EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_MIPS, EM_PPC, EM_PPC64, EM_RISCV, EM_S390,
    EM_SPARCV9, EM_X86_64,
};

use super::table::SYMBOLS_MAX;
use crate::facts::elf::damage::Damage;
use crate::facts::elf::image::{Bytes, Image};
use crate::facts::elf::object::dynamic::Dynamic;

/// Looked up before the program begins.
pub(super) const AT_START: u8 = 1;
/// Looked up when it is first called.
pub(super) const AT_CALL: u8 = 2;
/// Copied into the program out of another object.
pub(super) const COPIED: u8 = 4;

/// Entries read at once.
const CHUNK: u64 = 4096;

/// One table of relocations.
#[derive(Debug, Clone, Copy)]
struct Relocations {
    offset: u64,
    bytes: u64,
    has_addends: bool,
    /// So many at its begin have no symbol.
    relative: u64,
    mark: u8,
}

/// How each symbol is used, by its number; 0 where it is not.
pub(super) fn marks<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    dynamic: &Dynamic,
) -> Result<Vec<u8>, Damage> {
    if dynamic.machine == EM_MIPS {
        // Its symbols are bound by the table of addresses instead.
        return Err(Damage::malformed("no relocations that are known"));
    }
    let mut marks = Vec::new();
    for table in tables(dynamic)? {
        read(image, dynamic, table, &mut marks)?;
    }
    Ok(marks)
}

fn tables(dynamic: &Dynamic) -> Result<Vec<Relocations>, Damage> {
    let mut tables = Vec::new();
    let mut lazy = None;
    if let Some(offset) = dynamic.table(DT_JMPREL)? {
        let table = Relocations {
            offset,
            bytes: dynamic.last(DT_PLTRELSZ).unwrap_or(0),
            has_addends: dynamic.last(DT_PLTREL) == Some(DT_RELA),
            relative: 0,
            mark: if binds_now(dynamic) {
                AT_START
            } else {
                AT_CALL
            },
        };
        lazy = Some(table);
        tables.push(table);
    }
    let kinds = [
        (DT_RELA, DT_RELASZ, DT_RELACOUNT, true),
        (DT_REL, DT_RELSZ, DT_RELCOUNT, false),
    ];
    for (tag, size, count, has_addends) in kinds {
        let mut bytes = dynamic.last(size).unwrap_or(0);
        // Some linkers leave an address that leads nowhere.
        if bytes == 0 {
            continue;
        }
        let Some(offset) = dynamic.table(tag)? else {
            continue;
        };
        // Some linkers count the lazy ones at its end, too.
        let end = offset.saturating_add(bytes);
        if let Some(lazy) = lazy.filter(|l| l.offset.saturating_add(l.bytes) == end) {
            bytes = bytes.saturating_sub(lazy.bytes);
        }
        tables.push(Relocations {
            offset,
            bytes,
            has_addends,
            relative: dynamic.last(count).unwrap_or(0),
            mark: AT_START,
        });
    }
    Ok(tables)
}

fn binds_now(dynamic: &Dynamic) -> bool {
    let has = |tag: u64, flag: u64| dynamic.last(tag).is_some_and(|flags| flags & flag != 0);
    dynamic.last(DT_BIND_NOW).is_some() || has(DT_FLAGS, DF_BIND_NOW) || has(DT_FLAGS_1, DF_1_NOW)
}

fn read<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    dynamic: &Dynamic,
    table: Relocations,
    marks: &mut Vec<u8>,
) -> Result<(), Damage> {
    let fields = dynamic.fields;
    let word = fields.address_bytes();
    let each = if table.has_addends {
        3 * word
    } else {
        2 * word
    };
    let count = table.bytes / each as u64;
    let mut next = table.relative.min(count);
    while next < count {
        let now = (count - next).min(CHUNK);
        let at = table.offset.saturating_add(next * each as u64);
        let bytes = image.bytes(at, usize::try_from(now).unwrap_or(0) * each)?;
        for entry in bytes.chunks_exact(each) {
            let info = fields.address(entry, word);
            let (symbol, kind) = if fields.is_64() {
                (info >> 32, info & 0xffff_ffff)
            } else {
                (info >> 8, info & 0xff)
            };
            if symbol == 0 || kind == 0 {
                continue;
            }
            let symbol = usize::try_from(symbol).unwrap_or(usize::MAX);
            if symbol >= SYMBOLS_MAX {
                return Err(Damage::malformed("more symbols than any real file"));
            }
            if marks.len() <= symbol {
                marks.resize(symbol + 1, 0);
            }
            let copied = is_copy(dynamic.machine, kind);
            if let Some(known) = marks.get_mut(symbol) {
                *known |= if copied { COPIED } else { table.mark };
            }
        }
        next += now;
    }
    Ok(())
}

/// True for `R_*_COPY`.
fn is_copy(machine: u16, kind: u64) -> bool {
    let copy = match machine {
        EM_X86_64 | EM_386 => 5,
        EM_AARCH64 => 1024,
        EM_ARM => 20,
        EM_PPC | EM_PPC64 | EM_SPARCV9 => 19,
        EM_S390 => 9,
        EM_RISCV | EM_LOONGARCH => 4,
        _ => return false,
    };
    kind == copy
}
