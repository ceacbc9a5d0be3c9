//! Puts the boot loader of one disk on another disk of the same root.

use serde::Serialize;

use super::{Kind, Outline, Risk};
use crate::checks::good_loaders;
use crate::facts::Facts;
use crate::finding::Finding;
use crate::survey::Disk;
use crate::survey::grub_embed::no_room;

pub(super) const KIND: Kind = Kind {
    name: "copy-boot-loader",
    removes: &[
        "bootloader/grub-missing-on-disk",
        "bootloader/grub-core-mismatch",
        "bootloader/grub-prefix-unknown",
    ],
    plan,
};

/// The boot loader of which disk goes to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoaderCopy {
    /// The disk that has a good one.
    pub from: String,
    /// The disk that gets it.
    pub to: String,
}

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let (from, to) = disks(facts, finding)?;
    Some(Outline {
        title: format!(
            "put the boot loader of {} on {} as well",
            from.name, to.name
        ),
        risk: Risk::Medium,
        loader: Some(LoaderCopy {
            from: from.name.clone(),
            to: to.name.clone(),
        }),
        refused: possible(from, to).err(),
        ..Outline::default()
    })
}

fn disks<'f>(facts: &'f Facts, finding: &Finding) -> Option<(&'f Disk, &'f Disk)> {
    let mut all = facts.survey.disks.iter();
    let to = all.find(|disk| disk.name == finding.subject)?;
    let good = good_loaders(facts).into_iter();
    let mut others = good.filter(|disk| disk.name != to.name && !disk.is_failing());
    Some((others.next()?, to))
}

fn possible(from: &Disk, to: &Disk) -> Result<(), String> {
    let name = &to.name;
    if to.is_failing() {
        return Err(format!("{name} fails: it is to be replaced, not repaired"));
    }
    if !to.durable_name().is_durable() {
        return Err(format!(
            "{name} has neither a serial number nor an identifier in its partition table: \
             an undo could not find it again"
        ));
    }
    let place = to.place_for_core()?;
    let core = from.grub_core.as_ref();
    let size = core.and_then(|core| core.size);
    let room = (place.end - place.start) / u64::from(to.sector_bytes);
    if size.is_none_or(|size| size.least > room) {
        return Err(no_room(to, size));
    }
    // Booted from it alone, GRUB reads this disk by the module for its table.
    let module = match to.table.as_deref() {
        Some("gpt") => "part_gpt",
        _ => "part_msdos",
    };
    if core.is_some_and(|core| core.modules.iter().any(|own| own == module)) {
        return Ok(());
    }
    Err(format!(
        "GRUB on {} does not know the kind of partition table that {name} has",
        from.name
    ))
}
