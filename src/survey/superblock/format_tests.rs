//! Superblocks that mdadm 4.2 wrote (tests/images/INDEX.md), each put back at
//! its place in an empty member.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;

macro_rules! image {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/images/md/", $name))
    };
}

/// The lab's partitions, unless told otherwise, and the sectors at which the
/// superblocks at their end lie.
const SECTORS: u64 = 16384;
const AT_090: u64 = SECTORS - 128;
const AT_10: u64 = SECTORS - 16;

/// A member of `sectors` with these bytes at these sectors.
fn member(sectors: u64, pieces: &[(u64, &[u8])]) -> (tempfile::NamedTempFile, Source) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(sectors * 512).unwrap();
    for (sector, bytes) in pieces {
        file.as_file().write_all_at(bytes, sector * 512).unwrap();
    }
    file.flush().unwrap();
    let source = Source {
        path: file.path().to_owned(),
        offset: 0,
        bytes: sectors * 512,
    };
    (file, source)
}

fn probed(sectors: u64, pieces: &[(u64, &[u8])]) -> Option<Content> {
    let (file, source) = member(sectors, pieces);
    probe(file.as_file(), &source, true).unwrap()
}

fn one(sectors: u64, sector: u64, bytes: &[u8]) -> Superblock {
    match probed(sectors, &[(sector, bytes)]) {
        Some(Content::RaidMember(member)) if member.arrays.len() == 1 => member.arrays[0].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_format_and_level_is_read_as_mdadm_wrote_it() {
    // Version, level, layout, chunk, slots, number, role.
    type Said = (&'static str, i32, u32, u32, u32, u32, Role);
    let cases: [(&[u8], u64, u64, Said); 14] = [
        (
            image!("raid1-0.90"),
            SECTORS,
            AT_090,
            ("0.90", 1, 0, 0, 2, 1, Role::Active(1)),
        ),
        (
            image!("raid1-1.0"),
            SECTORS,
            AT_10,
            ("1.0", 1, 0, 0, 2, 1, Role::Active(1)),
        ),
        (
            image!("raid10-1.0-offset"),
            SECTORS,
            AT_10,
            ("1.0", 10, 0x10201, 128, 3, 2, Role::Active(2)),
        ),
        (
            image!("raid4-1.0"),
            SECTORS,
            AT_10,
            ("1.0", 4, 0, 128, 3, 0, Role::Active(0)),
        ),
        (
            image!("raid1-1.1"),
            SECTORS,
            0,
            ("1.1", 1, 0, 0, 2, 0, Role::Active(0)),
        ),
        (
            image!("raid6-1.1"),
            SECTORS,
            0,
            ("1.1", 6, 2, 128, 4, 3, Role::Active(3)),
        ),
        (
            image!("raid0-1.2"),
            SECTORS - 3001,
            8,
            ("1.2", 0, 1, 128, 3, 1, Role::Active(1)),
        ),
        (
            image!("raid5-1.2-right"),
            SECTORS,
            8,
            ("1.2", 5, 1, 128, 3, 1, Role::Active(1)),
        ),
        (
            image!("raid10-1.2-far"),
            SECTORS,
            8,
            ("1.2", 10, 0x201, 128, 4, 3, Role::Active(3)),
        ),
        (
            image!("linear-1.2"),
            SECTORS - 3001,
            8,
            ("1.2", -1, 0, 0, 3, 1, Role::Active(1)),
        ),
        (
            image!("raid5-1.2-journal"),
            SECTORS,
            8,
            ("1.2", 5, 2, 128, 3, 0, Role::Journal),
        ),
        (
            image!("raid1-1.2-spare"),
            SECTORS,
            8,
            ("1.2", 1, 0, 0, 2, 2, Role::Spare),
        ),
        (
            image!("raid1-1.2-rebuilding"),
            SECTORS,
            8,
            ("1.2", 1, 0, 0, 2, 2, Role::Active(1)),
        ),
        (
            image!("raid1-1.2-write-mostly"),
            SECTORS,
            8,
            ("1.2", 1, 0, 0, 2, 1, Role::Active(1)),
        ),
    ];
    for (bytes, sectors, sector, said) in cases {
        let found = one(sectors, sector, bytes);
        let read = (
            found.version.as_str(),
            found.level,
            found.layout,
            found.chunk,
            found.raid_disks,
            found.number,
            found.role(),
        );
        assert_eq!(read, said);
        assert_eq!(found.sector, sector);
        assert!(found.created > 1_700_000_000, "{said:?}");
    }
}

#[test]
fn what_else_a_superblock_says_is_read() {
    let bitmap = one(SECTORS, 8, image!("raid1-1.2-bitmap")).bitmap.unwrap();
    assert_eq!((bitmap.version, bitmap.events), (4, 2));
    let journal = one(SECTORS, 8, image!("raid5-1.2-journal"));
    assert_ne!(journal.features & feature::JOURNAL, 0);
    let ppl = one(SECTORS, 8, image!("raid5-1.2-ppl"));
    assert_ne!(ppl.features & (feature::PPL | feature::PPLS), 0);
    let half = one(SECTORS, 8, image!("raid1-1.2-rebuilding"));
    assert!(half.rebuilding() && half.recovery_offset.is_some());
    assert!(!one(SECTORS, AT_090, image!("raid5-0.90-dirty")).clean);
    let old = one(SECTORS, AT_090, image!("raid5-0.90-stale"));
    assert_eq!(
        old.array_uuid,
        one(SECTORS, AT_090, image!("raid5-0.90-dirty")).array_uuid
    );
    let newer = one(SECTORS, AT_090, image!("raid5-0.90-dirty"));
    assert_eq!((newer.events, newer.role_of(2)), (5, Role::Faulty));
    // 2 * 3000 + 2 sectors less than the first.
    let size = SECTORS - 6002;
    let linear = one(size, (size & !127) - 128, image!("linear-0.90"));
    assert_eq!(
        (linear.level, linear.size, linear.used()),
        (-1, 0, (size & !127) - 128)
    );
}

#[test]
fn a_word_that_newer_kernels_use_is_no_damage() {
    let mut bytes = image!("raid1-1.1").to_vec();
    bytes[224..228].copy_from_slice(&4096_u32.to_le_bytes());
    let length = 256 + 2 * u32_at(&bytes, 220).unwrap() as usize;
    let sum = checksum(&bytes[..length]);
    bytes[216..220].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(one(SECTORS, 0, &bytes).logical_block_bytes, 4096);
}

#[test]
fn the_other_byte_order_of_0_90_says_the_same() {
    let little = image!("raid1-0.90");
    let mut words: Vec<&[u8]> = little.chunks(4).collect();
    // Of 64-bit counters, a big-endian machine writes the high word first.
    for at in [156, 164, 176] {
        words.swap(at / 4, at / 4 + 1);
    }
    let big: Vec<u8> = words
        .iter()
        .flat_map(|word| word.iter().rev().copied())
        .collect();
    assert_eq!(one(SECTORS, AT_090, &big), one(SECTORS, AT_090, little));
}

#[test]
fn the_volumes_of_a_firmware_container_are_found_by_the_serial_number() {
    let sectors = 40 * 2048;
    let all = image!("imsm");
    // The anchor is the sector before the last, the rest lies before it.
    let mut bytes = all[512..1024].to_vec();
    bytes.extend_from_slice(&all[..512]);
    let volumes = imsm::parse(&bytes, sectors - 2, sectors, Some(" lab9 ")).unwrap();
    let shape = |s: &Superblock| {
        (
            s.name.clone(),
            s.level,
            s.layout,
            s.chunk,
            s.size,
            s.data_offset,
            s.role(),
        )
    };
    let said: Vec<_> = volumes.iter().map(shape).collect();
    assert_eq!(
        said,
        [
            ("imsm-r5".into(), 5, 0, 128, 16384, 0, Role::Active(0)),
            (
                "imsm-r10".into(),
                10,
                0x102,
                128,
                45056,
                24576,
                Role::Active(0)
            ),
        ]
    );
    // Without it, the disk is named and neither opened nor taken for another.
    let found = probed(sectors, &[(sectors - 3, all)]);
    assert!(matches!(found, Some(Content::RaidUnusable { why }) if why.contains("IMSM")));
    let found = probed(sectors, &[(sectors - 1, image!("ddf"))]);
    assert!(matches!(found, Some(Content::RaidUnusable { why }) if why.contains("DDF")));
}

#[test]
fn a_volume_of_a_controller_is_read_from_either_copy() {
    let sectors = 524_288;
    let mut all = Vec::new();
    let packed = include_bytes!("../../../tests/images/ddf.gz");
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut all)
        .unwrap();
    let (anchor, description) = all.split_at(512);
    // The primary copy and, by the anchor, the second one.
    for place in [0x78000, 0x70000] {
        let found = probed(sectors, &[(sectors - 1, anchor), (place, description)]);
        let Some(Content::RaidMember(member)) = found else {
            panic!("{found:?}");
        };
        let [one] = member.arrays.as_slice() else {
            panic!("{member:?}");
        };
        assert_eq!(
            (one.name.as_str(), one.level, one.raid_disks),
            ("126", 1, 2)
        );
        assert_eq!((one.data_offset, one.size), (0, 0x70000));
        assert_eq!(
            (one.role(), one.events, one.clean),
            (Role::Active(0), 3, true)
        );
        assert_eq!(one.updated / 86_400, 20_782);
    }
    let mut damaged = description.to_vec();
    damaged[0x82 * 512 + 70] ^= 1;
    let found = probed(sectors, &[(sectors - 1, anchor), (0x78000, &damaged)]);
    assert!(matches!(found, Some(Content::RaidUnusable { why }) if why.contains("damaged")));
}

#[test]
fn bad_blocks_are_listed_until_the_end_mark() {
    let mut list = Vec::new();
    for entry in [100_u64 << 10 | 3, 0, u64::MAX, 7 << 10 | 1] {
        list.extend(entry.to_le_bytes());
    }
    let found = BadBlocks::parse(&list, 3);
    assert_eq!(
        found.ranges,
        [Range {
            sector: 800,
            sectors: 24
        }]
    );
}

#[test]
fn the_newer_of_two_superblocks_counts_and_the_older_is_kept() {
    let (old, new) = (image!("raid1-0.90"), image!("raid5-1.2-right"));
    let found = probed(SECTORS, &[(AT_090, old), (8, new)]);
    let Some(Content::RaidMember(member)) = found else {
        panic!("{found:?}")
    };
    // The 1.2 one was made for the whole partition.
    assert_eq!(member.arrays[0].level, 5);
    assert_eq!(member.also[0].version, "0.90");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..1024),
        which in 0..6_usize,
        at in 0..900_usize,
    ) {
        // Half noise, half a real one with noise in it.
        let real: [&[u8]; 6] = [
            image!("raid1-0.90"), image!("raid6-1.1"), image!("raid1-1.2-bitmap"),
            image!("imsm"), image!("ddf"), image!("raid5-1.2-journal"),
        ];
        let mut broken = real[which].to_vec();
        for (to, from) in broken.iter_mut().skip(at).zip(&bytes) {
            *to ^= *from;
        }
        for bytes in [&bytes, &broken] {
            let _ = v1::parse(bytes, 8);
            let _ = imsm::parse(bytes, 100, 1000, Some("lab9"));
            let _ = v090::read(bytes, 100);
            let _ = Bitmap::parse(bytes);
            let _ = BadBlocks::parse(bytes, 7);
        }
    }

    #[test]
    fn no_volume_of_a_right_checksum_makes_it_panic(
        changes in proptest::collection::vec((0..1024_usize, any::<u8>()), 1..8),
    ) {
        let all = image!("imsm");
        let mut bytes = all[512..1024].to_vec();
        bytes.extend_from_slice(&all[..512]);
        for (at, value) in changes {
            if !(32..40).contains(&at) {
                bytes[at] = value;
            }
        }
        let size = (u32_at(&bytes, 36).unwrap() as usize).min(bytes.len());
        bytes[32..36].fill(0);
        let sum = bytes[..size]
            .chunks_exact(4)
            .fold(0_u32, |sum, word| sum.wrapping_add(u32_at(word, 0).unwrap()));
        bytes[32..36].copy_from_slice(&sum.to_le_bytes());
        let _ = imsm::parse(&bytes, 100, 1000, Some("lab9"));
    }
}
