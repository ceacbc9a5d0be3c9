//! A new name in a directory of FAT: the short one, and the entries that carry
//! the long one (Microsoft, "FAT: General Overview of On-Disk Format" 1.03).

use super::fat::{ENTRY, LAST, LETTERS, LONG_NAME, checksum};

/// The longest name, in letters of UTF-16.
const LETTERS_MAX: usize = 255;

/// Names with the same beginning that are told apart by a number.
const TAILS_MAX: u32 = 999_999;

/// Letters that no name may have, and those that only a long one may.
const FORBIDDEN: &str = "\"*/:<>?\\|";
const LONG_ONLY: &str = "+,;=[] .";

/// The slots of a new entry: those of its long name where it needs one, and the
/// short one, whose attributes are still empty.
///
/// # Errors
/// It is no name.
pub(super) fn slots(name: &str, taken: &[[u8; 11]]) -> Result<Vec<[u8; ENTRY]>, String> {
    let wide: Vec<u16> = name.encode_utf16().collect();
    let bad = |letter: char| letter.is_control() || FORBIDDEN.contains(letter);
    let ends_badly = name.ends_with(['.', ' ']);
    if name.is_empty() || wide.len() > LETTERS_MAX || name.contains(bad) || ends_badly {
        return Err(format!("{name:?} is no name on a FAT filesystem"));
    }
    let (short, is_long) = short_of(name, taken).ok_or("a directory has too many such names")?;
    let mut slots = match is_long {
        true => long(&wide, checksum(&short)),
        false => Vec::new(),
    };
    let mut entry = [0; ENTRY];
    entry[..11].copy_from_slice(&short);
    slots.push(entry);
    Ok(slots)
}

/// The short name, and whether a long one must stand before it.
fn short_of(name: &str, taken: &[[u8; 11]]) -> Option<([u8; 11], bool)> {
    let (base, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let fits = |part: &str, most| {
        let plain = |c: char| c.is_ascii() && !c.is_control() && !LONG_ONLY.contains(c);
        part.len() <= most && part.chars().all(plain)
    };
    let capitals = name.to_ascii_uppercase();
    if fits(base, 8) && fits(ending, 3) && !base.is_empty() {
        let short = packed(&base.to_ascii_uppercase(), &ending.to_ascii_uppercase());
        if !taken.contains(&short) {
            return Some((short, capitals != name));
        }
    }
    let plain = |part: &str, most| -> String {
        let letters = part.chars().filter(|c| *c != ' ' && *c != '.');
        let known = letters.map(|c| match c.is_ascii() && !LONG_ONLY.contains(c) {
            true => c.to_ascii_uppercase(),
            false => '_',
        });
        known.take(most).collect()
    };
    let (base, ending) = (plain(base, 8), plain(ending, 3));
    let mut numbers = (1..=TAILS_MAX).map(|number| {
        let tail = format!("~{number}");
        let begin: String = base.chars().take(8 - tail.len()).collect();
        packed(&format!("{begin}{tail}"), &ending)
    });
    let short = numbers.find(|short| !taken.contains(short))?;
    Some((short, true))
}

/// Both parts, filled up with blanks; they are ASCII.
fn packed(base: &str, ending: &str) -> [u8; 11] {
    let mut short = [b' '; 11];
    for (place, byte) in short[..8].iter_mut().zip(base.bytes()) {
        *place = byte;
    }
    for (place, byte) in short[8..].iter_mut().zip(ending.bytes()) {
        *place = byte;
    }
    short
}

/// 13 letters for each entry, the last ones first.
fn long(wide: &[u16], sum: u8) -> Vec<[u8; ENTRY]> {
    let parts = wide.chunks(LETTERS.len()).enumerate();
    let mut slots: Vec<[u8; ENTRY]> = parts
        .map(|(number, letters)| {
            let mut entry = [0; ENTRY];
            entry[0] = u8::try_from(number + 1).unwrap_or(u8::MAX);
            entry[11] = LONG_NAME;
            entry[13] = sum;
            // A zero ends the name, and ones fill the rest.
            let rest = std::iter::once(0).chain(std::iter::repeat(0xFFFF));
            for (at, letter) in LETTERS.iter().zip(letters.iter().copied().chain(rest)) {
                entry[*at..*at + 2].copy_from_slice(&letter.to_le_bytes());
            }
            entry
        })
        .collect();
    if let Some(last) = slots.last_mut() {
        last[0] |= LAST;
    }
    slots.reverse();
    slots
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn short_names_and_their_tails() {
        let short = |name: &str, taken: &[[u8; 11]]| {
            let slots = slots(name, taken).unwrap();
            let text = String::from_utf8(slots.last().unwrap()[..11].to_vec()).unwrap();
            (text, slots.len())
        };
        assert_eq!(short("BOOT", &[]), ("BOOT       ".into(), 1));
        assert_eq!(short("BOOTX64.EFI", &[]), ("BOOTX64 EFI".into(), 1));
        assert_eq!(short("grubx64.efi", &[]), ("GRUBX64 EFI".into(), 2));
        let long = "systemd-bootx64.efi";
        assert_eq!(short(long, &[]), ("SYSTEM~1EFI".into(), 3));
        assert_eq!(short(long, &[*b"SYSTEM~1EFI"]), ("SYSTEM~2EFI".into(), 3));
        assert_eq!(short("a b.c.d", &[]), ("ABC~1   D  ".into(), 2));
        assert_eq!(short("\u{e4}x", &[]), ("_X~1       ".into(), 2));
        for bad in ["", ".", "a/b", "x\n", "a.", "a ", &"x".repeat(256)] {
            assert!(slots(bad, &[]).is_err(), "{bad:?}");
        }
    }
}
