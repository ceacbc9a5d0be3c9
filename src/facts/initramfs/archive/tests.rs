#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::kmod::unpack::tests::packed_by;
use crate::sys::root_dir::{Kind, RootDir};

/// One entry of a newc archive, as the kernel's buffer-format.rst has it.
fn entry(name: &str, mode: u32, links: u32, ino: u32, body: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "070701{ino:08x}{mode:08x}{:08x}{:08x}{links:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{name}\0",
        0, 0, 0, body.len(), 0, 0, 0, 0, name.len() + 1, 0
    )
    .into_bytes();
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn trailer() -> Vec<u8> {
    entry("TRAILER!!!", 0, 1, 0, b"")
}

fn small() -> Vec<u8> {
    let mut all = entry(".", 0o040_755, 2, 1, b"");
    all.extend(entry("bin", 0o120_777, 1, 2, b"usr/bin"));
    all.extend(entry("usr", 0o040_755, 2, 3, b""));
    all.extend(entry("usr/bin", 0o040_755, 2, 4, b""));
    all.extend(entry("bin/sh", 0o100_755, 1, 5, b"#!/bin/x\n"));
    all.extend(entry("init", 0o100_755, 1, 6, &[7; 5000]));
    all.extend(trailer());
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

fn taken(bytes: &[u8]) -> Taken {
    unpack(bytes, bytes.len() as u64)
}

fn root(taken: Taken) -> RootDir {
    RootDir::in_memory(taken.content.tree, "test").unwrap()
}

#[test]
fn a_tree_comes_out_as_the_kernel_would_have_it() {
    let taken = taken(&small());
    assert_eq!(taken.fault, None);
    assert_eq!((taken.segments.len(), taken.content.entries), (1, 6));
    let root = root(taken);
    // Through the link, as the entry was written.
    let found = root.resolve("/bin/sh").unwrap();
    assert_eq!(found.path, Path::new("/usr/bin/sh"));
    assert!(found.meta.is_executable());
    assert_eq!(root.read("/usr/bin/sh", 100).unwrap(), b"#!/bin/x\n");
    assert_eq!(root.read("init", 10_000).unwrap().len(), 5000);
    assert_eq!(root.read_link("/bin").unwrap(), Path::new("usr/bin"));
    let names: Vec<_> = root.read_dir("/").unwrap();
    assert_eq!(names.len(), 3);
    assert!(root.read_dir("/usr/bin/sh").is_err());
    assert!(root.metadata("/usr/bin/absent").is_err());
}

#[test]
fn segments_follow_each_other_and_later_ones_win() {
    let mut image = entry("early", 0o100_644, 1, 1, b"1");
    image.extend(trailer());
    image.resize(image.len().next_multiple_of(512), 0);
    let Some(gz) = packed_by(&["gzip"], &small()) else {
        return;
    };
    image.extend(gz);
    image.extend([0; 64]);
    let mut last = entry("init", 0o100_700, 1, 1, b"new");
    last.extend(trailer());
    image.extend(packed_by(&["zstd", "-q"], &last).unwrap_or(last));
    let taken = taken(&image);
    assert_eq!(taken.fault, None);
    assert_eq!(taken.segments.len(), 3);
    let root = root(taken);
    assert_eq!(root.read("early", 9).unwrap(), b"1");
    assert_eq!(root.read("init", 9).unwrap(), b"new");
    assert_eq!(root.metadata("init").unwrap().mode, 0o700);
}

#[test]
fn every_packing_comes_out_and_every_cut_is_told() {
    let plain = small();
    let tools: &[(&[&str], Packing)] = &[
        (&["cat"], Packing::None),
        (&["gzip", "-9"], Packing::Gzip),
        (&["bzip2"], Packing::Bzip2),
        (&["xz", "--check=crc32"], Packing::Xz),
        (&["xz", "--format=lzma"], Packing::Lzma),
        (&["lz4", "-l", "-q"], Packing::Lz4),
        (&["zstd", "-q", "-19"], Packing::Zstd),
    ];
    for (tool, packing) in tools {
        let Some(image) = packed_by(tool, &plain) else {
            continue;
        };
        let whole = taken(&image);
        assert_eq!(whole.fault, None, "{tool:?}");
        assert_eq!(whole.segments[0].packing, *packing);
        assert_eq!(whole.content.names.len(), 6, "{tool:?}");
        // The zero bytes behind an archive that is not packed are padding.
        let last = image.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let end = if *packing == Packing::None {
            last
        } else {
            image.len()
        };
        for length in 1..end {
            let cut = taken(&image[..length]);
            let fault = cut
                .fault
                .unwrap_or_else(|| panic!("{tool:?} cut at {length}"));
            assert_eq!(fault.of, length as u64);
            assert!(fault.at <= fault.of, "{tool:?} {fault:?}");
        }
        // The decoder of lzma takes all that follows.
        if *packing == Packing::Lzma {
            continue;
        }
        // Behind a whole image.
        let mut longer = image.clone();
        longer.resize(longer.len().next_multiple_of(4), 0);
        longer.extend(b"something else");
        let fault = taken(&longer)
            .fault
            .unwrap_or_else(|| panic!("{tool:?}: nothing told of the rest"));
        assert_eq!(fault.kind, FaultKind::JunkBehind, "{tool:?}");
        assert_eq!(fault.at, (longer.len() - 14) as u64, "{tool:?}");
    }
}

#[test]
fn what_the_kernel_refuses_is_told() {
    let Some(image) = packed_by(&["xz", "--check=crc64"], &small()) else {
        return;
    };
    let fault = taken(&image).fault.unwrap();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert_eq!(taken(&[0; 600]).fault.unwrap().kind, FaultKind::Damaged);
    assert_eq!(taken(b"").fault.unwrap().kind, FaultKind::Damaged);
    assert_eq!(taken(b"no archive").fault.unwrap().at, 0);
}

#[test]
fn a_wrong_checksum_is_told() {
    for tool in [&["gzip"][..], &["zstd", "-q"], &["xz", "--check=crc32"]] {
        // Noise, so that a changed byte stays a literal.
        let mut seed = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .take(20_000)
        .collect();
        let mut plain = entry("noise", 0o100_644, 1, 1, &noise);
        plain.extend(trailer());
        let Some(mut image) = packed_by(tool, &plain) else {
            continue;
        };
        image[10_000] ^= 0x10;
        assert!(taken(&image).fault.is_some(), "{tool:?}");
    }
}

#[test]
fn hard_links_are_one_file() {
    let mut image = entry("a", 0o100_755, 2, 9, b"");
    image.extend(entry("b", 0o100_755, 2, 9, b"both"));
    image.extend(trailer());
    let root = root(taken(&image));
    assert_eq!(root.read("a", 9).unwrap(), b"both");
    assert_eq!(
        root.metadata("a").unwrap().ino,
        root.metadata("b").unwrap().ino
    );
}

#[test]
fn nothing_leads_out_and_nothing_goes_in_circles() {
    let mut image = entry("../../up", 0o100_644, 1, 1, b"1");
    image.extend(entry("loop", 0o120_777, 1, 2, b"loop"));
    image.extend(entry("loop/in", 0o100_644, 1, 3, b"2"));
    image.extend(entry("absent/in", 0o100_644, 1, 4, b"3"));
    image.extend(entry("device", 0o020_600, 1, 5, b""));
    image.extend(trailer());
    let taken = taken(&image);
    assert_eq!(taken.fault, None);
    let root = root(taken);
    assert_eq!(root.read("/up", 9).unwrap(), b"1");
    assert!(root.metadata("/loop").is_err());
    assert!(root.metadata("/absent").is_err());
    assert_eq!(root.metadata("/device").unwrap().kind, Kind::Special);
    assert!(root.open_file("/device").is_err());
}

#[test]
fn a_bomb_is_bounded() {
    let zeros = vec![0; 8 << 20];
    let mut plain = Vec::new();
    for number in 0..3 {
        plain.extend(entry(&format!("f{number}"), 0o100_644, 1, number, &zeros));
    }
    // A file that claims four gigabytes.
    let mut claim = entry("claim", 0o100_644, 1, 7, b"");
    claim[6 + 48..6 + 56].copy_from_slice(b"fffffff0");
    plain.extend(claim);
    let fault = taken(&plain).fault.unwrap();
    assert_eq!(fault.kind, FaultKind::NotUnderstood);
}

#[test]
fn padding_without_end_is_bounded() {
    // A zstd frame whose blocks say "128 KiB of zeros", in four bytes each
    // (RFC 8878, 3.1.1.2.2), two gigabytes of them.
    let mut image = vec![0x28, 0xB5, 0x2F, 0xFD, 0, 0x38];
    for _ in 0..16_384 {
        image.extend_from_slice(&((131_072_u32 << 3) | 2).to_le_bytes()[..3]);
        image.push(0);
    }
    let fault = taken(&image).fault.unwrap();
    assert_eq!(fault.kind, FaultKind::NotUnderstood);
    let fault = unpack(&b""[..], u64::MAX).fault.unwrap();
    assert_eq!(fault.kind, FaultKind::NotUnderstood);
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = taken(&bytes);
    }

    #[test]
    fn any_change_of_a_header_ends_in_an_answer(at in 0_usize..1200, byte in any::<u8>()) {
        let mut image = small();
        image[at] = byte;
        let taken = taken(&image);
        let root = root(taken);
        let _ = root.read_dir("/");
    }
}
