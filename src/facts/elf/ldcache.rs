//! `/etc/ld.so.cache`: the loader's index of libraries.
//!
//! Format: glibc sysdeps/generic/dl-cache.h and elf/cache.c. The loader ignores
//! a cache it cannot use without a word, so here the reason is kept.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};

use super::object::Machine;

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const OLD_HEADER_BYTES: usize = 16;
const OLD_ENTRY_BYTES: usize = 12;
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const NEW_HEADER_BYTES: usize = 48;
const NEW_ENTRY_BYTES: usize = 24;
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;

/// Section of the extension that names the hwcaps directories.
const EXTENSION_HWCAPS: u32 = 1;

/// Bit 62 of an entry's hwcap: its low half is an index into those names.
const HWCAP_IS_NAMED: u64 = 1 << 62;

/// The ten bits of an entry's hwcap that hold an ISA level.
const HWCAP_ISA_BITS: u64 = 0x3ff << 32;

/// Most string bytes taken from one cache. A cache of 20,000 libraries holds
/// 3 MiB; only entries that share one long string reach this.
const STRINGS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Most hwcaps names taken; glibc has four for x86-64.
const HWCAPS_NAMES_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hwcap {
    /// For every processor.
    Any,
    /// In `glibc-hwcaps/NAME`.
    Named(String),
    /// Of the kinds that glibc gave up in 2.37.
    Legacy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct CacheEntry {
    flags: u32,
    hwcap: Hwcap,
    path: String,
}

/// A valid cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LdCache {
    entries: HashMap<String, Vec<CacheEntry>>,
    string_bytes: usize,
    /// Entries whose name or path lies outside the file: the loader passes
    /// over them.
    pub bad_entries: usize,
}

impl LdCache {
    /// Reads and checks a whole cache.
    ///
    /// # Errors
    /// Tells why the loader would ignore this cache.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(!bytes.is_empty(), "it is empty");
        if bytes.starts_with(NEW_MAGIC) {
            return parse_new(bytes);
        }
        ensure!(
            bytes.starts_with(OLD_MAGIC),
            "it does not begin like a cache"
        );
        let count = count_at(bytes, 12)?;
        let table = count
            .checked_mul(OLD_ENTRY_BYTES)
            .and_then(|length| length.checked_add(OLD_HEADER_BYTES))
            .filter(|&end| end <= bytes.len())
            .context("its table is longer than the file")?;
        let aligned = table.next_multiple_of(8);
        match bytes.get(aligned..) {
            Some(rest) if rest.starts_with(NEW_MAGIC) => parse_new(rest),
            _ => parse_old(bytes, count, table),
        }
    }

    /// The one path that the loader takes for `name`, if it takes any.
    /// `subdirectories` are the hwcaps names this processor can use, best
    /// first.
    pub fn find(&self, name: &str, machine: Machine, subdirectories: &[&str]) -> Option<&str> {
        let native = native_flags(machine)?;
        let usable = || {
            let entries = self.entries.get(name).map_or(&[][..], Vec::as_slice);
            entries
                .iter()
                .filter(move |entry| native.contains(&entry.flags))
        };
        let named = subdirectories.iter().find_map(|wanted| {
            usable().find(|entry| matches!(&entry.hwcap, Hwcap::Named(name) if name == wanted))
        });
        named
            .or_else(|| usable().find(|entry| entry.hwcap == Hwcap::Any))
            .map(|entry| entry.path.as_str())
    }

    /// Every name with a path that a loader for `machine` may take, in no
    /// order.
    pub fn entries(&self, machine: Machine) -> impl Iterator<Item = (&str, &str)> {
        let native = native_flags(machine).unwrap_or(&[]);
        self.entries.iter().flat_map(move |(name, entries)| {
            entries
                .iter()
                .filter(move |entry| native.contains(&entry.flags))
                .map(move |entry| (name.as_str(), entry.path.as_str()))
        })
    }

    /// Every path in it, in no order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries
            .values()
            .flatten()
            .map(|entry| entry.path.as_str())
    }
}

/// `_DL_CACHE_DEFAULT_ID` of each machine (ldconfig.h: `FLAG_*` or 3, which
/// stands for a libc 6 ELF file).
fn native_flags(machine: Machine) -> Option<&'static [u32]> {
    Some(match (machine.code, machine.is_64) {
        (EM_X86_64, true) => &[0x303],
        (EM_X86_64, false) => &[0x803],
        (EM_386, false) => &[3, 1],
        (EM_AARCH64, true) => &[0xa03],
        (EM_ARM, false) => &[0x903],
        (EM_RISCV, true) => &[0x1003],
        (EM_PPC64, true) => &[0x503],
        (EM_S390, true) => &[0x403],
        (258, true) => &[0x1203], // LoongArch
        _ => return None,
    })
}

