#![allow(clippy::unwrap_used, clippy::expect_used)]
use proptest::prelude::*;

use super::*;

fn with(words: &[(usize, &[u8])]) -> Vec<u8> {
    let mut head = vec![0; HEAD_BYTES];
    for (at, word) in words {
        head[*at..*at + word.len()].copy_from_slice(word);
    }
    head
}

fn format(words: &[(usize, &[u8])]) -> String {
    recognise(&with(words)).unwrap().format
}

#[test]
fn what_is_only_named_is_named() {
    assert_eq!(format(&[(1024, &[0x10, 0x20, 0xF5, 0xF2])]), "f2fs");
    assert_eq!(format(&[(3, b"NTFS    "), (510, &[0x55, 0xAA])]), "ntfs");
    assert_eq!(format(&[(32769, b"CD001")]), "iso9660");
    assert_eq!(format(&[(65536 + 52, b"ReIsEr2Fs")]), "reiserfs");
    assert_eq!(format(&[(32768, b"JFS1")]), "jfs");
    let name = b"\0\0\0\x04name\0\0\0\x09\0\0\0\x01\0\0\0\x05tank1\0\0\0";
    let list = b"\x01\x01\0\0\0\0\0\0\0\0\0\x01";
    let keys = b"\0\0\0\x07version\0\0\0\0\x09pool_guid\0\0\0";
    let head = with(&[(16384, list), (16500, keys), (16600, name)]);
    let zfs = recognise(&head).unwrap();
    assert_eq!(
        (zfs.format.as_str(), zfs.label.as_deref()),
        ("zfs", Some("tank1"))
    );
}

#[test]
fn a_hibernated_system_is_seen() {
    let swap = recognise(&with(&[(4086, b"SWAPSPACE2")])).unwrap();
    assert_eq!((swap.format.as_str(), swap.detail), ("swap", None));
    let swap = recognise(&with(&[(4086, b"S1SUSPEND\0")])).unwrap();
    assert_eq!(swap.format, "swap");
    assert!(swap.detail.unwrap().contains("hibernated"));
}

#[test]
fn the_life_of_ext4() {
    let head = with(&[
        (1024 + 0x38, &[0x53, 0xEF]),
        (1024 + 0x30, &[1, 0, 0, 0]),
        (1024 + 0x274, &[1]),
        (1024 + 0x34, &[7, 0]),
        (1024 + 0x88, b"/srv"),
        (1024 + 0x194, &[3, 0, 0, 0]),
    ]);
    let life = recognise(&head).unwrap().life.unwrap();
    assert_eq!((life.written, life.created), (Some(1 << 32 | 1), None));
    assert_eq!((life.mounts, life.error_count), (Some(7), 3));
    assert_eq!(life.mounted_on.as_deref(), Some("/srv"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_beginning_makes_it_fail(
        place in proptest::sample::select(vec![0_usize, 3, 1024, 4096, 16384, 32768, 65536]),
        bytes in proptest::collection::vec(any::<u8>(), 0..2048),
        xfs in any::<bool>(),
    ) {
        let mut head = vec![0; HEAD_BYTES];
        let end = (place + bytes.len()).min(head.len());
        head[place..end].copy_from_slice(&bytes[..end - place]);
        if xfs {
            head[..4].copy_from_slice(b"XFSB");
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &head).unwrap();
        let source = Source { path: file.path().to_owned(), offset: 0, bytes: head.len() as u64 };
        let _ = content(file.as_file(), &source);
        for cut in [0, 100, 1500, 5000] {
            recognise(&head[..cut]);
        }
    }
}
