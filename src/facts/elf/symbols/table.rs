//! The dynamic symbols of one object: what it defines, and what it looks up.
//!
//! gABI chapter 5, "Symbol Table" and "Hash Table"; LSB core, "Symbol
//! Versioning". No section header is looked at: the hash tables tell how many
//! symbols there are.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERSYM,
};
use goblin::elf::header::EM_S390;
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::{
    STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STT_COMMON, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE,
    STT_OBJECT, STT_TLS, STV_HIDDEN, STV_INTERNAL,
};

use super::relocations::{self, AT_CALL, AT_START, COPIED};
use crate::facts::elf::damage::Damage;
use crate::facts::elf::fields::Fields;
use crate::facts::elf::image::{Bytes, Image};
use crate::facts::elf::object::dynamic::Dynamic;
use crate::facts::elf::object::dynamic_of;
use crate::facts::elf::versions;

/// Most symbols of one object; the largest library known has some 200000.
pub(super) const SYMBOLS_MAX: usize = 512 * 1024;

/// Most that is read of one file.
const READ_BYTES_MAX: usize = 48 * 1024 * 1024;

/// Most bytes of one string table, and of all names together.
const STRINGS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest name that is looked at.
const NAME_BYTES_MAX: usize = 64 * 1024;

/// `VERSYM_HIDDEN`: only found by whoever asks for this very version.
const HIDDEN: u16 = 0x8000;

/// What one object gives to a program and takes of it.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// [`key`]s of what it defines, sorted.
    defined: Vec<u64>,
    /// What it looks up and does not define itself.
    pub(super) references: Vec<Reference>,
    /// What was read of the file for it.
    pub(super) read_bytes: usize,
}

/// One symbol that is looked up.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) version: Option<Version>,
    /// Looked up before the program begins, not when it is called.
    pub(super) at_start: bool,
    /// Copied into the program, whose own does not count.
    pub(super) is_copied: bool,
    keys: [u64; 3],
}

/// The version of a symbol.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) name: String,
    /// The library that had it when the object was made.
    pub(super) library: Option<String>,
}

/// What a definition is found by.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// This very version.
    Exact,
    /// Any version: it has none.
    Any,
    /// No version.
    Plain,
}

fn key(kind: Kind, name: &[u8], version: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(kind as u8);
    hasher.write(name);
    hasher.write_u8(0);
    hasher.write(version);
    hasher.finish()
}

impl Table {
    /// Reads the table of a sound file.
    pub(super) fn read<B: Bytes + ?Sized>(source: &B) -> Result<Self, Damage> {
        let mut image = Image::of_tables(source, READ_BYTES_MAX);
        let Some(dynamic) = dynamic_of(&mut image)? else {
            return Ok(Self::default());
        };
        let marks = relocations::marks(&mut image, &dynamic)?;
        let Some(symbols) = Symbols::read(&mut image, &dynamic, &marks)? else {
            return Ok(Self {
                read_bytes: image.read_bytes(),
                ..Self::default()
            });
        };
        let mut table = symbols.table()?;
        table.read_bytes = image.read_bytes();
        Ok(table)
    }

    /// About what it takes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        /// The strings of one, with what the allocator adds.
        const TEXT_BYTES: usize = 96;
        let names = self.references.iter().map(|r| r.name.len() + TEXT_BYTES);
        size_of_val(self.defined.as_slice())
            + size_of_val(self.references.as_slice())
            + names.sum::<usize>()
    }

    /// True when `reference` finds its symbol here (glibc elf/dl-lookup.c,
    /// `check_match`); musl knows no versions.
    pub(super) fn offers(&self, reference: &Reference, with_versions: bool) -> bool {
        let has = |key: &u64| self.defined.binary_search(key).is_ok();
        let [exact, any, plain] = &reference.keys;
        if with_versions && reference.version.is_some() {
            has(exact) || has(any)
        } else {
            has(plain)
        }
    }
}

/// The tables of one file while they are read.
struct Symbols<'m> {
    fields: Fields,
    symbols: Vec<u8>,
    strings: Vec<u8>,
    /// `DT_VERSYM`; nothing without versions.
    numbers: Vec<u8>,
    versions: HashMap<u16, Version>,
    marks: &'m [u8],
    name_bytes: usize,
}

