//! From the description of a logical volume to stretches of physical volumes.
//!
//! The description comes from a disk and may be made to harm: volumes that
//! stand on themselves, or a few lines of text that stand for millions of
//! stretches. So each volume is resolved once, on nothing but volumes of a
//! lower level, and what all of them together may come to has a bound.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Found, raid};
use crate::survey::lvm::{Area, Logical, Physical, Segment};

/// Volumes in volumes; LVM itself goes three levels deep.
const DEEPEST: usize = 6;

/// Stretches that the volumes of one group may come to, each leg of a striped
/// one counted. A metadata area of the usual 1 MiB has room for a few thousand.
pub(super) const MOST_PIECES: usize = 100_000;

/// Of the reasons why a volume is not opened: they quote the description, and
/// are kept for each volume that stands on a refused one.
const LONGEST_REASON: usize = 400;

/// A stretch of a logical volume, in sectors of 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it begins in its volume.
    start: u64,
    /// Its length.
    pub(super) sectors: u64,
    /// Size of a stripe; 0 for one leg.
    pub(super) stripe: u64,
    /// Key of the physical volume and first sector in it, for each stripe.
    pub(super) legs: Vec<(Rc<str>, u64)>,
}

impl Piece {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.sectors)
    }
}

/// The stretches of a volume, or why it has none.
pub(super) type Resolved = Result<Rc<Vec<Piece>>, Refusal>;

/// Why a volume cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A part of it is not here.
    Missing(String),
    /// It is of a kind that is not opened.
    Kind(String),
}

impl Refusal {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Missing(text) | Self::Kind(text) => text,
        }
    }

    fn shortened(mut self) -> Self {
        let (Self::Missing(text) | Self::Kind(text)) = &mut self;
        if let Some((end, _)) = text.char_indices().nth(LONGEST_REASON) {
            text.truncate(end);
        }
        self
    }
}

/// The volumes of a group by their numbers in its description, and what is
/// known of where each lies.
pub(super) struct Map<'a> {
    pub(super) found: &'a Found,
    numbers: BTreeMap<&'a str, usize>,
    physical: BTreeMap<&'a str, (Rc<str>, &'a Physical)>,
    /// How many volumes lie below each; none for those that stand on
    /// themselves or too high.
    levels: Vec<Option<usize>>,
    known: Vec<Option<Resolved>>,
    spent: usize,
}

impl<'a> Map<'a> {
    pub(super) fn new(found: &'a Found) -> Self {
        let mut numbers = BTreeMap::new();
        for (number, volume) in found.group.logical.iter().enumerate() {
            numbers.entry(volume.name.as_str()).or_insert(number);
        }
        let mut physical = BTreeMap::new();
        for one in &found.group.physical {
            let key = one.key.as_str();
            physical.entry(key).or_insert_with(|| (key.into(), one));
        }
        Self {
            levels: levels(&found.group.logical, &numbers),
            known: vec![None; found.group.logical.len()],
            found,
            numbers,
            physical,
            spent: 0,
        }
    }

    /// The number of the logical volume with this name.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The stretches of the volume with this number, neighbours joined.
    pub(super) fn pieces(&mut self, number: usize) -> Resolved {
        if let Some(Some(known)) = self.known.get(number) {
            return known.clone();
        }
        // Levels only go down, so this ends, and after few steps.
        let resolved = self.resolve(number).map(Rc::new);
        let resolved = resolved.map_err(Refusal::shortened);
        if let Some(place) = self.known.get_mut(number) {
            *place = Some(resolved.clone());
        }
        resolved
    }

    fn resolve(&mut self, number: usize) -> Result<Vec<Piece>, Refusal> {
        let found = self.found;
        let volume = found.group.logical.get(number);
        let volume = volume.ok_or_else(|| odd("a volume that is not there"))?;
        if self.levels.get(number).copied().flatten().is_none() {
            return Err(odd("volumes in volumes"));
        }
        let Some(extents) = volume.extents().filter(|extents| *extents > 0) else {
            return Err(odd("its segments leave a hole"));
        };
        // With all of it below the bound, no sum of its parts overflows.
        sectors(found, extents)?;
        let mut all = Vec::new();
        for segment in &volume.segments {
            if segment.extents == 0 {
                return Err(odd("a segment without extents"));
            }
            for piece in self.of_segment(segment)? {
                join(&mut all, piece);
            }
        }
        Ok(all)
    }

    fn of_segment(&mut self, segment: &Segment) -> Result<Vec<Piece>, Refusal> {
        let sectors = sectors(self.found, segment.extents)?;
        match (segment.kind.as_str(), &segment.areas[..]) {
            ("striped" | "linear", [area]) => self.linear(area, sectors),
            ("striped", [_, _, ..]) => Ok(vec![self.striped(segment, sectors)?]),
            ("raid1" | "mirror", [_, ..]) if segment.start == 0 => {
                let leg = raid::best_leg(self, segment)?;
                self.linear(&segment.areas[leg], sectors)
            }
            (kind, _) => Err(Refusal::Kind(not_opened(kind, segment))),
        }
    }

    fn linear(&mut self, area: &Area, sectors: u64) -> Result<Vec<Piece>, Refusal> {
        if let Some(inner) = self.number(&area.on) {
            let skip = self::sectors(self.found, area.extent)?;
            let inner = self.pieces(inner)?;
            return self.cut(&inner, skip, sectors);
        }
        self.spend(1)?;
        Ok(vec![Piece {
            start: 0,
            sectors,
            stripe: 0,
            legs: vec![self.place(area)?],
        }])
    }

