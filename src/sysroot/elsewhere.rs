//! Systems on the disks that are not the patient's root: a second installation,
//! or what a member of a mirror holds that was left behind.

use std::fs::File;

use anyhow::Result;

use super::filesystems::{self, Filesystem};
use super::in_use;
use super::open::Opener;
use super::search::ROOT_FORMATS;
use super::{Search, candidates};
use crate::assembly::{Leg, RAID1, Standing, Volume};
use crate::survey::{Content, Source, signature};
use crate::sys::root_dir::RootDir;

/// So many filesystems are looked into at most.
const MOST: usize = 16;

/// A system beside the patient's.
#[derive(Debug)]
pub struct OtherSystem {
    /// `/dev/sdb2`
    pub place: String,
    /// How to look at it alone: `--leg /dev/sdb2`.
    pub arguments: String,
    /// Its root filesystem.
    pub root: RootDir,
}

impl Opener {
    /// Opens them without writing, next to the patient's root. What cannot be
    /// looked at is left out: nobody is told that it has nothing.
    pub fn other_systems(&mut self, search: &Search) -> Vec<OtherSystem> {
        let Search::Found(info) = search else {
            return Vec::new();
        };
        let own: Vec<String> = info.parts.iter().map(|part| part.device.clone()).collect();
        let in_use = in_use::mounts();
        let whole = filesystems::list(self.assembly());
        let others = whole.into_iter().filter(|f| {
            let rootable = ROOT_FORMATS.contains(&f.signature.format.as_str());
            rootable && !own.contains(&f.name) && !in_use.iter().any(|used| used.is(f))
        });
        let others = others.map(|f| (format!("--root-device {}", quoted(&f.name)), f));
        let left = self.left_behind().into_iter();
        let left = left.map(|f| (format!("--leg {}", quoted(&f.name)), f));
        let all: Vec<(String, Filesystem)> = others.chain(left).take(MOST).collect();
        let mut systems = Vec::new();
        for (arguments, filesystem) in all {
            let Ok(root) = self.look_at(&filesystem) else {
                continue;
            };
            if !candidates::signs(&root).is_empty() {
                systems.push(OtherSystem {
                    place: filesystem.name,
                    arguments,
                    root,
                });
            }
        }
        systems
    }

    /// The filesystems that lie directly on members of mirrors that missed
    /// what came after.
    fn left_behind(&self) -> Vec<Filesystem> {
        let assembly = self.assembly();
        let mirrors = assembly.arrays.iter().filter(|array| array.level == RAID1);
        let legs = mirrors.flat_map(|array| &array.legs);
        let stale = legs.filter(|leg| matches!(leg.standing, Standing::Stale { .. }));
        stale
            .filter_map(|leg| {
                let volume = assembly.volumes.iter().find(|v| v.name == leg.name)?;
                on_leg(leg, volume).ok().flatten()
            })
            .collect()
    }
}

/// The filesystem in the data area of a member.
fn on_leg(leg: &Leg, volume: &Volume) -> Result<Option<Filesystem>> {
    let superblock = &leg.superblock;
    let source: Source = leg.source.part(
        superblock.data_offset.saturating_mul(512),
        superblock.size.saturating_mul(512),
    );
    let file: File = source.open()?;
    let found = signature::probe(&file, &source)?;
    let rootable = found.filter(|found| ROOT_FORMATS.contains(&found.format.as_str()));
    Ok(rootable.map(|signature| Filesystem {
        name: leg.name.clone(),
        volume: Volume {
            source,
            content: Content::Signature(signature.clone()),
            ..volume.clone()
        },
        signature,
        others: Vec::new(),
        missing_devices: 0,
        aliases: Vec::new(),
        array: None,
        below: Vec::new(),
    }))
}

fn quoted(name: &str) -> String {
    shell_words::quote(name).into_owned()
}
