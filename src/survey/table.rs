//! Partition tables, read from the disk itself: GPT by gptman, MBR by mbrman.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::panic::{self, AssertUnwindSafe};

use super::Source;

/// Partitions in a table that is believed; the usual number is 128.
const MOST_ENTRIES: u64 = 1024;

/// Bytes of an entry of a GPT.
const GPT_ENTRY: usize = 128;

/// Partitions of one disk that Linux shows, and so the extended boot records
/// that are followed.
const MOST_RECORDS: usize = 256;

/// One entry of a table, in bytes.
pub(super) struct TableEntry {
    pub(super) number: u32,
    pub(super) start: u64,
    pub(super) bytes: u64,
    pub(super) purpose: String,
    pub(super) uuid: Option<String>,
    pub(super) label: Option<String>,
}

/// A table, as far as it could be read.
#[derive(Default)]
pub(super) struct Table {
    pub(super) kind: Option<String>,
    pub(super) problem: Option<String>,
    /// `gpt` or `mbr` and the identifier in it.
    pub(super) id: Option<String>,
    /// Where the first partition of an MBR begins, extended ones included.
    pub(super) gap_end: Option<u64>,
    pub(super) entries: Vec<TableEntry>,
}

/// What is said when only the second copy of a GPT is good.
const BACKUP_ONLY: &str =
    "the first copy of the GPT is damaged; the second copy at the end of the disk is good";

