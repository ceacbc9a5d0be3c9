//! NVMe structures (NVM Express Base Specification 2.0, little-endian).

use super::{DeviceError, Health, Warning};

/// Length of the health log page.
pub(super) const HEALTH_BYTES: usize = 512;

/// Length of an entry of the error log.
pub(super) const ERROR_BYTES: usize = 64;

/// Entries of the error log that are read; it holds up to 256.
const MOST_ERRORS: usize = 16;

/// A data unit of the health log is a thousand blocks of 512 bytes.
const DATA_UNIT_BYTES: u64 = 512_000;

/// 0 C in the Kelvin that NVMe counts.
const ZERO_CELSIUS: i32 = 273;

/// Adds what Identify Controller tells (figure 276).
pub(super) fn identity(bytes: &[u8], health: &mut Health) {
    health.serial = text(bytes, 4, 20);
    health.model = text(bytes, 24, 40);
    health.firmware = text(bytes, 64, 8);
    health.temperature_warning = celsius(bytes, 266);
    health.temperature_critical = celsius(bytes, 268);
}

/// How many entries of the error log to ask for: ELPE counts from zero.
pub(super) fn errors_to_read(identity: &[u8]) -> usize {
    let kept = identity.get(262).map_or(0, |elpe| usize::from(*elpe));
    (kept + 1).min(MOST_ERRORS)
}

/// Adds what the health log tells (figure 207); false when it is cut off.
pub(super) fn health(bytes: &[u8], health: &mut Health) -> bool {
    let (Some(&warnings), Some(&spare), Some(&threshold), Some(&used)) =
        (bytes.first(), bytes.get(3), bytes.get(4), bytes.get(5))
    else {
        return false;
    };
    if bytes.len() < HEALTH_BYTES {
        return false;
    }
    health.warnings = (0..8)
        .filter(|bit| warnings & (1 << bit) != 0)
        .map(warning)
        .collect();
    health.temperature = celsius(bytes, 1);
    health.spare_percent = Some(spare);
    health.spare_threshold = Some(threshold);
    health.worn_percent = Some(used);
    health.written_bytes = count(bytes, 48).map(|units| units.saturating_mul(DATA_UNIT_BYTES));
    health.power_cycles = count(bytes, 112);
    health.power_on_hours = count(bytes, 128);
    health.unsafe_shutdowns = count(bytes, 144);
    health.media_errors = count(bytes, 160);
    health.error_log_entries = count(bytes, 176);
    true
}

fn warning(bit: u8) -> Warning {
    match bit {
        0 => Warning::SpareLow,
        1 => Warning::Temperature,
        2 => Warning::Unreliable,
        3 => Warning::ReadOnly,
        4 => Warning::BackupFailed,
        5 => Warning::MemoryUnreliable,
        bit => Warning::Other { bit },
    }
}

/// The entries of the error log (figure 206), newest first; an entry with the
/// number zero was never used.
pub(super) fn errors(bytes: &[u8]) -> Vec<DeviceError> {
    bytes
        .chunks_exact(ERROR_BYTES)
        .filter_map(|entry| {
            let number = number(entry, 0, 8).filter(|number| *number > 0)?;
            // The lowest bit is the phase tag, the upper ones are hints.
            let field = u16::try_from(self::number(entry, 12, 2)?).ok()?;
            let status = field >> 1 & 0x7ff;
            let block = self::number(entry, 16, 8)?;
            Some(DeviceError {
                number,
                status,
                what: status_words(status),
                // Only media errors name a block.
                block: (status >> 8 == 2).then_some(block),
            })
        })
        .collect()
}

/// The statuses that a technician meets (figures 94 to 97), and the number of
/// the others.
fn status_words(status: u16) -> String {
    let words = match status {
        0x001 => "invalid command",
        0x002 => "invalid field in a command",
        0x004 => "data transfer error",
        0x006 => "internal error",
        0x007 => "aborted on request",
        0x00b => "invalid namespace",
        0x080 => "block out of range",
        0x109 => "invalid log page",
        0x280 => "write fault",
        0x281 => "unrecovered read error",
        0x282 => "guard check failed",
        0x283 => "application tag check failed",
        0x284 => "reference tag check failed",
        0x285 => "compare failed",
        0x286 => "access denied",
        0x287 => "block was never written",
        other => return format!("status {other:#05x}"),
    };
    words.to_owned()
}

fn celsius(bytes: &[u8], at: usize) -> Option<i32> {
    let kelvin = i32::try_from(number(bytes, at, 2)?).ok()?;
    // Zero: not told.
    (kelvin != 0).then_some(kelvin - ZERO_CELSIUS)
}

/// A counter of 16 bytes; no disk comes to more than eight of them.
fn count(bytes: &[u8], at: usize) -> Option<u64> {
    let high = number(bytes, at + 8, 8)?;
    let low = number(bytes, at, 8)?;
    Some(if high == 0 { low } else { u64::MAX })
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(
        field
            .iter()
            .rev()
            .fold(0, |n, byte| n << 8 | u64::from(*byte)),
    )
}

fn text(bytes: &[u8], at: usize, length: usize) -> Option<String> {
    let field = bytes.get(at..at + length)?;
    let text: String = field
        .iter()
        .map(|byte| char::from(*byte))
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