    fn striped(&mut self, segment: &Segment, sectors: u64) -> Result<Piece, Refusal> {
        if segment.areas.iter().any(|a| self.number(&a.on).is_some()) {
            return Err(Refusal::Kind(
                "stripes over other volumes are not opened".into(),
            ));
        }
        self.spend(segment.areas.len())?;
        let legs = segment.areas.iter().map(|area| self.place(area));
        Ok(Piece {
            start: 0,
            sectors,
            stripe: segment.stripe_sectors,
            legs: legs.collect::<Result<_, _>>()?,
        })
    }

    /// The part of `all` that begins at `skip` and is `sectors` long.
    fn cut(&mut self, all: &[Piece], skip: u64, mut sectors: u64) -> Result<Vec<Piece>, Refusal> {
        let first = all.partition_point(|piece| piece.end() <= skip);
        let mut kept = Vec::new();
        for piece in all.iter().skip(first) {
            if sectors == 0 {
                break;
            }
            self.spend(piece.legs.len())?;
            let mut piece = piece.clone();
            let before = skip.saturating_sub(piece.start);
            let length = piece.sectors.saturating_sub(before).min(sectors);
            if let ([leg], 0) = (&mut piece.legs[..], piece.stripe) {
                leg.1 = leg.1.checked_add(before).ok_or_else(too_large)?;
            } else if before != 0 || length != piece.sectors {
                return Err(Refusal::Kind(
                    "a part of a striped volume is not opened".into(),
                ));
            }
            piece.sectors = length;
            sectors -= length;
            kept.push(piece);
        }
        if sectors > 0 {
            return Err(Refusal::Kind(
                "a part of it is shorter than it should be".into(),
            ));
        }
        Ok(kept)
    }

    fn spend(&mut self, pieces: usize) -> Result<(), Refusal> {
        self.spent = self.spent.saturating_add(pieces);
        if self.spent > MOST_PIECES {
            return Err(Refusal::Kind(format!(
                "the volumes of its group lie in more than {MOST_PIECES} pieces, which no \
                 group that LVM made does; activate it with lvchange -ay VG/LV"
            )));
        }
        Ok(())
    }

    /// Where an area begins on a physical volume that is here.
    fn place(&self, area: &Area) -> Result<(Rc<str>, u64), Refusal> {
        let Some((key, physical)) = self.physical.get(area.on.as_str()) else {
            let text = format!("its description names {} and nothing is called so", area.on);
            return Err(Refusal::Kind(text));
        };
        if !self.found.present.contains_key(&area.on) {
            let text = format!(
                "a part of it lies on the physical volume {}, which is not here",
                physical.uuid
            );
            return Err(Refusal::Missing(text));
        }
        let start = sectors(self.found, area.extent)?.checked_add(physical.start);
        let start = start.ok_or_else(too_large)?;
        Ok((Rc::clone(key), start))
    }
}

/// How many volumes lie below each of `all`, with the states of raid legs
/// counted: they are looked at while it is resolved.
fn levels(all: &[Logical], numbers: &BTreeMap<&str, usize>) -> Vec<Option<usize>> {
    let below = |volume: &Logical| -> Vec<usize> {
        let segments = volume.segments.iter();
        let names = segments.flat_map(|s| s.areas.iter().map(|a| &a.on).chain(&s.metadata));
        names
            .filter_map(|name| numbers.get(name.as_str()).copied())
            .collect()
    };
    let below: Vec<Vec<usize>> = all.iter().map(below).collect();
    let mut levels: Vec<Option<usize>> = vec![None; all.len()];
    for level in 0..=DEEPEST {
        for (number, below) in below.iter().enumerate() {
            let lower = |at: &usize| levels[*at].is_some_and(|lower| lower < level);
            if levels[number].is_none() && below.iter().all(lower) {
                levels[number] = Some(level);
            }
        }
    }
    levels
}

fn odd(what: &str) -> Refusal {
    Refusal::Kind(format!("its description is odd: {what}"))
}

/// What is said of kinds that are not opened.
pub(super) fn not_opened(kind: &str, segment: &Segment) -> String {
    let in_pool = |pool: &Option<String>| {
        let pool = pool.as_deref();
        pool.map_or_else(String::new, |pool| format!(" in the pool {pool}"))
    };
    let what = match kind {
        "thin" => format!("thin volume{}", in_pool(&segment.needs)),
        "cache" => format!("cached volume{}", in_pool(&segment.needs)),
        "vdo" => format!("VDO volume{}", in_pool(&segment.needs)),
        "snapshot" => "snapshot".into(),
        other => format!("{other} volume"),
    };
    format!("{what}: not opened by this version; activate it with lvchange -ay -K VG/LV")
}

pub(super) fn sectors(found: &Found, extents: u64) -> Result<u64, Refusal> {
    let sectors = extents.checked_mul(found.group.extent_sectors);
    sectors.filter(|s| *s < 1 << 54).ok_or_else(too_large)
}

fn too_large() -> Refusal {
    odd("larger than any disk")
}

/// Adds a stretch, joined with the one before where it goes on there.
fn join(all: &mut Vec<Piece>, mut next: Piece) {
    if let Some(last) = all.last_mut() {
        if let ([before], [after]) = (&last.legs[..], &next.legs[..])
            && before.0 == after.0
            && before.1.checked_add(last.sectors) == Some(after.1)
        {
            last.sectors += next.sectors;
            return;
        }
        next.start = last.end();
    } else {
        next.start = 0;
    }
    all.push(next);
}
