//! Which members of an array to trust: a pure function of their superblocks,
//! by the rules of mdadm (`Assemble.c`) and the kernel (`super_1_validate`).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Array, Leg, Level, RAID1, Standing, State};
use crate::assembly::volume::Volume;
use crate::survey::Content;
use crate::survey::superblock::{Reshape, Role, Superblock, feature};

/// Groups the members among `volumes` and judges each array. `trust` names the
/// legs or disks that the operator chose: of a mirror only these are used, of
/// other levels all but those that went on without them.
pub fn judge(volumes: &[Volume], trust: &[String]) -> Vec<Array> {
    let mut groups: BTreeMap<&str, Vec<Leg>> = BTreeMap::new();
    for volume in volumes {
        let Content::RaidMember(member) = &volume.content else {
            continue;
        };
        for superblock in &member.arrays {
            groups.entry(&superblock.array_uuid).or_default().push(Leg {
                name: volume.name.clone(),
                disk: volume.disks.first().cloned().unwrap_or_default(),
                source: volume.source.clone(),
                sector_bytes: volume.sector_bytes,
                superblock: superblock.clone(),
                standing: Standing::Spare,
            });
        }
    }
    let mut arrays: Vec<Array> = groups
        .into_values()
        .filter_map(|legs| array_of(legs, trust))
        .collect();
    tell_names_apart(&mut arrays);
    arrays
}

/// A name that two arrays have (`md0` of two machines' disks) gets the start of
/// its UUID, as volumes are known by their names.
fn tell_names_apart(arrays: &mut [Array]) {
    let names: Vec<String> = arrays.iter().map(|array| array.name.clone()).collect();
    for array in arrays.iter_mut() {
        let twice = names.iter().filter(|name| **name == array.name).count() > 1;
        if twice || array.name.is_empty() {
            let start: String = array.uuid.chars().take(8).collect();
            array.name = format!("{} {start}", array.name).trim().to_owned();
        }
    }
    // Firmware begins all UUIDs of one maker alike.
    let names: Vec<String> = arrays.iter().map(|array| array.name.clone()).collect();
    for array in arrays {
        if names.iter().filter(|name| **name == array.name).count() > 1 {
            array.name = format!("{} {}", array.name, array.uuid);
        }
    }
}

/// Judges the members of one array; none without members.
pub(super) fn array_of(mut legs: Vec<Leg>, trust: &[String]) -> Option<Array> {
    // Freshest first; among equals the lowest slot, so that the order of the
    // disks does not matter. Update times are shown and never decide.
    legs.sort_by(|a, b| order(a).cmp(&order(b)));
    let (side, mut others) = sides(legs, trust);
    legs = side;
    let state = diverged(&legs).then_some(State::Diverged);
    let freshest = legs.first()?.superblock.clone();
    let taken = stand(&mut legs, &freshest);
    let missing: Vec<u32> = (0..freshest.raid_disks)
        .filter(|slot| !taken.iter().any(|t| u32::from(*t) == *slot))
        .collect();
    let state = state.unwrap_or_else(|| state_of(&freshest, &legs, &taken, &missing));
    let warnings = warnings(&freshest, &legs, &missing);
    for leg in &mut others {
        leg.standing = Standing::OtherSide;
    }
    legs.extend(others);
    Some(Array {
        uuid: freshest.array_uuid.clone(),
        name: freshest.name.clone(),
        level: freshest.level,
        raid_disks: freshest.raid_disks,
        legs,
        missing,
        state,
        warnings,
        running: None,
        opened: None,
    })
}

/// The members to use, and those that the operator's choice leaves out.
fn sides(legs: Vec<Leg>, trust: &[String]) -> (Vec<Leg>, Vec<Leg>) {
    let chosen = |leg: &Leg| trust.iter().any(|name| leg.is_called(name));
    let trusted: Vec<Leg> = legs.iter().filter(|leg| chosen(leg)).cloned().collect();
    if trusted.is_empty() {
        return (legs, Vec::new());
    }
    legs.into_iter().partition(|leg| {
        let against = || match leg.superblock.level {
            RAID1 => true,
            _ => trusted.iter().any(|one| conflict(leg, one)),
        };
        chosen(leg) || !against()
    })
}

/// What sorts the freshest first.
fn order(leg: &Leg) -> (Reverse<bool>, Reverse<u64>, bool, u32, &str) {
    let own = &leg.superblock;
    let in_sync = matches!(own.role(), Role::Active(_)) && !own.rebuilding();
    (
        Reverse(in_sync),
        Reverse(own.events),
        own.replacement(),
        own.number,
        &leg.name,
    )
}

/// Sets how each leg stands; the slots that have a fresh one.
fn stand(legs: &mut [Leg], freshest: &Superblock) -> Vec<u16> {
    let mut taken = Vec::new();
    for leg in legs {
        leg.standing = standing(&leg.superblock, freshest);
        if let Standing::Fresh { slot } = leg.standing {
            if taken.contains(&slot) {
                leg.standing = Standing::Duplicate;
            } else {
                taken.push(slot);
            }
        }
    }
    taken
}

