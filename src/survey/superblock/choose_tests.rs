//! Which of several superblocks is the device's own.
#![allow(clippy::unwrap_used)]

use super::choose::choose;
use super::*;

/// At the end of a device of 10000 sectors.
fn end(created: u64) -> Superblock {
    Superblock {
        version: "1.0".into(),
        sector: 9984,
        size: 9900,
        data_size: 9984,
        level: 1,
        created,
        ..Superblock::default()
    }
}

/// At the start, made for a device of `sectors`.
fn start(created: u64, sectors: u64) -> Superblock {
    Superblock {
        version: "1.2".into(),
        sector: 8,
        data_offset: 2048,
        data_size: sectors - 2048,
        size: sectors - 2048,
        level: 0,
        created,
        ..Superblock::default()
    }
}

fn chosen(all: &[&Superblock]) -> (String, usize) {
    let member = choose(all.iter().map(|one| vec![(*one).clone()]).collect());
    (member.arrays[0].version.clone(), member.also.len())
}

#[test]
fn the_newer_one_wins_whatever_the_order() {
    let (old, new) = (end(100), start(200, 10000));
    assert_eq!(chosen(&[&old, &new]), ("1.2".into(), 1));
    assert_eq!(chosen(&[&new, &old]), ("1.2".into(), 1));
    let (new, old) = (end(300), start(200, 10000));
    assert_eq!(chosen(&[&old, &new]), ("1.0".into(), 1));
}

#[test]
fn an_array_on_an_array_shows_through_and_is_not_the_disks() {
    let (outer, inner) = (end(100), start(200, 9900));
    assert_eq!(chosen(&[&outer, &inner]), ("1.0".into(), 0));
    assert_eq!(chosen(&[&inner, &outer]), ("1.0".into(), 0));
}