impl<'m> Symbols<'m> {
    fn read<B: Bytes + ?Sized>(
        image: &mut Image<'_, B>,
        dynamic: &Dynamic,
        marks: &'m [u8],
    ) -> Result<Option<Self>, Damage> {
        let fields = dynamic.fields;
        let (Some(symbols), Some(strings)) = (dynamic.table(DT_SYMTAB)?, dynamic.table(DT_STRTAB)?)
        else {
            return Ok(None);
        };
        let count = count(image, dynamic)?.max(marks.len());
        if count > SYMBOLS_MAX {
            return Err(Damage::malformed("more symbols than any real file"));
        }
        let promised = dynamic.last(DT_STRSZ).unwrap_or(0);
        let strings_bytes = usize::try_from(promised).unwrap_or(usize::MAX);
        if strings_bytes > STRINGS_BYTES_MAX {
            return Err(Damage::malformed(
                "its names are longer than any real file's",
            ));
        }
        let numbers = match dynamic.table(DT_VERSYM)? {
            Some(offset) => image.bytes(offset, count * 2)?,
            None => Vec::new(),
        };
        let strings_end = strings.saturating_add(promised);
        Ok(Some(Self {
            fields,
            symbols: image.bytes(symbols, count * symbol_bytes(fields))?,
            versions: names(image, dynamic, strings, strings_end)?,
            strings: image.bytes(strings, strings_bytes)?,
            numbers,
            marks,
            name_bytes: 0,
        }))
    }

    fn table(mut self) -> Result<Table, Damage> {
        let mut table = Table::default();
        let symbols = std::mem::take(&mut self.symbols);
        let records = symbols.chunks_exact(symbol_bytes(self.fields));
        for (index, record) in records.enumerate().skip(1) {
            let symbol = Symbol::of(self.fields, record);
            let mark = self.marks.get(index).copied().unwrap_or(0);
            let is_wanted = mark != 0 && symbol.is_strong();
            let is_copied = mark & COPIED != 0;
            if symbol.is_definition() {
                self.define(&symbol, index, &mut table.defined)?;
                if !(is_wanted && is_copied) {
                    continue;
                }
            } else if !is_wanted || symbol.section != SHN_UNDEF || symbol.is_bound_locally() {
                continue;
            }
            if let Some(reference) = self.reference(&symbol, index, mark)? {
                table.references.push(reference);
            }
        }
        table.defined.sort_unstable();
        table.defined.dedup();
        table.defined.shrink_to_fit();
        Ok(table)
    }

    fn define(
        &mut self,
        symbol: &Symbol,
        index: usize,
        defined: &mut Vec<u64>,
    ) -> Result<(), Damage> {
        let name = name(&self.strings, symbol.name, &mut self.name_bytes)?;
        if self.numbers.is_empty() {
            defined.push(key(Kind::Any, name, b""));
            defined.push(key(Kind::Plain, name, b""));
            return Ok(());
        }
        let raw = self.fields.half(&self.numbers, index * 2);
        let number = raw & !HIDDEN;
        let is_hidden = raw & HIDDEN != 0;
        match self.versions.get(&number) {
            Some(version) => defined.push(key(Kind::Exact, name, version.name.as_bytes())),
            None if !is_hidden => defined.push(key(Kind::Any, name, b"")),
            None => {}
        }
        // Without a version the oldest one is meant, or the default.
        if number < 3 || !is_hidden {
            defined.push(key(Kind::Plain, name, b""));
        }
        Ok(())
    }

    fn reference(
        &mut self,
        symbol: &Symbol,
        index: usize,
        mark: u8,
    ) -> Result<Option<Reference>, Damage> {
        let name = name(&self.strings, symbol.name, &mut self.name_bytes)?;
        if name.is_empty() {
            return Ok(None);
        }
        let number = self.fields.half(&self.numbers, index * 2) & !HIDDEN;
        let version = self.versions.get(&number).cloned();
        let of_version = version.as_ref().map_or("", |version| &version.name);
        Ok(Some(Reference {
            keys: [
                key(Kind::Exact, name, of_version.as_bytes()),
                key(Kind::Any, name, b""),
                key(Kind::Plain, name, b""),
            ],
            name: String::from_utf8_lossy(name).into_owned(),
            version,
            at_start: mark & (AT_START | COPIED) != 0 || mark & AT_CALL == 0,
            is_copied: mark & COPIED != 0,
        }))
    }
}

/// One record of the symbol table.
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u32,
    value: u64,
}

impl Symbol {
    fn of(fields: Fields, record: &[u8]) -> Self {
        let byte = |at: usize| record.get(at).copied().unwrap_or(0);
        let (info, section, value) = if fields.is_64() {
            (4, 6, 8)
        } else {
            (12, 14, 4)
        };
        Self {
            name: fields.word(record, 0),
            info: byte(info),
            other: byte(info + 1),
            section: fields.half(record, section).into(),
            value: fields.address(record, value),
        }
    }

    fn binding(&self) -> u8 {
        self.info >> 4
    }

    fn is_strong(&self) -> bool {
        matches!(self.binding(), STB_GLOBAL | STB_GNU_UNIQUE)
    }

    fn is_bound_locally(&self) -> bool {
        matches!(self.other & 3, STV_HIDDEN | STV_INTERNAL)
    }

