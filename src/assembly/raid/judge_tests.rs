#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::judge::array_of as judged;
use super::*;
use crate::survey::superblock::{Reshape, feature};

fn array_of(legs: Vec<Leg>) -> Option<Array> {
    judged(legs, &[])
}

pub(super) fn leg(name: &str, number: u32, events: u64, roles: &[u16]) -> Leg {
    Leg {
        name: name.into(),
        disk: name.into(),
        source: Source {
            path: PathBuf::from("/dev/null"),
            offset: 0,
            bytes: 1 << 30,
        },
        sector_bytes: 512,
        superblock: Superblock {
            version: "1.2".into(),
            array_uuid: "u".into(),
            name: "host:0".into(),
            level: 1,
            size: 2048,
            raid_disks: 2,
            data_offset: 2048,
            data_size: 4096,
            device_uuid: Some(name.into()),
            number,
            events,
            clean: true,
            roles: roles.to_vec(),
            ..Superblock::default()
        },
        standing: Standing::Spare,
    }
}

const BOTH: &[u16] = &[0, 1];

#[test]
fn equal_members_make_a_complete_array() {
    let array = array_of(vec![leg("b", 1, 7, BOTH), leg("a", 0, 7, BOTH)]).unwrap();
    assert_eq!(array.state, State::Complete);
    assert_eq!(array.legs[0].name, "a");
    assert!(array.missing.is_empty());
}

#[test]
fn one_event_behind_is_fresh_and_two_are_stale() {
    let array = array_of(vec![leg("a", 0, 8, BOTH), leg("b", 1, 7, BOTH)]).unwrap();
    assert_eq!(array.state, State::Complete);
    let array = array_of(vec![leg("a", 0, 9, BOTH), leg("b", 1, 7, BOTH)]).unwrap();
    assert_eq!(array.state, State::Degraded);
    assert_eq!(array.legs[1].standing, Standing::Stale { behind: 2 });
    assert_eq!(array.missing, [1]);
}

#[test]
fn a_member_that_the_freshest_failed_is_out_even_one_event_behind() {
    let array = array_of(vec![leg("a", 0, 8, &[0, 0xFFFE]), leg("b", 1, 7, BOTH)]).unwrap();
    assert_eq!(array.legs[1].standing, Standing::Faulty);
    assert_eq!(array.state, State::Degraded);
}

#[test]
fn members_that_each_dropped_the_other_are_never_joined() {
    for (one, other) in [(7, 7), (7, 8), (20, 7)] {
        let array = array_of(vec![
            leg("a", 0, one, &[0, 0xFFFE]),
            leg("b", 1, other, &[0xFFFE, 1]),
        ])
        .unwrap();
        assert_eq!(array.state, State::Diverged, "{one} {other}");
    }
}

#[test]
fn the_freshest_alone_is_degraded_and_a_half_built_one_is_unusable() {
    let array = array_of(vec![leg("a", 0, 7, BOTH)]).unwrap();
    assert_eq!(array.state, State::Degraded);
    let mut half = leg("a", 0, 7, BOTH);
    half.superblock.features = feature::RECOVERY_OFFSET;
    let array = array_of(vec![half]).unwrap();
    assert!(matches!(array.state, State::Unusable { .. }));
}

#[test]
fn a_replaced_disk_that_is_still_plugged_in_is_only_stale() {
    // Device 1 was replaced by device 2, which took slot 1.
    let now: &[u16] = &[0, 0xFFFF, 1];
    let array = array_of(vec![
        leg("a", 0, 500, now),
        leg("new", 2, 500, now),
        leg("old", 1, 100, BOTH),
    ])
    .unwrap();
    assert_eq!(array.state, State::Complete);
    assert_eq!(array.legs[2].standing, Standing::Stale { behind: 400 });
}

/// Members with slots 0.. of an array of `slots`; all current.
fn array_with(level: i32, layout: u32, slots: u32, there: &[u16]) -> Array {
    let all: Vec<u16> = (0..u16::try_from(slots).unwrap()).collect();
    let legs = there.iter().map(|slot| {
        let mut leg = leg(&format!("l{slot}"), u32::from(*slot), 7, &all);
        leg.superblock.level = level;
        leg.superblock.layout = layout;
        leg.superblock.raid_disks = slots;
        leg
    });
    array_of(legs.collect()).unwrap()
}

