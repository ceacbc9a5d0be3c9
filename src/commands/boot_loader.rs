//! From "the boot loader of this disk on that one" to the bytes of it.

use anyhow::{Context, Result, anyhow};

use crate::journal::{Action, Disks};
use crate::repairs::Plan;
use crate::survey::{Disk, Survey, grub_embed};

/// The disks for the journal; what the plan puts on them is added to `actions`,
/// after all files: a boot loader starts what is there then.
///
/// # Errors
/// A boot loader cannot be read, or has no place.
pub(super) fn disks(survey: &Survey, plan: &Plan, actions: &mut Vec<Action>) -> Result<Disks> {
    let mut disks = survey.disks_for_journal();
    for copy in plan.loaders() {
        let (from, to) = (named(survey, &copy.from)?, named(survey, &copy.to)?);
        let pieces = grub_embed::copied(from, to).map_err(|why| anyhow!("{why}"))?;
        for piece in pieces {
            let name = to.durable_name();
            actions.push(disks.boot_area(name, piece.at, &piece.before, piece.after));
        }
    }
    Ok(disks)
}

fn named<'s>(survey: &'s Survey, name: &str) -> Result<&'s Disk> {
    let found = survey.disks.iter().find(|disk| disk.name == name);
    found.with_context(|| format!("the disk {name} is gone"))
}