    /// True when a lookup by another object may end here.
    fn is_definition(&self) -> bool {
        /// `SHN_ABS`: a value, and 0 is one.
        const ABSOLUTE: u32 = 0xfff1;
        let kind = self.info & 15;
        let is_kind = matches!(
            kind,
            STT_NOTYPE | STT_OBJECT | STT_FUNC | STT_COMMON | STT_TLS | STT_GNU_IFUNC
        );
        let has_place = self.value != 0 || self.section == ABSOLUTE || kind == STT_TLS;
        let is_global = matches!(self.binding(), STB_GLOBAL | STB_WEAK | STB_GNU_UNIQUE);
        self.section != SHN_UNDEF && is_kind && has_place && is_global
    }
}

fn symbol_bytes(fields: Fields) -> usize {
    if fields.is_64() { 24 } else { 16 }
}

/// The name at `offset`; counts what has been looked at.
fn name<'s>(strings: &'s [u8], offset: u32, spent: &mut usize) -> Result<&'s [u8], Damage> {
    let outside = || Damage::malformed("a symbol's name has no end or lies outside");
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = strings.get(start..).ok_or_else(outside)?;
    let rest = rest.get(..NAME_BYTES_MAX).unwrap_or(rest);
    let length = rest.iter().position(|&byte| byte == 0);
    let length = length.ok_or_else(outside)?;
    *spent = spent.saturating_add(length);
    if *spent > STRINGS_BYTES_MAX {
        return Err(Damage::malformed(
            "its names are longer than any real file's",
        ));
    }
    rest.get(..length).ok_or_else(outside)
}

/// Every version by its number; the base of the object is none.
fn names<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    dynamic: &Dynamic,
    strings: u64,
    strings_end: u64,
) -> Result<HashMap<u16, Version>, Damage> {
    let mut names = HashMap::new();
    let table = |offset: u64| versions::Table {
        offset,
        strings,
        strings_end,
    };
    if let Some(offset) = dynamic.table(DT_VERDEF)? {
        let found = |name: String, number: u16, is_base: bool| {
            if !is_base {
                let library = None;
                names.insert(number & !HIDDEN, Version { name, library });
            }
        };
        versions::each_offer(image, dynamic.fields, &table(offset), found)?;
    }
    if let Some(offset) = dynamic.table(DT_VERNEED)? {
        let found = |need: versions::VersionNeed, number: u16| {
            let version = Version {
                name: need.version,
                library: Some(need.file),
            };
            names.insert(number & !HIDDEN, version);
        };
        versions::each_need(image, dynamic.fields, &table(offset), found)?;
    }
    Ok(names)
}

/// How many symbols the hash tables reach.
fn count<B: Bytes + ?Sized>(image: &mut Image<'_, B>, dynamic: &Dynamic) -> Result<usize, Damage> {
    let count = match (dynamic.table(DT_GNU_HASH)?, dynamic.table(DT_HASH)?) {
        (Some(offset), _) => gnu_count(image, dynamic.fields, offset)?,
        (None, Some(offset)) => {
            let fields = dynamic.fields;
            let is_wide = fields.is_64() && dynamic.machine == EM_S390;
            let record = image.bytes(offset, 16)?;
            if is_wide {
                fields.address(&record, 8)
            } else {
                fields.word(&record, 4).into()
            }
        }
        (None, None) => 0,
    };
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// The chain of the highest bucket ends with the last symbol.
fn gnu_count<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    fields: Fields,
    offset: u64,
) -> Result<u64, Damage> {
    let header = image.bytes(offset, 16)?;
    let word = |at: usize| u64::from(fields.word(&header, at));
    let (buckets, first, bloom) = (word(0), word(4), word(8));
    if buckets > SYMBOLS_MAX as u64 || bloom > SYMBOLS_MAX as u64 {
        return Err(Damage::malformed("more symbols than any real file"));
    }
    let buckets_at = offset
        .saturating_add(16)
        .saturating_add(bloom * fields.address_bytes() as u64);
    let bytes = image.bytes(buckets_at, usize::try_from(buckets * 4).unwrap_or(0))?;
    let heads = bytes.chunks_exact(4).map(|bucket| fields.word(bucket, 0));
    let highest = u64::from(heads.max().unwrap_or(0));
    if highest < first {
        return Ok(first); // nothing is defined
    }
    let chains_at = buckets_at.saturating_add(buckets * 4);
    let mut last = highest;
    while last < SYMBOLS_MAX as u64 {
        let link = image.bytes(chains_at.saturating_add((last - first) * 4), 4)?;
        last += 1;
        if fields.word(&link, 0) & 1 != 0 {
            break;
        }
    }
    Ok(last)
}