#[test]
fn each_level_needs_its_own_number_of_members() {
    let cases: [(i32, u32, u32, &[u16], bool); 16] = [
        (0, 0, 2, &[0, 1], true),
        (0, 0, 2, &[0], false),
        (-1, 0, 3, &[0, 2], false),
        (1, 0, 3, &[2], true),
        (4, 0, 3, &[0, 1], true),
        (5, 2, 4, &[0, 1, 3], true),
        (5, 2, 4, &[0, 3], false),
        (6, 2, 4, &[1, 2], true),
        (6, 2, 4, &[1], false),
        // near: neighbours hold the same
        (10, 0x102, 4, &[0, 2], true),
        (10, 0x102, 4, &[0, 1], false),
        // far and offset: the next member holds it, round the end
        (10, 0x201, 4, &[0, 2], true),
        (10, 0x201, 4, &[0, 1], false),
        (10, 0x10201, 3, &[0, 2], true),
        (10, 0x10201, 3, &[1], false),
        (99, 0, 1, &[0], false),
    ];
    for (level, layout, slots, there, opens) in cases {
        let array = array_with(level, layout, slots, there);
        let usable = matches!(array.state, State::Complete | State::Degraded);
        assert_eq!(
            usable, opens,
            "level {level} {layout:#x} {there:?} {:?}",
            array.state
        );
    }
}

#[test]
fn sizes_are_those_of_the_kernel() {
    let sectors = |level: i32, sizes: &[u64], slots, layout, chunk| {
        Level::of(level)
            .unwrap()
            .sectors(sizes, slots, layout, chunk)
    };
    assert_eq!(sectors(1, &[100, 101], 2, 0, 0), Some(100));
    assert_eq!(sectors(0, &[300, 500], 2, 0, 128), Some(256 + 384));
    assert_eq!(sectors(-1, &[300, 500], 2, 0, 0), Some(800));
    assert_eq!(sectors(5, &[1000, 1000], 3, 2, 128), Some(896 * 2));
    assert_eq!(sectors(6, &[1024, 1024], 4, 2, 128), Some(2048));
    assert_eq!(sectors(10, &[1024; 3], 3, 0x102, 128), Some(12 * 128));
    assert_eq!(sectors(10, &[1024; 4], 4, 0x201, 128), Some(2048));
    assert_eq!(sectors(10, &[1024; 4], 4, 0, 128), None);
}

#[test]
fn a_chosen_side_is_used_alone() {
    let split = || vec![leg("a", 0, 9, &[0, 0xFFFE]), leg("b", 1, 7, &[0xFFFE, 1])];
    let array = judged(split(), &["/dev/b".into()]).unwrap();
    assert_eq!(array.state, State::Degraded);
    let fresh: Vec<_> = array.fresh_legs().map(|leg| leg.name.as_str()).collect();
    assert_eq!(fresh, ["b"]);
    assert_eq!(array.legs[1].standing, Standing::OtherSide);
    // Both, or none of them, is no choice.
    for trust in [vec!["a".to_owned(), "b".into()], vec!["c".into()]] {
        assert_eq!(judged(split(), &trust).unwrap().state, State::Diverged);
    }
}

#[test]
fn a_reshape_is_refused_with_its_position() {
    let mut one = leg("a", 0, 7, BOTH);
    one.superblock.reshape = Some(Reshape {
        position: 4096,
        level: 5,
        delta_disks: 1,
        ..Reshape::default()
    });
    let array = array_of(vec![one]).unwrap();
    assert!(array.is_reshaping());
    assert!(matches!(array.state, State::Unusable { why } if why.contains("sector 4096")));
}

#[test]
fn a_replacement_serves_when_it_is_whole_and_the_original_is_gone() {
    let roles: &[u16] = &[0, 1, 1];
    let mut new = leg("new", 2, 7, roles);
    new.superblock.features = feature::REPLACEMENT;
    let array = array_of(vec![
        leg("a", 0, 7, roles),
        leg("b", 1, 7, roles),
        new.clone(),
    ])
    .unwrap();
    assert_eq!(array.state, State::Complete);
    assert_eq!(array.legs[2].standing, Standing::Duplicate);
    let array = array_of(vec![leg("a", 0, 7, roles), new]).unwrap();
    assert_eq!(array.state, State::Complete);
}

#[test]
fn dirty_and_degraded_parity_is_read_with_a_warning() {
    let mut array = vec![
        leg("a", 0, 7, &[0, 1, 0xFFFE]),
        leg("b", 1, 7, &[0, 1, 0xFFFE]),
    ];
    for leg in &mut array {
        leg.superblock.level = 5;
        leg.superblock.raid_disks = 3;
        leg.superblock.clean = false;
    }
    let judged = array_of(array.clone()).unwrap();
    assert_eq!(judged.state, State::Degraded);
    assert_eq!(judged.warnings.len(), 1);
    // RAID4 that lacks its parity lacks no data.
    for leg in &mut array {
        leg.superblock.level = 4;
    }
    assert!(array_of(array).unwrap().warnings.is_empty());
}
