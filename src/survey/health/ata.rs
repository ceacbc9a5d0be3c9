//! ATA structures: IDENTIFY DEVICE, SMART attributes, device statistics
//! (ACS-3; the attributes are vendors' custom, the same in all of them).

use super::{Health, Warning};

/// Length of every structure here.
const BYTES: usize = 512;

/// Attributes begin here; 30 slots of 12 bytes.
const FIRST: usize = 2;
const SLOT: usize = 12;
const SLOTS: usize = 30;

const REALLOCATED: u8 = 5;
const HOURS: u8 = 9;
const CYCLES: u8 = 12;
const AIRFLOW: u8 = 190;
const TEMPERATURE: u8 = 194;
const PENDING: u8 = 197;

/// Attributes about heat.
pub(super) const TEMPERATURES: [u8; 2] = [AIRFLOW, TEMPERATURE];

/// The log of device statistics, and its page about solid state disks.
pub(super) const STATISTICS_LOG: u8 = 4;
pub(super) const ENDURANCE_PAGE: u8 = 7;

/// What IDENTIFY DEVICE says can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Smart {
    /// SMART is on.
    On,
    /// The disk has it, switched off.
    Off,
    /// The disk has none.
    None,
}

/// Adds model, serial number and firmware; `None` when it is cut off.
pub(super) fn identity(bytes: &[u8], health: &mut Health) -> Option<Smart> {
    let bytes = bytes.get(..BYTES)?;
    health.serial = text(bytes, 10..20);
    health.firmware = text(bytes, 23..27);
    health.model = text(bytes, 27..47);
    // Words 82 and 83 count only when bits 15:14 of word 83 are 01.
    let valid = word(bytes, 83) >> 14 == 1;
    Some(match (valid && word(bytes, 82) & 1 != 0, word(bytes, 85)) {
        (false, _) => Smart::None,
        (true, enabled) if enabled & 1 != 0 => Smart::On,
        (true, _) => Smart::Off,
    })
}

/// True when IDENTIFY DEVICE says that READ LOG EXT is there (word 84, bit 5).
pub(super) fn has_logs(identity: &[u8]) -> bool {
    identity.len() >= BYTES && word(identity, 84) >> 14 == 1 && word(identity, 84) & 0x20 != 0
}

/// Pages of log `address` by the log directory.
pub(super) fn log_pages(directory: &[u8], address: u8) -> u16 {
    let at = usize::from(address) * 2;
    match directory.get(at..at + 2) {
        Some(pair) => u16::from_le_bytes([pair[0], pair[1]]),
        None => 0,
    }
}

/// "Percentage used endurance indicator" of the statistics' page 7.
pub(super) fn endurance(page: &[u8]) -> Option<u8> {
    // Byte 2 is the page's number; bits 7 and 6 of the last byte of a value
    // say that it is supported and valid.
    let ours = page.get(2) == Some(&ENDURANCE_PAGE);
    let value = page.get(8..16)?;
    (ours && value[7] & 0xc0 == 0xc0).then_some(value[0])
}

/// Adds what SMART READ DATA and SMART READ THRESHOLDS tell; false when a
/// structure is cut off or its checksum is wrong.
pub(super) fn attributes(data: &[u8], thresholds: &[u8], health: &mut Health) -> bool {
    let (Some(data), Some(thresholds)) = (whole(data), whole(thresholds)) else {
        return false;
    };
    for slot in slots(data) {
        let (id, prefailure, value) = (slot[0], slot[1] & 1 != 0, slot[3]);
        let raw = slot[5..11]
            .iter()
            .rev()
            .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        match id {
            REALLOCATED => health.reallocated_sectors = Some(raw & 0xffff_ffff),
            PENDING => health.pending_sectors = Some(raw & 0xffff_ffff),
            // Some vendors keep other things in the upper half.
            HOURS => health.power_on_hours = Some(raw & 0xff_ffff),
            CYCLES => health.power_cycles = Some(raw & 0xffff_ffff),
            TEMPERATURE => health.temperature = Some(celsius(slot[5])),
            AIRFLOW if health.temperature.is_none() => {
                health.temperature = Some(celsius(slot[5]));
            }
            _ => {}
        }
        let threshold = slots(thresholds)
            .find(|limit| limit[0] == id)
            .map_or(0, |limit| limit[1]);
        // Threshold 0 is always passed and 254, 255 are for the vendor's tests;
        // value 0 and 254 up are not valid (SFF-8035i).
        let valid = (1..=253).contains(&value) && (1..=253).contains(&threshold);
        if prefailure && valid && value <= threshold {
            health.warnings.push(Warning::Attribute {
                id,
                value,
                threshold,
            });
        }
    }
    true
}

/// The first 512 bytes, when they sum up to zero as they should.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.get(..BYTES)?;
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    (sum == 0).then_some(bytes)
}

fn slots(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes[FIRST..FIRST + SLOT * SLOTS]
        .chunks_exact(SLOT)
        .filter(|slot| slot[0] != 0)
}

fn celsius(raw: u8) -> i32 {
    i32::from(i8::from_le_bytes([raw]))
}

/// The usual name of an attribute that vendors mark as a sign of failure.
pub(super) fn attribute_name(id: u8) -> &'static str {
    match id {
        1 => "read error rate",
        3 => "spin-up time",
        REALLOCATED => "replaced sectors",
        7 => "seek error rate",
        10 => "spin-up retries",
        184 => "end-to-end errors",
        AIRFLOW | TEMPERATURE => "temperature",
        196 => "replacement events",
        PENDING => "unreadable sectors",
        170 | 232 => "spare blocks",
        173 | 177 | 231 | 233 => "wear",
        _ => "a SMART value",
    }
}

fn word(bytes: &[u8], number: usize) -> u16 {
    match bytes.get(number * 2..number * 2 + 2) {
        Some(pair) => u16::from_le_bytes([pair[0], pair[1]]),
        None => 0,
    }
}

/// Text in words, the first letter in the upper byte of each.
fn text(bytes: &[u8], words: std::ops::Range<usize>) -> Option<String> {
    let text: String = words
        .flat_map(|number| word(bytes, number).to_be_bytes())
        .map(char::from)
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
