//! md superblocks, version 1.x (`include/uapi/linux/raid/md_p.h`).

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::{Content, Source};

/// Where a 1.2 superblock begins, in sectors.
const SECTOR_1_2: u64 = 8;
const SECTOR_BYTES: u64 = 512;
const MAGIC: u32 = 0xa92b_4efc;
/// Bytes before the table of roles.
const FIXED_BYTES: usize = 256;
/// The kernel allows this many devices in an array.
const MAX_DEVICES: usize = 4096;

/// One member's view of its array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superblock {
    /// `1.2`.
    pub version: String,
    /// The array's UUID, as mdadm spells it.
    pub array_uuid: String,
    /// `host:name`.
    pub name: String,
    /// 1 for RAID1; negative for linear and multipath.
    pub level: i32,
    /// Meaning depends on the level.
    pub layout: u32,
    /// Sectors used of each member.
    pub size: u64,
    /// Sectors in a chunk; 0 for RAID1.
    pub chunk: u32,
    /// Number of slots.
    pub raid_disks: u32,
    /// Where the data begins, in sectors.
    pub data_offset: u64,
    /// Sectors available for data.
    pub data_size: u64,
    /// This member's own UUID.
    pub device_uuid: String,
    /// This member's index into `roles`.
    pub number: u32,
    /// Bits that say which other fields and features are in use.
    pub features: u32,
    /// Seconds since 1970 of the creation.
    pub created: u64,
    /// Seconds since 1970 of the last update.
    pub updated: u64,
    /// Counts updates of the array; the highest is the freshest.
    pub events: u64,
    /// True when no resync was pending.
    pub clean: bool,
    /// The role of every device: a slot, or one of [`Role`]'s marks.
    pub roles: Vec<u16>,
}

/// What a member is to its array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Holds the data of this slot.
    Active(u16),
    /// Waits for a failure, or was never given a slot.
    Spare,
    /// Failed.
    Faulty,
    /// Holds the write journal.
    Journal,
}

impl From<u16> for Role {
    fn from(raw: u16) -> Self {
        match raw {
            0xFFFF => Self::Spare,
            0xFFFE => Self::Faulty,
            0xFFFD => Self::Journal,
            slot => Self::Active(slot),
        }
    }
}

/// Feature bits (`MD_FEATURE_*`).
pub mod feature {
    /// A write-intent bitmap is kept.
    pub const BITMAP: u32 = 1;
    /// The member is still being rebuilt.
    pub const RECOVERY_OFFSET: u32 = 2;
    /// The array is changing its shape.
    pub const RESHAPE: u32 = 4;
    /// A list of bad blocks is kept.
    pub const BAD_BLOCKS: u32 = 8;
    /// Everything that changes where the data is and is not read here yet.
    pub const NOT_READ: u32 = RESHAPE | 64 | 256 | 512 | 1024 | 2048;
}

impl Superblock {
    /// The role of device `number` in this member's eyes.
    pub fn role_of(&self, number: u32) -> Role {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        self.roles
            .get(index)
            .copied()
            .map_or(Role::Spare, Role::from)
    }

    /// This member's own role in its own eyes.
    pub fn role(&self) -> Role {
        self.role_of(self.number)
    }

    /// True while the member is only partly rebuilt.
    pub fn rebuilding(&self) -> bool {
        self.features & feature::RECOVERY_OFFSET != 0
    }
}

/// Why bytes that begin like a superblock are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// Fewer bytes than the superblock says it has.
    Truncated,
    /// The checksum does not fit the content.
    Checksum {
        /// Computed.
        computed: u32,
        /// Stored.
        stored: u32,
    },
    /// A field holds what no array can have.
    Nonsense(&'static str),
    /// It says that it lies elsewhere (a copy of another place).
    Elsewhere(u64),
    /// Another major version.
    Version(u32),
}

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("the RAID superblock is cut off"),
            Self::Checksum { computed, stored } => write!(
                f,
                "the RAID superblock's checksum is {stored:08x}, \
                 its content gives {computed:08x}"
            ),
            Self::Nonsense(field) => write!(f, "the RAID superblock's {field} makes no sense"),
            Self::Elsewhere(sector) => write!(
                f,
                "the RAID superblock says that it lies at sector {sector}"
            ),
            Self::Version(major) => write!(f, "RAID metadata version {major} is not known"),
        }
    }
}

/// Looks for a member of an array on `source`.
///
/// # Errors
/// The disk's, when it cannot be read.
pub fn probe(file: &File, source: &Source) -> io::Result<Option<Content>> {
    let at = SECTOR_1_2 * SECTOR_BYTES;
    let bytes = source.read_at(file, at, FIXED_BYTES + 2 * MAX_DEVICES)?;
    if u32_at(&bytes, 0) != Some(MAGIC) {
        return other_format(file, source);
    }
    let found = parse(&bytes, SECTOR_1_2).and_then(|found| fits(found, source));
    Ok(Some(match found {
        Ok(found) => Content::RaidMember(Box::new(found)),
        Err(defect) => Content::RaidUnusable {
            why: defect.to_string(),
        },
    }))
}