/// Partition types of the UEFI specification and the Discoverable Partitions
/// Specification, as they lie on disk (first three fields little-endian).
const PURPOSES: [(&str, &str); 8] = [
    ("21686148-6449-6e6f-744e-656564454649", "bios-boot"),
    ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "esp"),
    ("9e1a2d38-c612-4316-aa26-8b49521e5a8b", "prep"),
    ("a19d880f-05fc-4d3b-a006-743f0f84911e", "linux-raid"),
    ("0fc63daf-8483-4772-8e79-3d69d8477de4", "linux"),
    ("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "swap"),
    ("e6d6d379-f507-44c2-a23c-238f2a3df928", "linux-lvm"),
    ("4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "linux-root-x86-64"),
];

/// Reads whichever table is there.
pub(super) fn read(file: &File, source: &Source, sector: u32) -> Table {
    let Ok(Some(first)) = block(file, source, 0) else {
        return Table::default();
    };
    let protective = first[510..] == [0x55, 0xAA] && (0..4).any(|i| first[450 + 16 * i] == 0xEE);
    // The libraries are asked about hostile bytes: a panic in them is an answer.
    let asked = panic::catch_unwind(AssertUnwindSafe(|| {
        let unfit = match from_gpt(file, source) {
            Ok(table) => return table,
            Err(unfit) => unfit,
        };
        let told = Table {
            kind: Some("gpt".into()),
            problem: Some(format!("the GPT cannot be read: {}", unfit.why)),
            ..Table::default()
        };
        if protective {
            return told;
        }
        let mbr = from_mbr(&first, file, source, sector);
        if unfit.absurd && mbr.kind.is_none() {
            return told;
        }
        mbr
    }));
    asked.unwrap_or_else(|_| Table {
        problem: Some("the partition table makes no sense".into()),
        ..Table::default()
    })
}

/// The 512 bytes at `at`; nothing when the source ends before them.
fn block(file: &File, source: &Source, at: u64) -> io::Result<Option<[u8; 512]>> {
    Ok(source.read_at(file, at, 512)?.try_into().ok())
}

/// Why a copy of a GPT is not used.
struct Unfit {
    why: String,
    /// Its checksum is right, so it is no leftover of which a part was
    /// overwritten: it was written as it is.
    absurd: bool,
}

/// The first copy of a GPT that is good by itself. The last sector is looked at
/// only when the one at the start is not good: other things may lie there.
fn from_gpt(file: &File, source: &Source) -> Result<Table, Unfit> {
    let mut unfit = Vec::new();
    for sector in [512_u64, 4096] {
        let last = (source.bytes / sector).saturating_sub(1);
        for lba in [1, last].into_iter().filter(|lba| *lba > 0) {
            match gpt_copy(file, source, sector, lba) {
                Ok(table) if lba == 1 => return Ok(table),
                Ok(mut table) => {
                    tell(&mut table, BACKUP_ONLY.to_owned());
                    return Ok(table);
                }
                Err(Some(why)) => unfit.push(why),
                Err(None) => {}
            }
        }
    }
    let why: Vec<_> = unfit.iter().map(|unfit| unfit.why.as_str()).collect();
    Err(Unfit {
        why: match why.is_empty() {
            true => "there is no header at either end of the disk".into(),
            false => why.join("; "),
        },
        absurd: unfit.iter().any(|unfit| unfit.absurd),
    })
}

/// One copy of a GPT, judged as Linux does it (block/partitions/efi.c): the
/// header and the entries fit their checksums, and each entry stands for itself.
/// Read piece by piece, so that the library sees only what was judged.
///
/// # Errors
/// Why it is not good; nothing when there is none.
fn gpt_copy(file: &File, source: &Source, sector: u64, lba: u64) -> Result<Table, Option<Unfit>> {
    let unfit = |why: String, absurd| {
        Some(Unfit {
            why: format!("the GPT header at sector {lba}: {why}"),
            absurd,
        })
    };
    let raw = block(file, source, lba.saturating_mul(sector));
    let raw = raw.map_err(|error| unfit(error.to_string(), false))?;
    let Some(raw) = raw.filter(|raw| raw.starts_with(b"EFI PART")) else {
        return Err(None);
    };
    let header = gptman::GPTHeader::read_from(&mut Cursor::new(raw));
    let header = header.map_err(|error| unfit(error.to_string(), false))?;
    let (count, size) = (
        u64::from(header.number_of_partition_entries),
        u64::from(header.size_of_partition_entry),
    );
    let at = header.partition_entry_lba.saturating_mul(sector);
    let bytes = count.saturating_mul(size);
    // Neither Linux nor the library knows entries of another size.
    let sane = (1..=MOST_ENTRIES).contains(&count)
        && size == GPT_ENTRY as u64
        && at.saturating_add(bytes) <= source.bytes;
    if !sane {
        let why = format!(
            "it makes no sense: {count} entries of {size} bytes at sector {}",
            header.partition_entry_lba
        );
        return Err(unfit(why, true));
    }
    let table = source.read_at(file, at, usize::try_from(bytes).unwrap_or(0));
    let table = table.map_err(|error| unfit(format!("its entries: {error}"), false))?;
    if crc32fast::hash(&table) != header.partition_entry_array_crc32 {
        return Err(unfit("its entries do not fit their checksum".into(), false));
    }
    let mut table = gpt_entries(&table, sector);
    table.id = Some(format!("gpt {}", guid(&header.disk_guid)));
    if lba == 1 && header.primary_lba != lba {
        let place = header.primary_lba;
        tell(
            &mut table,
            format!("the first copy of the GPT is one for sector {place}, and Linux ignores it"),
        );
    }
    Ok(table)
}

/// Puts a problem before those that are told already.
fn tell(table: &mut Table, problem: String) {
    let further = table.problem.take().map(|further| format!("; {further}"));
    table.problem = Some(problem + &further.unwrap_or_default());
}

/// The entries in use. One that cannot be a partition is left out and named:
/// it says nothing about the others.
fn gpt_entries(table: &[u8], sector: u64) -> Table {
    let mut entries = Vec::new();
    let mut junk = Vec::new();
    for (number, raw) in (1..).zip(table.chunks_exact(GPT_ENTRY)) {
        // The library asks for more bytes than an entry has.
        let mut raw = raw.chain(io::repeat(0));
        let entry = match gptman::GPTPartitionEntry::read_from(&mut raw) {
            Ok(entry) if entry.is_unused() => continue,
            Ok(entry) if entry.starting_lba > 0 && entry.ending_lba >= entry.starting_lba => entry,
            _ => {
                junk.push(number);
                continue;
            }
        };
        let kind = guid(&entry.partition_type_guid);
        let purpose = PURPOSES
            .iter()
            .find(|(guid, _)| *guid == kind)
            .map_or(kind.clone(), |(_, name)| (*name).to_owned());
        let label = entry.partition_name.as_str().to_owned();
        let sectors = (entry.ending_lba - entry.starting_lba).saturating_add(1);
        entries.push(TableEntry {
            number,
            start: entry.starting_lba.saturating_mul(sector),
            bytes: sectors.saturating_mul(sector),
            purpose,
            uuid: Some(guid(&entry.unique_partition_guid)),
            label: (!label.is_empty()).then_some(label),
        });
    }
    Table {
        id: None,
        gap_end: None,
        kind: Some("gpt".into()),
        problem: left_out(&junk),
        entries,
    }
}

/// Names the entries that are left out; the first few of many.
fn left_out(junk: &[u32]) -> Option<String> {
    let names: Vec<_> = junk.iter().take(4).map(u32::to_string).collect();
    let more = match junk.len().saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = names.join(", ");
    (!junk.is_empty()).then(|| {
        format!(
            "partition {names}{more} of the GPT makes no sense and is left out: it begins at \
             sector 0 or ends before it begins"
        )
    })
}

fn from_mbr(first: &[u8; 512], file: &File, source: &Source, sector: u32) -> Table {
    // A filesystem's boot sector ends in 55 AA as well; the library takes no
    // table with a nonsense flag byte.
    let Ok(header) = mbrman::MBRHeader::read_from(&mut Cursor::new(first)) else {
        return Table::default();
    };
    let signature = u32::from_le_bytes(header.disk_signature);
    let mut found = Vec::new();
    for (number, partition) in (1..).zip(header.iter().map(|(_, p)| p)) {
        found.push((number, 0, partition.clone()));
    }
    let mut problem = None;
    for (_, extended) in header.iter().filter(|(_, p)| p.is_extended()) {
        let chain = u64::from(extended.starting_lba);
        let ended = logicals(file, source, sector, chain, &mut found);
        problem = problem.or(ended.err());
    }
    let entries: Vec<_> = found
        .into_iter()
        .filter(|(_, _, p)| p.is_used() && !p.is_extended() && p.sectors > 0)
        .map(|(number, base, p)| TableEntry {
            number,
            start: (base + u64::from(p.starting_lba)) * u64::from(sector),
            bytes: u64::from(p.sectors) * u64::from(sector),
            purpose: mbr_purpose(p.sys),
            uuid: Some(format!("{signature:08x}-{number:02x}")),
            label: None,
        })
        .collect();
    if entries.is_empty() && problem.is_none() {
        return Table::default();
    }
    let starts = header.iter().filter(|(_, p)| p.is_used());
    Table {
        kind: Some("mbr".into()),
        problem,
        id: (signature != 0).then(|| format!("mbr {signature:08x}")),
        gap_end: starts
            .map(|(_, p)| u64::from(p.starting_lba) * u64::from(sector))
            .min(),
        entries,
    }
}

/// A partition of an MBR: its number, the sector that its start counts from,
/// and its entry.
type MbrPartition = (u32, u64, mbrman::MBRPartitionEntry);

/// Adds the logical partitions: a chain of extended boot records (EBR), each
/// with one partition and the place of the next, followed and numbered as Linux
/// does it (block/partitions/msdos.c).
///
/// # Errors
/// Where the chain is broken; what came before is in `found`.
fn logicals(
    file: &File,
    source: &Source,
    sector: u32,
    chain: u64,
    found: &mut Vec<MbrPartition>,
) -> Result<(), String> {
    let mut seen = Vec::new();
    let mut at = chain;
    loop {
        let broken = |why: &str| {
            format!(
                "the extended boot record at sector {at} is damaged ({why}): what follows it \
                 is not shown"
            )
        };
        // Records may lie in any order, so a ring is found by its sectors.
        if seen.contains(&at) {
            return Err(broken("the chain comes back to it"));
        }
        if seen.len() >= MOST_RECORDS || found.len() >= MOST_RECORDS {
            return Err(broken("the chain is too long"));
        }
        seen.push(at);
        let raw = block(file, source, at.saturating_mul(u64::from(sector)));
        let raw = raw.map_err(|error| broken(&error.to_string()))?;
        let record = raw.and_then(|mut raw| {
            // The third and fourth entry may hold anything.
            raw[478..510].fill(0);
            mbrman::MBRHeader::read_from(&mut Cursor::new(raw)).ok()
        });
        let Some(record) = record else {
            // An extended partition without logical ones needs no record.
            return match at == chain {
                true => Ok(()),
                false => Err(broken("it is none")),
            };
        };
        let entries = [record.partition_1, record.partition_2];
        let next = entries.iter().find(|p| p.sectors > 0 && p.is_extended());
        let next = next.map(|p| chain + u64::from(p.starting_lba));
        for entry in entries {
            if entry.sectors > 0 && !entry.is_extended() {
                let number = u32::try_from(found.len() + 1).unwrap_or(u32::MAX);
                found.push((number, at, entry));
            }
        }
        match next {
            Some(next) => at = next,
            None => return Ok(()),
        }
    }
}

fn mbr_purpose(kind: u8) -> String {
    match kind {
        0x82 => "swap".into(),
        0x83 => "linux".into(),
        0x8E => "linux-lvm".into(),
        0xEF => "esp".into(),
        0x41 => "prep".into(),
        0xFD => "linux-raid".into(),
        other => format!("type {other:02x}"),
    }
}

/// A GUID in its usual spelling.
pub(super) fn guid(raw: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = raw;
    let tail = hex::encode(rest);
    let (node_high, node_low) = tail.split_at(4);
    format!(
        "{:08x}-{:04x}-{:04x}-{node_high}-{node_low}",
        u32::from_le_bytes([*a, *b, *c, *d]),
        u16::from_le_bytes([*e, *f]),
        u16::from_le_bytes([*g, *h]),
    )
}
