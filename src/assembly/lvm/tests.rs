#![allow(clippy::unwrap_used)]
use std::path::PathBuf;

use super::map::{Map, Refusal, Resolved};
use super::room::{MOST_DEVICES, Room};
use super::*;
use crate::assembly::Layer;
use crate::survey::Source;
use crate::survey::lvm::{Area, Logical, Physical, Segment};

fn physical(key: &str, start: u64) -> Physical {
    Physical {
        key: key.into(),
        uuid: format!("uuid-{key}"),
        device: Some("/dev/sdx".into()),
        start,
        missing: false,
    }
}

fn segment(kind: &str, start: u64, extents: u64, areas: &[(&str, u64)]) -> Segment {
    let areas = areas.iter().map(|(on, extent)| Area {
        on: (*on).into(),
        extent: *extent,
    });
    Segment {
        kind: kind.into(),
        start,
        extents,
        stripe_sectors: 128,
        areas: areas.collect(),
        metadata: Vec::new(),
        needs: None,
        changes: None,
        reshaping: false,
    }
}

fn logical(name: &str, segments: Vec<Segment>) -> Logical {
    Logical {
        name: name.into(),
        uuid: name.into(),
        visible: true,
        segments,
    }
}

fn group(logical: Vec<Logical>) -> Group {
    Group {
        name: "vg".into(),
        uuid: "vg-uuid".into(),
        seqno: 5,
        exported: false,
        extent_sectors: 8,
        physical: vec![physical("pv0", 2048), physical("pv1", 4096)],
        logical,
    }
}

fn volume(name: &str, key: &str, group: Option<Group>) -> Volume {
    Volume {
        name: name.into(),
        layer: Layer::Disk,
        source: Source {
            path: PathBuf::from("/dev/null"),
            offset: 0,
            bytes: 1 << 30,
        },
        sector_bytes: 512,
        content: Content::PhysicalVolume(Box::new(PhysicalVolume {
            uuid: format!("uuid-{key}"),
            group,
            ..PhysicalVolume::default()
        })),
        purpose: None,
        part_uuid: None,
        part_label: None,
        on: Vec::new(),
        disks: Vec::new(),
        members: Vec::new(),
        sources: Vec::new(),
    }
}

fn found_with(logical: Vec<Logical>) -> Found {
    let group = group(logical);
    let volumes = [volume("a", "pv0", Some(group)), volume("b", "pv1", None)];
    judge(&volumes).pop().unwrap()
}

fn pieces(found: &Found, number: usize) -> Resolved {
    Map::new(found).pieces(number)
}

#[test]
fn the_newest_description_counts_and_copies_are_told() {
    let mut old = group(Vec::new());
    old.seqno = 4;
    old.name = "before".into();
    let new = group(Vec::new());
    let volumes = [
        volume("a", "pv0", Some(old)),
        volume("b", "pv1", Some(new.clone())),
    ];
    let found = judge(&volumes).pop().unwrap();
    assert_eq!((found.name.as_str(), found.is_whole()), ("vg", true));
    let found = judge(&[volume("b", "pv1", Some(new.clone()))])
        .pop()
        .unwrap();
    assert!(!found.is_whole());
    assert!(found.missing[0].contains("uuid-pv0"));
    let twice = [
        volume("a", "pv0", Some(new.clone())),
        volume("b", "pv1", None),
        volume("c", "pv1", None),
    ];
    let found = judge(&twice).pop().unwrap();
    assert_eq!(found.copies, ["uuid-pv1 on b and on c"]);
}

#[test]
fn stretches_are_found_and_neighbours_joined() {
    let found = found_with(vec![logical(
        "root",
        vec![
            segment("striped", 0, 2, &[("pv0", 0)]),
            segment("striped", 2, 3, &[("pv0", 2)]),
            segment("striped", 5, 4, &[("pv1", 10), ("pv0", 20)]),
        ],
    )]);
    let pieces = pieces(&found, 0).unwrap();
    assert_eq!(pieces.len(), 2);
    assert_eq!(
        (pieces[0].sectors, &pieces[0].legs[..]),
        (40, &[("pv0".into(), 2048)][..])
    );
    assert_eq!(pieces[1].stripe, 128);
    assert_eq!(pieces[1].legs, [("pv1".into(), 4176), ("pv0".into(), 2208)]);
}

#[test]
fn odd_descriptions_are_refused() {
    let hole = logical("hole", vec![segment("striped", 1, 2, &[("pv0", 0)])]);
    let own = logical("own", vec![segment("striped", 0, 2, &[("own", 0)])]);
    let far = logical("far", vec![segment("striped", 0, u64::MAX, &[("pv0", 0)])]);
    let nobody = logical("nobody", vec![segment("striped", 0, 1, &[("pv9", 0)])]);
    let thin = logical("thin", vec![segment("thin", 0, 1, &[])]);
    let nothing = segment("striped", 0, 0, &[("pv0", 0)]);
    let rest = segment("striped", 0, 1, &[("pv0", 0)]);
    let empty = logical("empty", vec![nothing, rest]);
    // Each too large only with the others.
    let half = (0..8).map(|n| segment("striped", n << 50, 1 << 50, &[("pv0", 0)]));
    let sum = logical("sum", half.collect());
    let found = found_with(vec![hole, own, far, nobody, thin, empty, sum]);
    for (number, volume) in found.group.logical.iter().enumerate() {
        let refused = pieces(&found, number).unwrap_err();
        assert!(matches!(refused, Refusal::Kind(_)), "{}", volume.name);
    }
}

