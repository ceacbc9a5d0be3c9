#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::io::{Read, Write};

use proptest::prelude::*;

use super::*;

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    decoder.read_to_end(&mut out).unwrap();
    out
}

fn look(bytes: &[u8]) -> Option<PhysicalVolume> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let source = Source {
        path: file.path().to_owned(),
        offset: 0,
        bytes: 64 << 20,
    };
    probe(file.as_file(), &source).unwrap()
}

fn linear() -> Vec<u8> {
    unpacked(include_bytes!("../../../tests/images/lvm-linear.pv.gz"))
}

#[test]
fn a_group_is_read_as_lvm_wrote_it() {
    let physical = look(&linear()).unwrap();
    assert_eq!(physical.uuid, "8T5GIm-7S2L-z5ey-l5Ac-wVpN-Iv7v-l6x74N");
    assert_eq!((physical.bytes, physical.problem), (64 << 20, None));
    let group = physical.group.unwrap();
    assert_eq!((group.name.as_str(), group.seqno), ("vgtest", 2));
    assert_eq!((group.extent_sectors, group.exported), (8192, false));
    assert_eq!(group.physical[0].uuid, physical.uuid);
    assert_eq!(group.physical[0].start, 2048);
    let volume = group.volume("root-a").unwrap();
    assert!(volume.visible);
    assert_eq!((volume.kind(), volume.extents()), ("striped", Some(10)));
    let area = &volume.segments[0].areas[0];
    assert_eq!((area.on.as_str(), area.extent), ("pv0", 0));
}

#[test]
fn raid_and_thin_volumes_keep_their_parts_apart() {
    let bytes = unpacked(include_bytes!("../../../tests/images/lvm-raid1.pv.gz"));
    let group = look(&bytes).unwrap().group.unwrap();
    let root = &group.volume("root").unwrap().segments[0];
    let images: Vec<_> = root.areas.iter().map(|a| a.on.as_str()).collect();
    assert_eq!(root.kind, "raid1");
    assert_eq!(images, ["root_rimage_0", "root_rimage_1"]);
    assert_eq!(root.metadata, ["root_rmeta_0", "root_rmeta_1"]);
    assert!(!group.volume("root_rimage_0").unwrap().visible);

    let bytes = unpacked(include_bytes!("../../../tests/images/lvm-thin.pv.gz"));
    let group = look(&bytes).unwrap().group.unwrap();
    let root = &group.volume("root").unwrap().segments[0];
    assert_eq!(
        (root.kind.as_str(), root.needs.as_deref()),
        ("thin", Some("pool"))
    );

    let bytes = unpacked(include_bytes!("../../../tests/images/lvm-segments.pv.gz"));
    let group = look(&bytes).unwrap().group.unwrap();
    assert!(group.volume("root").unwrap().segments.len() >= 4);
    assert_eq!(group.physical.len(), 2);
}

#[test]
fn every_flipped_byte_is_noticed_or_harmless() {
    let good = linear();
    let whole = look(&good).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        if let Some(seen) = look(&bytes) {
            let same = seen == whole;
            assert!(
                same || (seen.group.is_none() && seen.problem.is_some()),
                "byte {at}"
            );
        }
    }
}

#[test]
fn the_ring_goes_on_behind_its_header() {
    // The newest text, moved so that it crosses the end of the area.
    let good = linear();
    let area = 4096_usize;
    let header = &good[area..area + SECTOR];
    let (offset, length) = (u64_at(header, 40).unwrap(), u64_at(header, 48).unwrap());
    let size = u64_at(header, 32).unwrap();
    let start = area + usize::try_from(offset).unwrap();
    let text = good[start..start + usize::try_from(length).unwrap()].to_vec();
    let mut bytes = good.clone();
    bytes.resize(area + usize::try_from(size).unwrap(), 0);
    let moved = size - 100;
    let end = area + usize::try_from(moved).unwrap();
    bytes[end..].copy_from_slice(&text[..100]);
    let rest = area + SECTOR;
    bytes[rest..rest + text.len() - 100].copy_from_slice(&text[100..]);
    bytes[area + 40..area + 48].copy_from_slice(&moved.to_le_bytes());
    let sum = checksum(&bytes[area + 4..area + SECTOR]);
    bytes[area..area + 4].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(look(&bytes), look(&good));
}

#[test]
fn the_syntax_of_the_text() {
    let text = "# a comment\nvg { id = \"a \\\"b\\\"\" n = -3 f = 1.5 l = [ \"x\", 2 ]\n s { } }";
    let root = text::parse(text).unwrap();
    let group = root.section("vg").unwrap();
    assert_eq!(group.text("id"), Some("a \"b\""));
    assert_eq!(group.number("n"), None);
    assert_eq!(group.list("l").len(), 2);
    assert!(group.has("l", "x"));
    for bad in [
        "}", "a {", "a = ", "a = [ 1", "a = }", "= 1", "\"open", "a ~",
    ] {
        assert!(text::parse(bad).is_err(), "{bad}");
    }
    let bomb = "a {".repeat(10_000);
    assert!(text::parse(&bomb).is_err());
}

#[test]
fn names_are_as_long_as_lvm_allows() {
    let look = |group: &str, key: &str, volume: &str| {
        let text = format!(
            "{group} {{ id = \"g\" seqno = 1 extent_size = 8 \
             physical_volumes {{ {key} {{ id = \"p\" pe_start = 0 }} }} \
             logical_volumes {{ {volume} {{ id = \"l\" }} }} }}"
        );
        Group::from_text(&text::parse(&text).unwrap())
    };
    let (most, long) = ("x".repeat(128), "x".repeat(129));
    assert!(look(&most, &most, &most).is_ok());
    for (group, key, volume) in [
        (&long, &most, &most),
        (&most, &long, &most),
        (&most, &most, &long),
    ] {
        let error = look(group, key, volume).unwrap_err();
        assert!(error.contains("longer than LVM allows"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_fail(text in "[a-z{}=\\[\\],\"# \n0-9-]{0,200}") {
        if let Ok(root) = text::parse(&text) {
            let _ = Group::from_text(&root);
        }
    }

    #[test]
    fn no_damage_makes_it_fail(
        at in 0_usize..6000,
        damage in proptest::collection::vec(any::<u8>(), 1..64),
        sums in any::<bool>(),
    ) {
        let mut bytes = linear();
        let end = (at + damage.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&damage[..end - at]);
        if sums {
            // As an attacker would: with right checksums.
            let sum = checksum(&bytes[512 + 20..1024]);
            bytes[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
            let sum = checksum(&bytes[4096 + 4..4096 + 512]);
            bytes[4096..4100].copy_from_slice(&sum.to_le_bytes());
        }
        look(&bytes);
    }
}
