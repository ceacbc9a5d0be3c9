//! SCSI log pages (SPC-4, big-endian): informational exceptions.

use super::{Health, Warning};

/// The informational exceptions log page.
pub(super) const EXCEPTIONS_PAGE: u8 = 0x2f;

/// Adds what the page tells; false when it is cut off or another page.
pub(super) fn exceptions(page: &[u8], health: &mut Health) -> bool {
    // Page code, subpage, length; then parameter 0 of at least 4 bytes: code,
    // qualifier, temperature.
    let (Some(head), Some(parameter)) = (page.get(..4), page.get(4..12)) else {
        return false;
    };
    let length = u16::from_be_bytes([head[2], head[3]]);
    if head[0] & 0x3f != EXCEPTIONS_PAGE || length < 8 {
        return false;
    }
    if parameter[..2] != [0, 0] || parameter[3] < 3 {
        return false;
    }
    let code = u16::from_be_bytes([parameter[4], parameter[5]]);
    // 5D/FF is a disk's answer to a test of this very mechanism.
    let warned = code != 0 && code != 0x5dff;
    health.passed = Some(code >> 8 != 0x5d || !warned);
    // 5D: failure prediction threshold exceeded; 0B: warning.
    if warned && matches!(code >> 8, 0x5d | 0x0b) {
        health.warnings.push(Warning::Exception { code });
    }
    // 255: not told.
    health.temperature = Some(parameter[6])
        .filter(|celsius| (1..255).contains(celsius))
        .map(i32::from);
    true
}