/// Refuses a member whose data would lie outside of its device.
fn fits(found: Superblock, source: &Source) -> Result<Superblock, Defect> {
    let sectors = source.bytes / SECTOR_BYTES;
    if found.data_offset >= sectors {
        return Err(Defect::Nonsense("data offset"));
    }
    let room = sectors - found.data_offset;
    if found.size == 0 || found.size > room || found.size > found.data_size {
        return Err(Defect::Nonsense("size"));
    }
    Ok(found)
}

/// Superblocks of formats that are recognised and not opened.
fn other_format(file: &File, source: &Source) -> io::Result<Option<Content>> {
    let sectors = source.bytes / SECTOR_BYTES;
    if sectors < 128 {
        return Ok(None);
    }
    let places = [
        ("1.1", 0),
        ("1.0", (sectors - 16) & !7),
        ("0.90", (sectors & !127) - 128),
    ];
    for (version, sector) in places {
        let bytes = source.read_at(file, sector * SECTOR_BYTES, 256)?;
        let here = u32_at(&bytes, 0) == Some(MAGIC)
            && match version {
                "0.90" => u32_at(&bytes, 4) == Some(0),
                _ => u32_at(&bytes, 4) == Some(1) && u64_at(&bytes, 144) == Some(sector),
            };
        if here {
            let why = format!("RAID metadata {version} is not opened by this version");
            return Ok(Some(Content::RaidUnusable { why }));
        }
    }
    Ok(None)
}

/// Reads a 1.x superblock found at `sector`.
///
/// # Errors
/// [`Defect`].
pub fn parse(bytes: &[u8], sector: u64) -> Result<Superblock, Defect> {
    let u32_at = |at| u32_at(bytes, at).ok_or(Defect::Truncated);
    let u64_at = |at| u64_at(bytes, at).ok_or(Defect::Truncated);
    if u32_at(0)? != MAGIC {
        return Err(Defect::Nonsense("magic"));
    }
    if u32_at(4)? != 1 {
        return Err(Defect::Version(u32_at(4)?));
    }
    let devices = usize::try_from(u32_at(220)?).unwrap_or(usize::MAX);
    if devices > MAX_DEVICES {
        return Err(Defect::Nonsense("number of devices"));
    }
    let all = bytes
        .get(..FIXED_BYTES + 2 * devices)
        .ok_or(Defect::Truncated)?;
    let (computed, stored) = (checksum(all), u32_at(216)?);
    if computed != stored {
        return Err(Defect::Checksum { computed, stored });
    }
    if u64_at(144)? != sector {
        return Err(Defect::Elsewhere(u64_at(144)?));
    }
    let raid_disks = u32_at(92)?;
    if raid_disks == 0 || usize::try_from(raid_disks).unwrap_or(usize::MAX) > MAX_DEVICES {
        return Err(Defect::Nonsense("number of slots"));
    }
    let roles = all[FIXED_BYTES..]
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    Ok(Superblock {
        version: "1.2".into(),
        array_uuid: uuid_at(all, 16)?,
        name: name_at(all, 32, 32),
        level: u32_at(72)?.cast_signed(),
        layout: u32_at(76)?,
        size: u64_at(80)?,
        chunk: u32_at(88)?,
        raid_disks,
        data_offset: u64_at(128)?,
        data_size: u64_at(136)?,
        device_uuid: uuid_at(all, 168)?,
        number: u32_at(160)?,
        features: u32_at(8)?,
        // The low 40 bits are seconds, the rest microseconds.
        created: u64_at(64)? & 0xFF_FFFF_FFFF,
        updated: u64_at(192)? & 0xFF_FFFF_FFFF,
        events: u64_at(200)?,
        clean: u64_at(208)? == u64::MAX,
        roles,
    })
}

/// `calc_sb_1_csum` of the kernel: little-endian words summed in 64 bits with
/// the checksum field as zero, then both halves added.
pub fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(4).enumerate().map(|(index, chunk)| {
        if index == 216 / 4 {
            return 0;
        }
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from(u32::from_le_bytes(word))
    });
    let sum: u64 = words.sum();
    let folded = (sum & 0xFFFF_FFFF) + (sum >> 32);
    u32::try_from(folded & 0xFFFF_FFFF).unwrap_or(0)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn uuid_at(bytes: &[u8], at: usize) -> Result<String, Defect> {
    let raw: [u8; 16] = bytes
        .get(at..at + 16)
        .and_then(|raw| raw.try_into().ok())
        .ok_or(Defect::Truncated)?;
    // As mdadm spells it: four words with colons.
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!(
        "{}:{}:{}:{}",
        &hex[..8],
        &hex[8..16],
        &hex[16..24],
        &hex[24..]
    ))
}

fn name_at(bytes: &[u8], at: usize, length: usize) -> String {
    let raw = bytes.get(at..at + length).unwrap_or_default();
    let end = raw.iter().position(|byte| *byte == 0).unwrap_or(raw.len());
    String::from_utf8_lossy(&raw[..end]).into_owned()
}
