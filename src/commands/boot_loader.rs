//! From "the boot loader of this disk on that one", and from files of an EFI
//! system partition, to the bytes of disks.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use crate::date;
use crate::facts::efi_programs::PROGRAM_BYTES_MAX;
use crate::journal::{self, Action, Disks};
use crate::repairs::{EspPut, EspSource, EspWork, Plan};
use crate::survey::{Disk, Partition, Survey, esp, grub_embed};
use crate::sysroot::Sysroot;

/// The disks for the journal; what the plan puts on them is added to `actions`,
/// after all files: a boot loader starts what is there then.
///
/// # Errors
/// A boot loader cannot be read, or has no place.
pub(super) fn disks(
    survey: &Survey,
    sysroot: &Sysroot,
    plan: &Plan,
    actions: &mut Vec<Action>,
) -> Result<Disks> {
    let mut disks = survey.disks_for_journal();
    let esps = plan.esps();
    for work in &esps {
        refuse_open(sysroot, work, actions)?;
    }
    for copy in plan.loaders() {
        let (from, to) = (named(survey, &copy.from)?, named(survey, &copy.to)?);
        let pieces = grub_embed::copied(from, to).map_err(|why| anyhow!("{why}"))?;
        for piece in pieces {
            let name = to.durable_name();
            actions.push(disks.boot_area(name, piece.at, &piece.before, piece.after));
        }
    }
    for work in &esps {
        let disk = named(survey, &work.disk)?;
        let part = numbered(disk, work.partition)?;
        let files: Result<Vec<esp::Put>> = work
            .files
            .iter()
            .map(|put| content(survey, sysroot, put))
            .collect();
        let pieces = esp::put(&part.source, &files?, date::now());
        let pieces = pieces.map_err(|why| anyhow!("{}: {why}", part.name))?;
        for piece in pieces {
            let at = part.start + piece.at;
            actions.push(disks.boot_area(disk.durable_name(), at, &piece.before, piece.after));
        }
    }
    Ok(disks)
}

/// The kernel must not write to the partition at the same time.
fn refuse_open(sysroot: &Sysroot, work: &EspWork, actions: &[Action]) -> Result<()> {
    let parts = sysroot.info.parts.iter();
    let own = parts.filter(|part| part.device == work.name || part.below.contains(&work.name));
    for part in own {
        let mut paths = actions.iter().map(Action::path);
        if let Some(path) = paths.find(|path| path.starts_with(&part.target)) {
            bail!(
                "{} is changed by another repair, and lies on {}; repair once more after it, \
                 with --only",
                path.display(),
                work.name
            );
        }
    }
    Ok(())
}

/// What a file of an EFI system partition shall hold.
fn content(survey: &Survey, sysroot: &Sysroot, put: &EspPut) -> Result<esp::Put> {
    let content = match &put.from {
        EspSource::Text(text) => text.clone().into_bytes(),
        EspSource::Patient(path) => {
            let read = sysroot.root.read(Path::new(path), PROGRAM_BYTES_MAX);
            read.with_context(|| format!("reading {path}"))?
        }
        EspSource::Esp {
            disk,
            partition,
            path,
        } => {
            let part = numbered(named(survey, disk)?, *partition)?;
            let most = usize::try_from(PROGRAM_BYTES_MAX * 4)?;
            let read = esp::content(&part.source, path, most);
            read.map_err(|why| anyhow!("{}: {why}", part.name))?
        }
    };
    let digest = journal::digest(&content);
    let other = put.sha256.as_ref().is_some_and(|known| *known != digest);
    if other || content.len() as u64 != put.bytes {
        bail!(
            "what {} shall hold changed since it was looked at",
            put.path
        );
    }
    let path = put.path.clone();
    Ok(esp::Put { path, content })
}

fn named<'s>(survey: &'s Survey, name: &str) -> Result<&'s Disk> {
    let found = survey.disks.iter().find(|disk| disk.name == name);
    found.with_context(|| format!("the disk {name} is gone"))
}

fn numbered(disk: &Disk, number: u32) -> Result<&Partition> {
    let mut parts = disk.partitions.iter();
    let found = parts.find(|part| part.number == number);
    found.with_context(|| format!("partition {number} of {} is gone", disk.name))
}
