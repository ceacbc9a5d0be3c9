//! Which legs of a raid volume hold current data, by the superblocks that the
//! kernel keeps beside each (`struct dm_raid_superblock` in `drivers/md/
//! dm-raid.c`).

use super::map::{Map, Refusal};
use crate::survey::lvm::Segment;

const MAGIC: &[u8] = b"DmRd";

/// What a leg's superblock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    events: u64,
    /// One bit for each leg that failed.
    failed: u64,
    /// Up to where the leg was rebuilt; the largest number for all of it.
    rebuilt: u64,
}

/// How one leg of a raid volume stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Leg {
    /// It can be used.
    Current,
    /// It is here, and its data is old or not complete.
    Old,
    /// It, or a part of it, is not here.
    Missing(Refusal),
}

/// For each leg whether it holds current data; the reason where none is here.
pub(super) fn current(map: &mut Map, segment: &Segment) -> Vec<bool> {
    let legs = judge(map, segment);
    legs.iter().map(|leg| *leg == Leg::Current).collect()
}

/// The leg to look at.
pub(super) fn best_leg(map: &mut Map, segment: &Segment) -> Result<usize, Refusal> {
    let legs = judge(map, segment);
    if let Some(best) = legs.iter().position(|leg| *leg == Leg::Current) {
        return Ok(best);
    }
    let missing = legs.into_iter().find_map(|leg| match leg {
        Leg::Missing(refusal) => Some(refusal),
        _ => None,
    });
    Err(missing.unwrap_or_else(|| Refusal::Kind("no leg of it holds current data".into())))
}

fn judge(map: &mut Map, segment: &Segment) -> Vec<Leg> {
    let states: Vec<Option<State>> = (0..segment.areas.len())
        .map(|leg| state(map, segment, leg))
        .collect();
    let known = states.iter().flatten();
    let newest = known.max_by_key(|state| state.events).copied();
    let mut present = |leg: usize| -> Result<(), Refusal> {
        match map.number(&segment.areas[leg].on) {
            Some(image) => map.pieces(image).map(drop),
            None => Ok(()),
        }
    };
    (0..segment.areas.len())
        .map(|leg| match (present(leg), states[leg], newest) {
            (Err(refusal), _, _) => Leg::Missing(refusal),
            // No leg has a superblock: a mirror of the old kind, or a raid0.
            (Ok(()), _, None) => Leg::Current,
            (Ok(()), Some(own), Some(newest)) if own.is_current(leg, newest) => Leg::Current,
            (Ok(()), ..) => Leg::Old,
        })
        .collect()
}

impl State {
    fn is_current(self, leg: usize, newest: Self) -> bool {
        let failed = leg < 64 && newest.failed >> leg & 1 == 1;
        self.events == newest.events && !failed && self.rebuilt == u64::MAX
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let raw = bytes.get(at..at + 8)?;
            raw.try_into().ok().map(u64::from_le_bytes)
        };
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        Some(Self {
            events: number(16)?,
            failed: number(24)?,
            rebuilt: number(32)?,
        })
    }
}

/// Reads the superblock of a leg, where it has one that can be read.
fn state(map: &mut Map, segment: &Segment, leg: usize) -> Option<State> {
    let volume = map.number(segment.metadata.get(leg)?)?;
    let pieces = map.pieces(volume).ok()?;
    let (key, sector) = pieces.first()?.legs.first()?.clone();
    let source = &map.found.present.get(&*key)?.source;
    let file = source.open().ok()?;
    let bytes = source.read_at(&file, sector.checked_mul(512)?, 512).ok()?;
    State::read(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_that_missed_updates_is_old() {
        let mut bytes = vec![0; 512];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[16] = 9;
        bytes[24] = 0b10;
        bytes[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        let newest = State::read(&bytes).unwrap_or_else(|| unreachable!());
        assert!(newest.is_current(0, newest));
        assert!(!newest.is_current(1, newest), "it failed");
        let behind = State {
            events: 8,
            ..newest
        };
        assert!(!behind.is_current(0, newest));
        let half = State {
            rebuilt: 2048,
            ..newest
        };
        assert!(!half.is_current(0, newest));
        assert_eq!(State::read(&bytes[..39]), None);
        assert_eq!(State::read(&[0; 512]), None);
    }
}
