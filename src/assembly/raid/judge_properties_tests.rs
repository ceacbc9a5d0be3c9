//! What must hold for any members, however they came about.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::judge::array_of;
use super::judge_tests::leg;
use super::*;
use crate::survey::superblock::Role;

/// Marks and small slots, so that members often speak of each other.
fn role() -> impl Strategy<Value = u16> {
    prop_oneof![
        0..5_u16,
        Just(0xFFFF_u16),
        Just(0xFFFE),
        Just(0xFFFD),
        any::<u16>()
    ]
}

fn legs() -> impl Strategy<Value = Vec<Leg>> {
    let one = (
        0..6_u32,
        prop_oneof![0..6_u64, any::<u64>()],
        proptest::collection::vec(role(), 0..6),
        prop_oneof![Just(0_u32), Just(0), Just(2), Just(16), any::<u32>()],
        any::<bool>(),
    );
    let shape = (
        prop_oneof![
            Just(-1),
            Just(0),
            Just(1),
            Just(1),
            Just(4),
            Just(5),
            Just(6),
            Just(10),
            any::<i32>()
        ],
        prop_oneof![0..6_u32, any::<u32>()].prop_map(|n| n.min(4096)),
        prop_oneof![Just(0x102_u32), Just(0x201), Just(0), any::<u32>()],
    );
    (proptest::collection::vec(one, 1..6), shape).prop_map(|(members, (level, slots, layout))| {
        let made = members.into_iter().enumerate();
        made.map(|(index, (number, events, roles, features, clean))| {
            let mut leg = leg(&format!("leg{index}"), number, events, &roles);
            leg.superblock.features = features;
            leg.superblock.level = level;
            leg.superblock.layout = layout;
            leg.superblock.raid_disks = slots;
            leg.superblock.clean = clean;
            leg
        })
        .collect()
    })
}

/// Two members that each count the other's slot as empty.
fn contradict(one: &Leg, other: &Leg) -> bool {
    match (one.superblock.role(), other.superblock.role()) {
        (Role::Active(a), Role::Active(b)) => {
            !one.superblock.rebuilding()
                && !other.superblock.rebuilding()
                && !one.superblock.roles.contains(&b)
                && !other.superblock.roles.contains(&a)
        }
        _ => false,
    }
}

fn usable(array: &Array) -> bool {
    matches!(array.state, State::Complete | State::Degraded)
}

proptest! {
    #[test]
    fn an_array_that_opens_has_only_fresh_and_agreeing_members(
        legs in legs(),
        trust in proptest::collection::vec((0..6_usize).prop_map(|n| format!("leg{n}")), 0..3),
    ) {
        let count = legs.len();
        let array = array_of(legs, &trust).unwrap();
        prop_assert_eq!(array.legs.len(), count);
        if !usable(&array) {
            return Ok(());
        }
        let fresh: Vec<&Leg> = array.fresh_legs().collect();
        prop_assert!(!fresh.is_empty());
        let newest = fresh.iter().map(|leg| leg.superblock.events).max().unwrap();
        let mut slots = Vec::new();
        for leg in &fresh {
            prop_assert!(leg.superblock.events + 1 >= newest, "a stale leg is in");
            prop_assert!(!leg.superblock.rebuilding());
            let Standing::Fresh { slot } = leg.standing else { unreachable!() };
            prop_assert!(u32::from(slot) < array.raid_disks);
            prop_assert!(!slots.contains(&slot), "a slot twice");
            slots.push(slot);
            for other in &fresh {
                prop_assert!(!contradict(leg, other), "two sides are mixed");
            }
        }
        prop_assert_eq!(slots.len() + array.missing.len(), array.raid_disks as usize);
    }

    #[test]
    fn the_order_of_the_disks_does_not_matter(legs in legs()) {
        let mut turned = legs.clone();
        turned.reverse();
        let (one, other) = (array_of(legs, &[]).unwrap(), array_of(turned, &[]).unwrap());
        prop_assert_eq!(one.state, other.state);
        prop_assert_eq!(one.missing, other.missing);
    }

    #[test]
    fn a_choice_among_members_that_agree_changes_nothing_but_in_a_mirror(legs in legs()) {
        let plain = array_of(legs.clone(), &[]).unwrap();
        let chosen = array_of(legs, &["leg0".into()]).unwrap();
        if plain.level == RAID1 {
            prop_assert!(chosen.fresh_legs().all(|leg| leg.name == "leg0"));
        } else if plain.state != State::Diverged {
            prop_assert_eq!(plain, chosen);
        }
    }
}
