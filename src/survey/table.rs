//! Partition tables, read from the disk itself: GPT by gptman, MBR by mbrman.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{self, AssertUnwindSafe};

use super::Source;

/// Partitions in a table that is believed; the usual number is 128.
const MOST_ENTRIES: u64 = 1024;

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
    pub(super) entries: Vec<TableEntry>,
}

/// Partition types of the UEFI specification and the Discoverable Partitions
/// Specification, as they lie on disk (first three fields little-endian).
const PURPOSES: [(&str, &str); 7] = [
    ("21686148-6449-6e6f-744e-656564454649", "bios-boot"),
    ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "esp"),
    ("a19d880f-05fc-4d3b-a006-743f0f84911e", "linux-raid"),
    ("0fc63daf-8483-4772-8e79-3d69d8477de4", "linux"),
    ("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "swap"),
    ("e6d6d379-f507-44c2-a23c-238f2a3df928", "linux-lvm"),
    ("4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "linux-root-x86-64"),
];

/// Reads whichever table is there.
pub(super) fn read(file: &File, source: &Source, sector: u32) -> Table {
    let mut first = [0; 512];
    let Ok(mut disk) = View::new(file, source) else {
        return Table::default();
    };
    if disk.read_exact(&mut first).is_err() {
        return Table::default();
    }
    let protective = first[510..] == [0x55, 0xAA] && (0..4).any(|i| first[450 + 16 * i] == 0xEE);
    if let Some(problem) = absurd_gpt(file, source) {
        return Table {
            kind: Some("gpt".into()),
            problem: Some(problem),
            entries: Vec::new(),
        };
    }
    // The libraries are asked about hostile bytes: a panic in them is an answer.
    let asked = panic::catch_unwind(AssertUnwindSafe(|| {
        match gptman::GPT::find_from(&mut disk) {
            Ok(gpt) => from_gpt(&gpt),
            Err(error) if protective => Table {
                kind: Some("gpt".into()),
                problem: Some(format!("the GPT cannot be read: {error}")),
                entries: Vec::new(),
            },
            Err(_) => from_mbr(&mut disk, sector),
        }
    }));
    asked.unwrap_or_else(|_| Table {
        kind: None,
        problem: Some("the partition table makes no sense".into()),
        entries: Vec::new(),
    })
}

/// What in a GPT header no real disk has, before a library allocates by it
/// (UEFI specification, table "GPT Header").
fn absurd_gpt(file: &File, source: &Source) -> Option<String> {
    for sector in [512_u64, 4096] {
        let last = (source.bytes / sector).checked_sub(1)?;
        for lba in [1, last] {
            let header = source.read_at(file, lba.checked_mul(sector)?, 92).ok()?;
            if !header.starts_with(b"EFI PART") || header.len() < 92 {
                continue;
            }
            let number = |at: usize| {
                let raw = header.get(at..at + 4).and_then(|raw| raw.try_into().ok());
                u64::from(raw.map_or(0, u32::from_le_bytes))
            };
            let (count, size) = (number(80), number(84));
            let table = number(72) | number(76) << 32;
            let bytes = count.saturating_mul(size);
            let end = table.saturating_mul(sector).saturating_add(bytes);
            let sane = count <= MOST_ENTRIES
                && (128..=4096).contains(&size)
                && size.is_power_of_two()
                && end <= source.bytes;
            if !sane {
                return Some(format!(
                    "the GPT header at sector {lba} makes no sense: {count} entries of \
                     {size} bytes"
                ));
            }
        }
    }
    None
}

fn from_gpt(gpt: &gptman::GPT) -> Table {
    let sector = gpt.sector_size;
    let entries = gpt
        .iter()
        .filter(|(_, entry)| entry.is_used())
        .map(|(number, entry)| {
            let kind = guid(&entry.partition_type_guid);
            let purpose = PURPOSES
                .iter()
                .find(|(guid, _)| *guid == kind)
                .map_or(kind.clone(), |(_, name)| (*name).to_owned());
            let label = entry.partition_name.as_str().to_owned();
            let sectors = entry
                .ending_lba
                .saturating_sub(entry.starting_lba)
                .saturating_add(1);
            TableEntry {
                number,
                start: entry.starting_lba.saturating_mul(sector),
                bytes: sectors.saturating_mul(sector),
                purpose,
                uuid: Some(guid(&entry.unique_partition_guid)),
                label: (!label.is_empty()).then_some(label),
            }
        })
        .collect();
    Table {
        kind: Some("gpt".into()),
        problem: None,
        entries,
    }
}

fn from_mbr(disk: &mut View<'_>, sector: u32) -> Table {
    let Ok(mbr) = mbrman::MBR::read_from(disk, sector) else {
        return Table::default();
    };
    // A filesystem's boot sector ends in 55 AA as well; a table with a
    // nonsense flag byte is none.
    let sane = (1..=4).all(|i| mbr.get(i).is_none_or(|p| matches!(p.boot, 0 | 0x80)));
    let signature = mbr.header.disk_signature;
    let entries: Vec<_> = mbr
        .iter()
        .filter(|(_, p)| p.is_used() && !p.is_extended() && p.sectors > 0)
        .filter_map(|(number, p)| {
            let number = u32::try_from(number).ok()?;
            Some(TableEntry {
                number,
                start: u64::from(p.starting_lba) * u64::from(sector),
                bytes: u64::from(p.sectors) * u64::from(sector),
                purpose: mbr_purpose(p.sys),
                uuid: Some(format!(
                    "{:08x}-{number:02x}",
                    u32::from_le_bytes(signature)
                )),
                label: None,
            })
        })
        .collect();
    if !sane || entries.is_empty() {
        return Table::default();
    }
    Table {
        kind: Some("mbr".into()),
        problem: None,
        entries,
    }
}

fn mbr_purpose(kind: u8) -> String {
    match kind {
        0x82 => "swap".into(),
        0x83 => "linux".into(),
        0x8E => "linux-lvm".into(),
        0xEF => "esp".into(),
        0xFD => "linux-raid".into(),
        other => format!("type {other:02x}"),
    }
}

/// A GUID in its usual spelling.
pub(super) fn guid(raw: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = raw;
    let tail: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    let (node_high, node_low) = tail.split_at(4);
    format!(
        "{:08x}-{:04x}-{:04x}-{node_high}-{node_low}",
        u32::from_le_bytes([*a, *b, *c, *d]),
        u16::from_le_bytes([*e, *f]),
        u16::from_le_bytes([*g, *h]),
    )
}

/// A source as a stream, so that a library can seek in it from zero.
struct View<'a> {
    file: &'a File,
    source: &'a Source,
    at: u64,
}

impl<'a> View<'a> {
    fn new(file: &'a File, source: &'a Source) -> io::Result<Self> {
        if source.bytes < 512 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self {
            file,
            source,
            at: 0,
        })
    }
}

impl Read for View<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read_at(self.file, self.at, out.len())?;
        out[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for View<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.source.bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
