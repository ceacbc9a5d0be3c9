//! LUKS version 2: two copies of a binary header with JSON behind it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Digest, Kdf, Luks, Segment, Slot};
use crate::survey::Source;

const BINARY: usize = 4096;

/// Sizes that a header may have, its JSON included; the second copy lies
/// behind the first.
const SIZES: [u64; 9] = [
    0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x10_0000, 0x20_0000, 0x40_0000,
];

#[derive(Deserialize)]
struct Metadata {
    keyslots: BTreeMap<String, KeySlot>,
    segments: BTreeMap<String, JsonSegment>,
    digests: BTreeMap<String, JsonDigest>,
    #[serde(default)]
    config: Config,
}

#[derive(Deserialize, Default)]
struct Config {
    #[serde(default)]
    requirements: Requirements,
}

#[derive(Deserialize, Default)]
struct Requirements {
    #[serde(default)]
    mandatory: Vec<String>,
}

#[derive(Deserialize)]
struct KeySlot {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    key_size: u32,
    af: Option<Split>,
    area: Option<KeyArea>,
    kdf: Option<JsonKdf>,
}

#[derive(Deserialize)]
struct Split {
    stripes: u32,
    hash: String,
}

#[derive(Deserialize)]
struct KeyArea {
    offset: String,
    #[serde(default)]
    encryption: String,
    #[serde(default)]
    key_size: u32,
}

#[derive(Deserialize)]
struct JsonKdf {
    #[serde(rename = "type")]
    kind: String,
    salt: String,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    iterations: u32,
    #[serde(default)]
    time: u32,
    #[serde(default)]
    memory: u32,
    #[serde(default)]
    cpus: u32,
}

#[derive(Deserialize)]
struct JsonSegment {
    #[serde(rename = "type")]
    kind: String,
    offset: String,
    size: String,
    #[serde(default)]
    iv_tweak: String,
    #[serde(default)]
    encryption: String,
    #[serde(default)]
    sector_size: u32,
    integrity: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct JsonDigest {
    #[serde(rename = "type")]
    kind: String,
    keyslots: Vec<String>,
    segments: Vec<String>,
    salt: String,
    digest: String,
    hash: String,
    iterations: u32,
}

/// Reads the newer of the two copies that are whole.
pub(super) fn read(file: &File, source: &Source) -> io::Result<Result<Luks, String>> {
    let mut best: Option<Copy> = None;
    let places = std::iter::once(0).chain(SIZES);
    for offset in places {
        let binary = source.read_at(file, offset, BINARY)?;
        let Some(size) = size(&binary, offset) else {
            continue;
        };
        let area = source.read_at(file, offset, size)?;
        if let Some(copy) = Copy::checked(area)
            && best
                .as_ref()
                .is_none_or(|best| copy.sequence > best.sequence)
        {
            best = Some(copy);
        }
    }
    Ok(match best {
        Some(copy) => copy.parse(),
        None => Err("both copies of its header are damaged".into()),
    })
}

/// The size of a header that begins with `binary`, where it looks like one.
fn size(binary: &[u8], offset: u64) -> Option<usize> {
    let magic: &[u8] = if offset == 0 {
        b"LUKS\xBA\xBE\x00\x02"
    } else {
        b"SKUL\xBA\xBE\x00\x02"
    };
    let size = u64_at(binary, 8)?;
    let right =
        binary.starts_with(magic) && SIZES.contains(&size) && u64_at(binary, 256)? == offset;
    right.then(|| usize::try_from(size).ok())?
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let raw = bytes.get(at..at + 8)?;
    raw.try_into().ok().map(u64::from_be_bytes)
}

struct Copy {
    sequence: u64,
    area: Vec<u8>,
}

impl Copy {
    fn checked(mut area: Vec<u8>) -> Option<Self> {
        const SUM: std::ops::Range<usize> = 448..512;
        if text(&area, 72, 32)? != "sha256" {
            return None;
        }
        let sum = area.get(SUM)?.to_vec();
        area.get_mut(SUM)?.fill(0);
        let right = sum.starts_with(&Sha256::digest(&area));
        right.then(|| {
            Some(Self {
                sequence: u64_at(&area, 16)?,
                area,
            })
        })?
    }

