//! From "the boot loader of this disk on that one", and from files of an EFI
//! system partition, to the bytes of disks.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use crate::date;
use crate::facts::efi_programs::PROGRAM_BYTES_MAX;
use crate::journal::{self, Action, Disks};
use crate::repairs::{EspPut, EspSource, EspWork, LoaderCopy, LoaderSource, Plan};
use crate::survey::grub_embed::Image;
use crate::survey::{Disk, Partition, Survey, esp};
use crate::sys::root_dir::RootDir;
use crate::sysroot::Sysroot;

/// The largest core that a boot code loads has 640 KiB.
const CORE_BYTES_MAX: u64 = 1 << 20;

/// Boot loaders that a rehearsal made, by the directory in which they lie.
pub(super) type Images = Vec<(String, Image)>;

/// What is in the directories that the plan takes boot loaders from.
///
/// # Errors
/// One has none.
pub(super) fn images(root: &RootDir, plan: &Plan) -> Result<Images> {
    let mut images: Images = Vec::new();
    for copy in plan.loaders() {
        let LoaderSource::Directory(directory) = &copy.from else {
            continue;
        };
        if images.iter().all(|(known, _)| known != directory) {
            let image = image_in(root, directory)?;
            images.push((directory.clone(), image));
        }
    }
    Ok(images)
}

fn image_in(root: &RootDir, directory: &str) -> Result<Image> {
    let read = |name: &str| {
        let path = format!("{directory}/{name}");
        let read = root.read(&path, CORE_BYTES_MAX);
        read.with_context(|| format!("reading {path}"))
    };
    let image = Image::of_files(&read("boot.img")?, &read("core.img")?);
    image.map_err(|why| anyhow!("{directory}: {why}"))
}

fn image_of(survey: &Survey, images: &Images, copy: &LoaderCopy) -> Result<Image> {
    match &copy.from {
        LoaderSource::Disk(name) => {
            Image::of_disk(named(survey, name)?).map_err(|why| anyhow!("{why}"))
        }
        LoaderSource::Directory(directory) => {
            let found = images.iter().find(|(known, _)| known == directory);
            let (_, image) = found.with_context(|| format!("{directory} was not read"))?;
            Ok(image.clone())
        }
    }
}

/// The disks as they will be when the plan's boot loaders are on them.
///
/// # Errors
/// One cannot be read, or has no place.
pub(super) fn written(survey: &Survey, images: &Images, plan: &Plan) -> Result<Survey> {
    let mut after = survey.clone();
    for copy in plan.loaders() {
        let (to, image) = (named(survey, &copy.to)?, image_of(survey, images, copy)?);
        image.pieces_on(to).map_err(|why| anyhow!("{why}"))?;
        let core = image.core_on(to).map_err(|why| anyhow!("{why}"))?;
        let mut disks = after.disks.iter_mut();
        let disk = disks.find(|disk| disk.name == to.name);
        let disk = disk.with_context(|| format!("the disk {} is gone", to.name))?;
        disk.grub_core = Some(core);
        disk.grub_boot_code = true;
        for part in &mut disk.partitions {
            part.blank &= part.purpose != "bios-boot";
        }
    }
    Ok(after)
}

/// The disks for the journal; what the plan puts on them is added to `actions`,
/// after all files: a boot loader starts what is there then.
///
/// # Errors
/// A boot loader cannot be read, or has no place.
pub(super) fn disks(
    survey: &Survey,
    sysroot: &Sysroot,
    plan: &Plan,
    rehearsed: &Images,
    actions: &mut Vec<Action>,
) -> Result<Disks> {
    let mut disks = survey.disks_for_journal();
    let esps = plan.esps();
    for work in &esps {
        refuse_open(sysroot, work, actions)?;
    }
    let own;
    let images = match rehearsed.is_empty() {
        true => {
            own = images(&sysroot.root, plan)?;
            &own
        }
        false => rehearsed,
    };
    for copy in plan.loaders() {
        let (to, image) = (named(survey, &copy.to)?, image_of(survey, images, copy)?);
        let pieces = image.pieces_on(to).map_err(|why| anyhow!("{why}"))?;
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
