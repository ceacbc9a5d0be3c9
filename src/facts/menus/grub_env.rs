//! GRUB's environment block, `/boot/grub/grubenv` (GRUB 2.12,
//! `grub-core/lib/envblk.c`).

use std::collections::BTreeMap;

use crate::sys::root_dir::RootDir;

/// What it begins with, and its only length.
pub(super) const SIGNATURE: &str = "# GRUB Environment Block\n";
const LENGTH: usize = 1024;

/// The variables; none of a block that GRUB refuses.
pub(in super::super) fn read(root: &RootDir, folder: &str) -> BTreeMap<String, String> {
    let read = root.read(format!("{folder}/grubenv"), 1 << 16);
    parse(&read.unwrap_or_default()).unwrap_or_default()
}

fn parse(raw: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = String::from_utf8_lossy(raw);
    let body = text.strip_prefix(SIGNATURE)?;
    if raw.len() != LENGTH {
        return None;
    }
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        Some((name.to_owned(), value.replace("\\\\", "\\")))
    });
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_another_length_is_refused() {
        let mut raw = format!("{SIGNATURE}saved_entry=abc-6.1\nboot_success=0\n").into_bytes();
        assert_eq!(parse(&raw), None);
        raw.resize(LENGTH, b'#');
        let read = parse(&raw).unwrap_or_default();
        assert_eq!(read.get("saved_entry").map(String::as_str), Some("abc-6.1"));
        assert_eq!(read.len(), 2);
    }
}
