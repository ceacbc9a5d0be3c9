//! The dynamic section of one object.
//!
//! gABI chapter 5, "Dynamic Section"; addresses in it are turned into file
//! offsets by way of the loadable segments.

use goblin::elf::dynamic::{
    DF_1_NODEFLIB, DF_1_PIE, DT_FLAGS_1, DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_SONAME,
    DT_STRSZ, DT_STRTAB, DT_VERDEF, DT_VERNEED,
};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, ProgramHeader};

use super::{Object, Want};
use crate::facts::elf::damage::Damage;
use crate::facts::elf::fields::Fields;
use crate::facts::elf::image::{Bytes, Image};
use crate::facts::elf::versions::{self, Table};

/// From the gABI's later additions and `<elf.h>`; not in goblin.
const DT_RELR: u64 = 36;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_FILTER: u64 = 0x7fff_ffff;

/// Most entries read; the largest section seen has some hundreds.
const ENTRIES_MAX: usize = 8192;

/// Most libraries one object may ask for.
const WANTS_MAX: usize = 4096;

/// A dynamic section, and where in the file its addresses lie.
#[derive(Debug)]
pub(in crate::facts::elf) struct Dynamic {
    /// `e_machine`.
    pub(in crate::facts::elf) machine: u16,
    pub(in crate::facts::elf) fields: Fields,
    entries: Vec<(u64, u64)>,
    segments: Vec<ProgramHeader>,
}

impl Dynamic {
    pub(super) fn read<B: Bytes + ?Sized>(
        image: &mut Image<'_, B>,
        machine: u16,
        fields: Fields,
        segments: Vec<ProgramHeader>,
    ) -> Result<Option<Self>, Damage> {
        let found = segments.iter().rev().find(|s| s.p_type == PT_DYNAMIC);
        let Some(segment) = found.filter(|segment| segment.p_filesz > 0) else {
            return Ok(None);
        };
        let entries = entries(image, fields, segment)?;
        Ok(Some(Self {
            machine,
            fields,
            entries,
            segments,
        }))
    }

    /// The value of the last entry of that tag, which the loader takes.
    pub(in crate::facts::elf) fn last(&self, tag: u64) -> Option<u64> {
        let mut found = self.entries.iter().rev().filter(|(known, _)| *known == tag);
        found.next().map(|&(_, value)| value)
    }

    /// Where in the file the table lies that the entry of that tag leads to.
    pub(in crate::facts::elf) fn table(&self, tag: u64) -> Result<Option<u64>, Damage> {
        let Some(address) = self.last(tag) else {
            return Ok(None);
        };
        let offset = offset_of(address, &self.segments);
        let outside = || Damage::malformed("one of its tables lies outside the file");
        offset.map(Some).ok_or_else(outside)
    }
}

/// Fills in what the dynamic section in `segment` says.
pub(super) fn read<B: Bytes + ?Sized>(
    object: &mut Object,
    image: &mut Image<'_, B>,
    fields: Fields,
    segments: &[ProgramHeader],
    segment: &ProgramHeader,
) -> Result<(), Damage> {
    let entries = entries(image, fields, segment)?;
    // Where a tag may stand once, the loader takes the last one.
    let last = |wanted: u64| {
        let mut found = entries.iter().rev().filter(|(tag, _)| *tag == wanted);
        found.next().map(|&(_, value)| value)
    };
    let flags = last(DT_FLAGS_1).unwrap_or(0);
    object.is_nodeflib = flags & DF_1_NODEFLIB != 0;
    object.is_pie = flags & DF_1_PIE != 0;
    object.has_relr = last(DT_RELR).is_some();
    let Some(strings) = last(DT_STRTAB) else {
        return Ok(()); // a static-pie program may do without
    };
    let strings = offset_of(strings, segments)
        .ok_or_else(|| Damage::malformed("its string table lies outside the file"))?;
    let strings_end = last(DT_STRSZ).map_or(u64::MAX, |size| strings.saturating_add(size));
    let mut text = |offset: u64| image.string(strings.saturating_add(offset), strings_end);
    object.soname = last(DT_SONAME).map(&mut text).transpose()?;
    object.rpath = last(DT_RPATH).map(&mut text).transpose()?;
    object.runpath = last(DT_RUNPATH).map(&mut text).transpose()?;
    for &(tag, value) in &entries {
        let want = match tag {
            DT_NEEDED => Want::Needed,
            DT_FILTER => Want::Filter,
            DT_AUXILIARY => Want::Auxiliary,
            _ => continue,
        };
        if object.wants.len() >= WANTS_MAX {
            return Err(Damage::malformed("needs more libraries than any real file"));
        }
        object.wants.push((want, text(value)?));
    }
    let table = |tag: u64| -> Result<Option<Table>, Damage> {
        let Some(address) = last(tag) else {
            return Ok(None);
        };
        let offset = offset_of(address, segments)
            .ok_or_else(|| Damage::malformed("its version table lies outside the file"))?;
        Ok(Some(Table {
            offset,
            strings,
            strings_end,
        }))
    };
    if let Some(table) = table(DT_VERNEED)? {
        object.needs = versions::needs(image, fields, &table)?;
    }
    if let Some(table) = table(DT_VERDEF)? {
        object.offers = Some(versions::offers(image, fields, &table)?);
    }
    Ok(())
}

fn entries<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    fields: Fields,
    segment: &ProgramHeader,
) -> Result<Vec<(u64, u64)>, Damage> {
    let address_bytes = fields.address_bytes();
    let each = 2 * address_bytes;
    let promised = usize::try_from(segment.p_filesz).unwrap_or(usize::MAX) / each;
    let count = promised.min(ENTRIES_MAX);
    let bytes = image.bytes(segment.p_offset, count * each)?;
    Ok(bytes
        .chunks_exact(each)
        .map(|entry| {
            (
                fields.address(entry, 0),
                fields.address(entry, address_bytes),
            )
        })
        .take_while(|(tag, _)| *tag != DT_NULL)
        .collect())
}

/// Where in the file the byte at `address` comes from.
fn offset_of(address: u64, segments: &[ProgramHeader]) -> Option<u64> {
    segments
        .iter()
        .filter(|s| s.p_type == PT_LOAD)
        .find_map(|s| {
            let inside = address.checked_sub(s.p_vaddr)?;
            (inside < s.p_filesz).then(|| s.p_offset.checked_add(inside))?
        })
}