/// One event behind still counts as fresh, but its role is then read from the
/// freshest member's table.
fn standing(own: &Superblock, freshest: &Superblock) -> Standing {
    let behind = freshest.events.saturating_sub(own.events);
    let role = if behind == 0 {
        own.role()
    } else {
        freshest.role_of(own.number)
    };
    match role {
        Role::Journal => Standing::Journal,
        _ if own.role() == Role::Journal => Standing::Journal,
        _ if behind > 1 => Standing::Stale { behind },
        // A spare that was never part of it may count further than the array.
        _ if own.events > freshest.events => Standing::Spare,
        Role::Active(_) if own.rebuilding() => Standing::Rebuilding,
        Role::Active(slot) if u32::from(slot) < freshest.raid_disks => Standing::Fresh { slot },
        Role::Faulty => Standing::Faulty,
        Role::Active(_) | Role::Spare => Standing::Spare,
    }
}

fn state_of(freshest: &Superblock, legs: &[Leg], taken: &[u16], missing: &[u32]) -> State {
    let unusable = |why: String| State::Unusable { why };
    let Some(level) = Level::of(freshest.level) else {
        return unusable(format!("RAID level {} is not opened", freshest.level));
    };
    let unknown = freshest.features & !feature::KNOWN;
    if unknown != 0 {
        return unusable(format!(
            "it was made by a newer kernel: its features {unknown:#x} are not known"
        ));
    }
    let fresh = || legs.iter().filter(|leg| leg.is_fresh());
    let reshape = fresh().find_map(|leg| leg.superblock.reshape.as_ref());
    if let Some(reshape) = reshape {
        return unusable(reshaping(freshest, reshape));
    }
    if !fresh().all(|leg| same_shape(&leg.superblock, freshest)) {
        return unusable("its members disagree about level, size, chunk or layout".into());
    }
    if taken.is_empty() {
        return unusable("no member holds current data".into());
    }
    if !level.enough(taken, freshest.raid_disks, freshest.layout) {
        return unusable(format!(
            "{} of its {} members hold current data, too few for {}",
            taken.len(),
            freshest.raid_disks,
            level.name()
        ));
    }
    if missing.is_empty() {
        State::Complete
    } else {
        State::Degraded
    }
}

fn same_shape(own: &Superblock, freshest: &Superblock) -> bool {
    let shape = |s: &Superblock| (s.level, s.size, s.chunk, s.layout, s.raid_disks);
    shape(own) == shape(freshest)
}

/// How far a change of shape is, in words.
fn reshaping(own: &Superblock, reshape: &Reshape) -> String {
    let slots = own.raid_disks;
    let delta = i64::from(reshape.delta_disks);
    // The number of slots is that of the shape to come.
    format!(
        "its change of shape is half done, at sector {} going {}: level {} with \
         {} members becomes level {} with {slots}; only its own driver reads that",
        reshape.position,
        if reshape.backwards {
            "backwards"
        } else {
            "forwards"
        },
        own.level,
        i64::from(slots) - delta,
        reshape.level,
    )
}

/// What may be wrong with data that is read all the same.
fn warnings(freshest: &Superblock, legs: &[Leg], missing: &[u32]) -> Vec<String> {
    let mut warnings = Vec::new();
    let parity = Level::of(freshest.level).is_some_and(Level::has_parity);
    let fresh = || legs.iter().filter(|leg| leg.is_fresh());
    let dirty = fresh().any(|leg| !leg.superblock.clean);
    // Parity alone is missing where the last member of RAID4 is.
    let only_parity = freshest.level == 4 && missing == [freshest.raid_disks.saturating_sub(1)];
    if parity && dirty && !missing.is_empty() && !only_parity {
        warnings.push(
            "it stopped in the middle of a write and lacks a member: blocks \
             computed from parity may be garbage"
                .into(),
        );
    }
    if freshest.features & feature::JOURNAL != 0 && dirty {
        warnings.push("the newest writes may stand only in its journal, which is not read".into());
    }
    warnings
}

/// True when two members each went on and count the other as gone.
pub(super) fn diverged(legs: &[Leg]) -> bool {
    legs.iter()
        .enumerate()
        .any(|(index, one)| legs[index + 1..].iter().any(|other| conflict(one, other)))
}

/// By slots, not by devices: an old disk that was replaced long ago does not
/// know its successor, and still counts the slot as filled (by itself).
fn conflict(one: &Leg, other: &Leg) -> bool {
    let slot = |leg: &Leg| match leg.superblock.role() {
        Role::Active(slot) if !leg.superblock.rebuilding() => Some(slot),
        _ => None,
    };
    let empty = |one: &Leg, slot: u16| !one.superblock.roles.contains(&slot);
    let (Some(own), Some(others)) = (slot(one), slot(other)) else {
        return false;
    };
    empty(one, others) && empty(other, own)
}
