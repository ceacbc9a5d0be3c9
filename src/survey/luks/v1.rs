//! LUKS version 1: one sector and a half of fixed fields, big-endian.

use super::{Digest, Kdf, Luks, Segment, Slot};

const SLOTS: usize = 8;
const FIRST_SLOT: usize = 208;
const SLOT_BYTES: usize = 48;
const ENABLED: u32 = 0x00AC_71F3;

pub(super) fn parse(head: &[u8]) -> Result<Luks, String> {
    fields(head).ok_or_else(|| "its header is cut off".to_owned())
}

fn fields(head: &[u8]) -> Option<Luks> {
    let cipher = format!("{}-{}", text(head, 8, 32)?, text(head, 40, 32)?);
    let hash = text(head, 72, 32)?.to_lowercase();
    let key_bytes = word(head, 108)?;
    let mut slots = Vec::new();
    for number in 0..SLOTS {
        let at = FIRST_SLOT + number * SLOT_BYTES;
        if word(head, at)? != ENABLED {
            continue;
        }
        slots.push(Slot {
            number: u32::try_from(number).ok()?,
            key_bytes,
            stripes: word(head, at + 44)?,
            hash: hash.clone(),
            offset: u64::from(word(head, at + 40)?) * 512,
            cipher: cipher.clone(),
            cipher_key_bytes: key_bytes,
            kdf: Kdf::Pbkdf2 {
                hash: hash.clone(),
                iterations: word(head, at + 4)?,
                salt: head.get(at + 8..at + 40)?.to_vec(),
            },
        });
    }
    let digest = Digest {
        slots: slots.iter().map(|slot| slot.number).collect(),
        hash,
        iterations: word(head, 164)?,
        salt: head.get(132..164)?.to_vec(),
        digest: head.get(112..132)?.to_vec(),
    };
    Some(Luks {
        version: 1,
        uuid: text(head, 168, 40)?,
        label: None,
        slots,
        digests: vec![digest],
        segment: Segment {
            offset: u64::from(word(head, 104)?) * 512,
            bytes: None,
            cipher,
            iv: 0,
            sector_bytes: 512,
        },
    })
}

fn word(head: &[u8], at: usize) -> Option<u32> {
    let raw = head.get(at..at + 4)?;
    raw.try_into().ok().map(u32::from_be_bytes)
}

fn text(head: &[u8], at: usize, length: usize) -> Option<String> {
    let raw = head.get(at..at + length)?;
    let end = raw.iter().position(|byte| *byte == 0).unwrap_or(length);
    String::from_utf8(raw[..end].to_vec()).ok()
}