#[test]
fn a_part_that_is_not_here_is_missing() {
    let root = logical("root", vec![segment("striped", 0, 1, &[("pv1", 0)])]);
    let found = judge(&[volume("a", "pv0", Some(group(vec![root])))])
        .pop()
        .unwrap();
    let refused = pieces(&found, 0).unwrap_err();
    assert!(matches!(refused, Refusal::Missing(_)));
}

/// A volume of `count` segments of one extent, none beside the one before.
fn scattered(name: &str, on: &str, count: u64) -> Logical {
    let segments = (0..count).map(|n| segment("striped", n, 1, &[(on, count - 1 - n)]));
    logical(name, segments.collect())
}

/// Volumes `v0`, `v1`, ..., each on all of the one before.
fn chain(length: usize, next: impl Fn(&str, &str) -> Logical) -> Vec<Logical> {
    let names: Vec<String> = (0..length).map(|n| format!("v{n}")).collect();
    let below = std::iter::once("pv0").chain(names.iter().map(String::as_str));
    names.iter().zip(below).map(|(n, b)| next(n, b)).collect()
}

/// Each segment once led to another look at all of the volume below it: work
/// of 100 to the sixth, and no end.
#[test]
fn volumes_in_volumes_are_resolved_once() {
    let found = found_with(chain(6, |name, below| scattered(name, below, 100)));
    let top = pieces(&found, 5).unwrap();
    assert_eq!(top.len(), 1, "turned round six times");
    assert_eq!(top[0].legs, [("pv0".into(), 2048)]);
    let below = pieces(&found, 4).unwrap();
    assert_eq!(below.len(), 100);
    assert_eq!(below[0].legs, [("pv0".into(), 2048 + 99 * 8)]);
}

/// Each volume lies 100 times on all of the one below.
#[test]
fn a_short_text_cannot_stand_for_millions_of_pieces() {
    let mut all = chain(6, |name, below| {
        let below_extents = match name {
            "v0" => return scattered(name, below, 100),
            _ => 100_u64.pow(name[1..].parse().unwrap()),
        };
        let segments =
            (0..100).map(|n| segment("striped", n * below_extents, below_extents, &[(below, 0)]));
        logical(name, segments.collect())
    });
    all.push(scattered("other", "pv1", 3));
    let found = found_with(all);
    let mut map = Map::new(&found);
    assert_eq!(map.pieces(6).unwrap().len(), 3);
    assert_eq!(map.pieces(1).unwrap().len(), 10_000);
    let refused = map.pieces(5).unwrap_err();
    assert!(refused.text().contains("100000 pieces"), "{refused:?}");
    assert_eq!(map.pieces(6).unwrap().len(), 3, "what is known stays so");
}

#[test]
fn volumes_lie_seven_deep_at_most_whatever_is_asked_first() {
    let found = found_with(chain(9, |name, below| scattered(name, below, 3)));
    for first in [0, 6, 8] {
        let mut map = Map::new(&found);
        let _ = map.pieces(first);
        assert!(map.pieces(6).is_ok(), "{first}");
        assert!(map.pieces(7).is_err(), "{first}");
        assert!(map.pieces(8).is_err(), "{first}");
    }
}

/// The legs of a mirror and their states are looked at as well.
#[test]
fn a_mirror_of_itself_is_refused() {
    let mirror = |name: &str, legs: [&str; 2], states: [&str; 2]| {
        let mut one = segment("raid1", 0, 2, &[(legs[0], 0), (legs[1], 0)]);
        one.metadata = states.map(str::to_owned).to_vec();
        logical(name, vec![one])
    };
    let found = found_with(vec![
        mirror("own", ["own", "own"], ["x", "y"]),
        mirror("state", ["leg", "leg"], ["state", "state"]),
        mirror("here", ["there", "leg"], ["x", "y"]),
        mirror("there", ["leg", "here"], ["x", "y"]),
        scattered("leg", "pv0", 2),
        mirror("good", ["leg", "leg"], ["x", "y"]),
    ]);
    for number in 0..4 {
        let refused = pieces(&found, number).unwrap_err();
        assert!(refused.text().contains("volumes in volumes"), "{refused:?}");
    }
    assert_eq!(pieces(&found, 5), pieces(&found, 4));
}

#[test]
fn a_reason_is_not_longer_than_anybody_reads() {
    let text = "x".repeat(1 << 20);
    let nobody = logical("nobody", vec![segment("striped", 0, 1, &[(&text, 0)])]);
    let found = found_with(vec![nobody]);
    assert!(pieces(&found, 0).unwrap_err().text().len() < 1000);
}

#[test]
fn a_group_gets_so_many_devices_and_no_more() {
    let mut room = Room::default();
    for _ in 0..MOST_DEVICES {
        room.take(1, &[]).unwrap();
    }
    let refused = room.take(1, &[]).unwrap_err();
    assert!(refused.text().contains("4096 devices"), "{refused:?}");

    let found = found_with(vec![scattered("root", "pv0", 60_000)]);
    let many = pieces(&found, 0).unwrap();
    let mut room = Room::default();
    room.take(1, &many).unwrap();
    let refused = room.take(1, &many).unwrap_err();
    assert!(refused.text().contains("100000 pieces"), "{refused:?}");
    room.take(1, &many[..10]).unwrap();
}

#[test]
fn a_raid_of_more_legs_than_the_kernel_takes_is_not_tried() {
    let legs = vec![("pv0", 0); 254];
    let found = found_with(vec![logical("root", vec![segment("raid5", 0, 1, &legs)])]);
    let outcome = open(&found, &|_| crate::sys::loopdev::Access::ReadOnly);
    assert!(outcome.opened.is_empty());
    let why = &outcome.unopened[0].why;
    assert!(why.contains("254 legs"), "{why}");
}
