#![allow(clippy::unwrap_used)]

use super::*;

const X86_64: Machine = Machine {
    is_64: true,
    is_little_endian: true,
    code: EM_X86_64,
};

/// A cache in the new format: (name, path, flags, hwcap), and hwcaps names.
fn cache(entries: &[(&str, &str, u32, u64)], names: &[&str]) -> Vec<u8> {
    let mut strings: Vec<u8> = Vec::new();
    let base = NEW_HEADER_BYTES + entries.len() * NEW_ENTRY_BYTES;
    let mut put = |text: &str| {
        let at = u32::try_from(base + strings.len()).unwrap();
        strings.extend(text.as_bytes());
        strings.push(0);
        at
    };
    let mut table: Vec<u8> = Vec::new();
    for (name, path, flags, hwcap) in entries {
        for word in [*flags, put(name), put(path), 0] {
            table.extend(word.to_le_bytes());
        }
        table.extend(hwcap.to_le_bytes());
    }
    let names: Vec<u32> = names.iter().map(|name| put(name)).collect();
    while !(base + strings.len()).is_multiple_of(4) {
        strings.push(0);
    }
    let extension = u32::try_from(base + strings.len()).unwrap();
    let count = u32::try_from(names.len()).unwrap();
    for word in [EXTENSION_MAGIC, 1, 1, 0, extension + 24, count * 4] {
        strings.extend(word.to_le_bytes());
    }
    names.iter().for_each(|at| strings.extend(at.to_le_bytes()));
    let mut bytes = NEW_MAGIC.to_vec();
    bytes.extend(u32::try_from(entries.len()).unwrap().to_le_bytes());
    bytes.extend(u32::try_from(strings.len()).unwrap().to_le_bytes());
    bytes.extend([2, 0, 0, 0]);
    bytes.extend(extension.to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend(table);
    bytes.extend(strings);
    bytes
}

fn sample() -> Vec<u8> {
    cache(
        &[
            ("liba.so.1", "/h/x86-64-v3/liba.so.1", 0x303, HWCAP_IS_NAMED),
            (
                "liba.so.1",
                "/h/x86-64-v2/liba.so.1",
                0x303,
                HWCAP_IS_NAMED | 1,
            ),
            ("liba.so.1", "/lib/liba.so.1", 0x303, 0),
            ("liba.so.1", "/lib/later/liba.so.1", 0x303, 0),
            ("libb.so.1", "/lib32/libb.so.1", 3, 0),
            ("libc.so.1", "/lib/avx/libc.so.1", 0x303, 1 << 20),
        ],
        &["x86-64-v3", "x86-64-v2"],
    )
}

#[test]
fn the_best_entry_for_the_processor_wins() {
    let cache = LdCache::parse(&sample()).unwrap();
    let find = |levels: &[&str]| cache.find("liba.so.1", X86_64, levels);
    assert_eq!(find(&[]), Some("/lib/liba.so.1"));
    assert_eq!(find(&["x86-64-v2"]), Some("/h/x86-64-v2/liba.so.1"));
    assert_eq!(
        find(&["x86-64-v3", "x86-64-v2"]),
        Some("/h/x86-64-v3/liba.so.1")
    );
}

#[test]
fn entries_of_other_machines_and_old_hwcaps_are_passed_over() {
    let cache = LdCache::parse(&sample()).unwrap();
    assert_eq!(cache.find("libb.so.1", X86_64, &[]), None);
    assert_eq!(cache.find("libc.so.1", X86_64, &[]), None);
}

#[test]
fn a_new_cache_behind_an_old_one_is_used() {
    let mut bytes = b"ld.so-1.7.0\0".to_vec();
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([0; OLD_ENTRY_BYTES]);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(sample());
    let cache = LdCache::parse(&bytes).unwrap();
    assert_eq!(cache.find("liba.so.1", X86_64, &[]), Some("/lib/liba.so.1"));
}

#[test]
fn a_cache_the_loader_would_ignore_has_a_reason() {
    let good = sample();
    let mut big_endian = good.clone();
    big_endian[28] = 3;
    let mut too_many = good.clone();
    too_many[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    for (bytes, reason) in [
        (&[][..], "it is empty"),
        (b"nonsense", "it does not begin like a cache"),
        (&good[..40], "its header is cut off"),
        (&good[..100], "its table is longer than the file"),
        (&big_endian, "it was made for a big-endian machine"),
        (&too_many, "its table is longer than the file"),
    ] {
        assert_eq!(LdCache::parse(bytes).unwrap_err().to_string(), reason);
    }
}

#[test]
fn no_single_changed_byte_makes_it_panic() {
    let good = sample();
    for at in 0..good.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            if let Ok(cache) = LdCache::parse(&bytes) {
                let _ = cache.find("liba.so.1", X86_64, &["x86-64-v3"]);
            }
        }
    }
}
