#![allow(clippy::unwrap_used)]

use super::*;
use std::path::PathBuf;

fn leg(name: &str, number: u32, events: u64, roles: &[u16]) -> Leg {
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
            layout: 0,
            size: 2048,
            chunk: 0,
            raid_disks: 2,
            data_offset: 2048,
            data_size: 4096,
            device_uuid: name.into(),
            number,
            features: 0,
            created: 0,
            updated: 0,
            events,
            clean: true,
            roles: roles.to_vec(),
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
