//! The members of a mirror, each opened alone, set side by side.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::candidates;
use super::filesystems::{self, Filesystem};
use super::open::Opener;
use super::traces::{self, Trace};
use crate::assembly::compare::{self, Comparison, Depth};
use crate::assembly::{Array, Keys, Layer, Leg, Options, Purpose, RAID1, Standing};
use crate::survey::{Signature, Source, Survey};
use crate::sys::fiemap;
use crate::sys::root_dir::RootDir;

/// Files that are looked at to find out which ones differ.
const MOST_FILES: usize = 500_000;
/// Pieces of one file that are looked at.
const MOST_EXTENTS: usize = 10_000;
/// Files that are named.
const MOST_NAMED: usize = 50;

/// A filesystem as one member shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Side {
    /// Its volume.
    pub name: String,
    /// Its superblock.
    pub signature: Signature,
    /// The distribution, where it holds a system.
    pub system: Option<String>,
    /// The newest traces of life, newest first.
    pub traces: Vec<Trace>,
    /// Why it could not be looked into.
    pub problem: Option<String>,
}

/// One member, looked at alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LegView {
    /// The member.
    pub leg: Leg,
    /// What it shows.
    pub sides: Vec<Side>,
    /// Why it could not be opened.
    pub problem: Option<String>,
}

/// Two members compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// The one.
    pub one: String,
    /// The other.
    pub other: String,
    /// How much they differ.
    pub comparison: Comparison,
    /// Files with blocks that differ, as either member has them; none where that
    /// cannot be told (another layer between, a filesystem that does not
    /// tell where its files lie).
    pub files: Option<Vec<String>>,
}

/// A mirror with its members side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MirrorView {
    /// The array.
    pub array: Array,
    /// Its members.
    pub legs: Vec<LegView>,
    /// The first member with data against each other.
    pub differences: Vec<Difference>,
}

/// The mirrors among `arrays` that `wanted` names; all of them without it.
pub fn mirrors<'a>(arrays: &'a [Array], wanted: Option<&str>) -> Vec<&'a Array> {
    let fits = |array: &&Array| {
        wanted.is_none_or(|wanted| {
            [array.name.as_str(), array.uuid.as_str()].contains(&wanted)
                || array.name.rsplit(':').next() == Some(wanted)
        })
    };
    let mirror = |array: &&Array| array.level == RAID1;
    arrays.iter().filter(mirror).filter(fits).collect()
}

/// Looks at each member alone and compares their data. Nothing is written.
/// `progress` hears what is being done, and the percentage done of it.
pub fn view(
    survey: &Survey,
    array: &Array,
    depth: Depth,
    keys: &mut dyn Keys,
    progress: &mut dyn FnMut(&str, u64),
) -> MirrorView {
    let holds_data = |leg: &&Leg| leg.standing != Standing::Spare;
    let legs: Vec<&Leg> = array.legs.iter().filter(holds_data).collect();
    let mut differences = Vec::new();
    if let Some((first, others)) = legs.split_first() {
        for other in others {
            let what = format!("comparing {} with {}", first.name, other.name);
            let mut tell = |percent: u64| progress(&what, percent);
            let compared = compare::compare(&data(first), &data(other), depth, &mut tell);
            // A member that cannot be opened says so in its own view.
            differences.extend(compared.ok().map(|comparison| Difference {
                one: first.name.clone(),
                other: other.name.clone(),
                comparison,
                files: None,
            }));
        }
    }
    let views = legs.iter().map(|leg| {
        progress(&format!("looking at {}", leg.name), 0);
        let mut sides = Vec::new();
        let looked = look(survey, array, leg, &mut sides, &mut differences, keys);
        LegView {
            leg: (*leg).clone(),
            sides,
            problem: looked.err().map(|error| format!("{error:#}")),
        }
    });
    MirrorView {
        array: array.clone(),
        legs: views.collect(),
        differences,
    }
}

/// The data area of a member.
fn data(leg: &Leg) -> Source {
    let superblock = &leg.superblock;
    leg.source.part(
        superblock.data_offset.saturating_mul(512),
        superblock.size.saturating_mul(512),
    )
}

/// Opens everything that stands on the array with this member alone.
fn look(
    survey: &Survey,
    array: &Array,
    leg: &Leg,
    sides: &mut Vec<Side>,
    differences: &mut [Difference],
    keys: &mut dyn Keys,
) -> Result<()> {
    let chosen = [leg.name.clone()];
    let options = Options {
        purpose: Purpose::Look,
        legs: &chosen,
    };
    let mut opener = Opener::new(survey, options, keys)?;
    let found = filesystems::list(opener.assembly());
    let on_it = |f: &&Filesystem| f.array.as_ref().is_some_and(|a| a.uuid == array.uuid);
    for filesystem in found.iter().filter(on_it) {
        let mut side = Side {
            name: filesystem.name.clone(),
            signature: filesystem.signature.clone(),
            system: None,
            traces: Vec::new(),
            problem: None,
        };
        if filesystem.signature.format != "swap" {
            match opener.look_at(filesystem) {
                Ok(root) => {
                    let signs = candidates::signs(&root);
                    side.system = (!signs.is_empty()).then(|| candidates::system_name(&root));
                    side.traces = traces::collect(&root);
                    let about = |d: &&mut Difference| d.one == leg.name || d.other == leg.name;
                    for difference in differences.iter_mut().filter(about) {
                        name_files(filesystem, &root, difference);
                    }
                }
                Err(error) => side.problem = Some(format!("{error:#}")),
            }
        }
        sides.push(side);
    }
    opener.close().context("closing the member")
}

/// Names the files whose blocks differ, where the filesystem lies on the array
/// itself, so that its blocks are the array's.
fn name_files(filesystem: &Filesystem, root: &RootDir, difference: &mut Difference) {
    if !matches!(filesystem.volume.layer, Layer::Array { .. }) || !can_tell(filesystem) {
        return;
    }
    let comparison = &difference.comparison;
    let shift = filesystem.volume.source.offset;
    let own = root.symlink_metadata("/").map(|meta| meta.dev).ok();
    let mut named = BTreeSet::new();
    let files = WalkDir::new(root.path())
        .same_file_system(true)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .take(MOST_FILES);
    for entry in files {
        let Ok(inside) = entry.path().strip_prefix(root.path()) else {
            continue;
        };
        let path = Path::new("/").join(inside);
        if named.len() < MOST_NAMED && differs(root, &path, own, shift, comparison) {
            named.insert(path.display().to_string());
        }
    }
    named.extend(difference.files.take().unwrap_or_default());
    difference.files = Some(named.into_iter().collect());
}

/// Filesystems whose FIEMAP tells places on the device.
fn can_tell(filesystem: &Filesystem) -> bool {
    ["ext2", "ext3", "ext4", "xfs"].contains(&filesystem.signature.format.as_str())
}

fn differs(
    root: &RootDir,
    path: &Path,
    own: Option<u64>,
    shift: u64,
    comparison: &Comparison,
) -> bool {
    if root.symlink_metadata(path).map(|meta| meta.dev).ok() != own {
        return false;
    }
    let extents = root
        .open_file(path)
        .and_then(|file| fiemap::extents(&file, MOST_EXTENTS));
    extents.is_ok_and(|extents| {
        extents
            .iter()
            .any(|extent| comparison.touches(extent.start.saturating_add(shift), extent.bytes))
    })
}