fn parse_old(bytes: &[u8], count: usize, strings: usize) -> Result<LdCache> {
    let mut cache = LdCache::default();
    for index in 0..count {
        let at = OLD_HEADER_BYTES + index * OLD_ENTRY_BYTES;
        let text = |field: usize| string_at(bytes, strings.saturating_add(count_at(bytes, field)?));
        cache.add(text(at + 4), text(at + 8), word_at(bytes, at)?, Hwcap::Any)?;
    }
    Ok(cache)
}

fn parse_new(bytes: &[u8]) -> Result<LdCache> {
    ensure!(bytes.len() >= NEW_HEADER_BYTES, "its header is cut off");
    match bytes[28] & 3 {
        0 | 2 => {}
        3 => bail!("it was made for a big-endian machine"),
        _ => bail!("it is marked as invalid"),
    }
    let count = count_at(bytes, 20)?;
    let fits = count
        .checked_mul(NEW_ENTRY_BYTES)
        .is_some_and(|length| length <= bytes.len() - NEW_HEADER_BYTES);
    ensure!(fits, "its table is longer than the file");
    let names = hwcaps_names(bytes).unwrap_or_default();
    let mut cache = LdCache::default();
    for index in 0..count {
        let at = NEW_HEADER_BYTES + index * NEW_ENTRY_BYTES;
        let low: u64 = word_at(bytes, at + 16)?.into();
        let high: u64 = word_at(bytes, at + 20)?.into();
        let hwcap = match (high << 32 | low, (high << 32) & !HWCAP_ISA_BITS) {
            (0, _) => Hwcap::Any,
            (_, HWCAP_IS_NAMED) => match names.get(count_at(bytes, at + 16)?) {
                Some(name) => Hwcap::Named(name.clone()),
                None => Hwcap::Legacy,
            },
            _ => Hwcap::Legacy,
        };
        let text = |field: usize| string_at(bytes, count_at(bytes, field)?);
        cache.add(text(at + 4), text(at + 8), word_at(bytes, at)?, hwcap)?;
    }
    Ok(cache)
}

/// The names of the hwcaps directories; without them the loader uses none of
/// those entries, but the rest of the cache.
fn hwcaps_names(bytes: &[u8]) -> Result<Vec<String>> {
    let at = count_at(bytes, 32)?;
    ensure!(at != 0 && at.is_multiple_of(4), "no extension");
    ensure!(word_at(bytes, at)? == EXTENSION_MAGIC, "not an extension");
    for index in 0..count_at(bytes, at + 4)?.min(16) {
        let section = at + 8 + index * 16;
        if word_at(bytes, section)? != EXTENSION_HWCAPS {
            continue;
        }
        let (offset, size) = (
            count_at(bytes, section + 8)?,
            count_at(bytes, section + 12)?,
        );
        return (0..(size / 4).min(HWCAPS_NAMES_MAX))
            .map(|index| string_at(bytes, count_at(bytes, offset + index * 4)?))
            .collect();
    }
    bail!("no hwcaps section")
}

impl LdCache {
    fn add(
        &mut self,
        name: Result<String>,
        path: Result<String>,
        flags: u32,
        hwcap: Hwcap,
    ) -> Result<()> {
        let (Ok(name), Ok(path)) = (name, path) else {
            self.bad_entries += 1;
            return Ok(());
        };
        self.string_bytes += name.len() + path.len();
        ensure!(
            self.string_bytes <= STRINGS_BYTES_MAX,
            "its names are longer than any real cache's"
        );
        let entry = CacheEntry { flags, hwcap, path };
        self.entries.entry(name).or_default().push(entry);
        Ok(())
    }
}

fn word_at(bytes: &[u8], at: usize) -> Result<u32> {
    let word = bytes
        .get(at..at.saturating_add(4))
        .context("it is cut off")?;
    Ok(u32::from_le_bytes(word.try_into()?))
}

fn count_at(bytes: &[u8], at: usize) -> Result<usize> {
    Ok(usize::try_from(word_at(bytes, at)?)?)
}

fn string_at(bytes: &[u8], at: usize) -> Result<String> {
    /// `PATH_MAX`; a longer value cannot be opened.
    const STRING_BYTES_MAX: usize = 4096;
    let rest = bytes.get(at..).context("an entry points outside of it")?;
    let rest = &rest[..rest.len().min(STRING_BYTES_MAX)];
    let end = rest.iter().position(|&byte| byte == 0);
    let text = &rest[..end.context("a name in it has no end")?];
    Ok(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
#[path = "ldcache_tests.rs"]
mod tests;