    fn parse(&self) -> Result<Luks, String> {
        let json = self.area.get(BINARY..).unwrap_or_default();
        let end = json.iter().position(|b| *b == 0).unwrap_or(json.len());
        let metadata: Metadata = serde_json::from_slice(&json[..end])
            .map_err(|error| format!("its header is not understood: {error}"))?;
        if let Some(wanted) = metadata.config.requirements.mandatory.first() {
            return Err(format!(
                "it needs {wanted} (an interrupted re-encryption, perhaps), which \
                 this version does not do; open it with cryptsetup"
            ));
        }
        let (name, segment) = segment(&metadata.segments)?;
        Ok(Luks {
            version: 2,
            uuid: text(&self.area, 168, 40).unwrap_or_default(),
            label: text(&self.area, 24, 48).filter(|label| !label.is_empty()),
            slots: metadata
                .keyslots
                .iter()
                .filter_map(|(number, slot)| key_slot(number, slot))
                .collect(),
            digests: metadata
                .digests
                .values()
                .filter(|digest| digest.kind == "pbkdf2" && digest.segments.contains(&name))
                .filter_map(digest)
                .collect(),
            segment,
        })
    }
}

fn segment(all: &BTreeMap<String, JsonSegment>) -> Result<(String, Segment), String> {
    let mut all = all.iter();
    let (Some((name, segment)), None) = (all.next(), all.next()) else {
        return Err("its data has several segments (an interrupted re-encryption)".into());
    };
    if segment.kind != "crypt" {
        return Err(format!("its data is of the kind {:?}", segment.kind));
    }
    if segment.integrity.is_some() {
        return Err("its data is protected by dm-integrity, which is not opened".into());
    }
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("its header has {text:?} where a number belongs"))
    };
    let segment = Segment {
        offset: number(&segment.offset)?,
        bytes: match segment.size.as_str() {
            "dynamic" => None,
            size => Some(number(size)?),
        },
        cipher: segment.encryption.clone(),
        iv: match segment.iv_tweak.as_str() {
            "" => 0,
            tweak => number(tweak)?,
        },
        sector_bytes: match segment.sector_size {
            0 => 512,
            size => size,
        },
    };
    Ok((name.clone(), segment))
}

/// None for slots of another kind, such as those of a re-encryption.
fn key_slot(number: &str, slot: &KeySlot) -> Option<Slot> {
    let (split, area, kdf) = (slot.af.as_ref()?, slot.area.as_ref()?, slot.kdf.as_ref()?);
    if slot.kind != "luks2" {
        return None;
    }
    let salt = STANDARD.decode(&kdf.salt).ok()?;
    Some(Slot {
        number: number.parse().ok()?,
        key_bytes: slot.key_size,
        stripes: split.stripes,
        hash: split.hash.to_lowercase(),
        offset: area.offset.parse().ok()?,
        cipher: area.encryption.clone(),
        cipher_key_bytes: area.key_size,
        kdf: match kdf.kind.as_str() {
            "pbkdf2" => Kdf::Pbkdf2 {
                hash: kdf.hash.to_lowercase(),
                iterations: kdf.iterations,
                salt,
            },
            "argon2i" | "argon2id" => Kdf::Argon2 {
                kind: kdf.kind.clone(),
                time: kdf.time,
                memory: kdf.memory,
                lanes: kdf.cpus,
                salt,
            },
            _ => return None,
        },
    })
}

fn digest(digest: &JsonDigest) -> Option<Digest> {
    Some(Digest {
        slots: digest
            .keyslots
            .iter()
            .filter_map(|n| n.parse().ok())
            .collect(),
        hash: digest.hash.to_lowercase(),
        iterations: digest.iterations,
        salt: STANDARD.decode(&digest.salt).ok()?,
        digest: STANDARD.decode(&digest.digest).ok()?,
    })
}

fn text(bytes: &[u8], at: usize, length: usize) -> Option<String> {
    let raw = bytes.get(at..at + length)?;
    let end = raw.iter().position(|byte| *byte == 0).unwrap_or(length);
    String::from_utf8(raw[..end].to_vec()).ok()
}
