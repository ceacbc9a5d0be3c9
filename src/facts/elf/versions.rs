//! Symbol versions: what an object asks of others, and what it offers.
//!
//! Layout: LSB core, "Symbol Versioning"; `<elf.h>`: `Elf64_Verneed` and
//! `Elf64_Verdef` have the same fields for both classes.

use std::collections::BTreeSet;

use goblin::elf::symver::{VER_FLG_BASE, VER_FLG_WEAK};
use serde::{Deserialize, Serialize};

use super::damage::Damage;
use super::fields::Fields;
use super::image::{Bytes, Image};

/// Most records followed in one table; the largest library known offers about
/// a thousand versions.
const RECORDS_MAX: usize = 16 * 1024;

/// One version that an object needs of one library.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionNeed {
    /// The library, by the name in its `DT_NEEDED`.
    pub file: String,
    /// The version, such as `GLIBC_2.36`.
    pub version: String,
    /// Only asked for by weak symbols: its absence is no error.
    pub weak: bool,
}

/// Where a table lies in the file.
pub(super) struct Table {
    pub(super) offset: u64,
    pub(super) strings: u64,
    pub(super) strings_end: u64,
}

/// Follows `DT_VERNEED`. A record other than version 1 is an error, as in
/// glibc's `_dl_check_map_versions`.
pub(super) fn needs<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    fields: Fields,
    table: &Table,
) -> Result<Vec<VersionNeed>, Damage> {
    let mut needs = Vec::new();
    each_need(image, fields, table, |need, _| needs.push(need))?;
    Ok(needs)
}

/// Gives each need, and the number that the symbols with it have.
pub(super) fn each_need<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    fields: Fields,
    table: &Table,
    mut found: impl FnMut(VersionNeed, u16),
) -> Result<(), Damage> {
    let mut records = 0;
    let mut at = table.offset;
    loop {
        let record = image.record::<16>(at)?;
        if fields.half(&record, 0) != 1 {
            return Err(Damage::malformed("unsupported version of a Verneed record"));
        }
        let file = string(image, table, fields.word(&record, 4))?;
        let mut aux_at = at.saturating_add(fields.word(&record, 8).into());
        loop {
            count(&mut records)?;
            let aux = image.record::<16>(aux_at)?;
            image.charge(file.len())?;
            let need = VersionNeed {
                file: file.clone(),
                version: string(image, table, fields.word(&aux, 8))?,
                weak: fields.half(&aux, 4) & VER_FLG_WEAK != 0,
            };
            found(need, fields.half(&aux, 6));
            match fields.word(&aux, 12) {
                0 => break,
                next => aux_at = aux_at.saturating_add(next.into()),
            }
        }
        match fields.word(&record, 12) {
            0 => return Ok(()),
            next => at = at.saturating_add(next.into()),
        }
    }
}

/// Follows `DT_VERDEF`: every version offered, the base name among them.
pub(super) fn offers<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    fields: Fields,
    table: &Table,
) -> Result<BTreeSet<String>, Damage> {
    let mut offers = BTreeSet::new();
    each_offer(image, fields, table, |version, _, _| {
        offers.insert(version);
    })?;
    Ok(offers)
}

/// Gives each version offered, the number that the symbols with it have, and
/// whether it is the name of the whole object.
pub(super) fn each_offer<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    fields: Fields,
    table: &Table,
    mut found: impl FnMut(String, u16, bool),
) -> Result<(), Damage> {
    let mut records = 0;
    let mut at = table.offset;
    loop {
        count(&mut records)?;
        let record = image.record::<20>(at)?;
        if fields.half(&record, 0) != 1 {
            return Err(Damage::malformed("unsupported version of a Verdef record"));
        }
        // Only the first name is the version; further ones are its parents.
        let aux = image.record::<8>(at.saturating_add(fields.word(&record, 12).into()))?;
        let version = string(image, table, fields.word(&aux, 0))?;
        let is_base = fields.half(&record, 2) & VER_FLG_BASE != 0;
        found(version, fields.half(&record, 4), is_base);
        match fields.word(&record, 16) {
            0 => return Ok(()),
            next => at = at.saturating_add(next.into()),
        }
    }
}

/// Guards against a table that leads back into itself.
fn count(records: &mut usize) -> Result<(), Damage> {
    *records += 1;
    if *records > RECORDS_MAX {
        return Err(Damage::malformed("its version table has no end"));
    }
    Ok(())
}

fn string<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    table: &Table,
    offset: u32,
) -> Result<String, Damage> {
    image.string(
        table.strings.saturating_add(offset.into()),
        table.strings_end,
    )
}
