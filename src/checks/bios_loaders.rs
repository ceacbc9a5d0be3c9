//! Where a GRUB for the disks of a BIOS machine can be had.

use super::bios_boot::{self, BiosBoot, Goal, boot_part, goal, is_named, uuid_of};
use crate::assembly::{Layer, Level, Volume};
use crate::facts::Facts;
use crate::facts::grub_files::{GrubFiles, Package};
use crate::facts::grub_modules::{GrubModules, has_menu};
use crate::survey::{Disk, GrubCore};
use crate::sysroot::{MountedPart, SysrootInfo};

/// The disks of this root, and what a GRUB for them can be taken from.
pub(crate) struct BiosLoaders<'f> {
    boot: BiosBoot<'f>,
}

/// Where a good one is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Good<'f> {
    /// On this disk.
    Disk(&'f Disk),
    /// In /boot, as `grub-install` left it.
    File,
    /// Nowhere: one is to be made of what the package has.
    Package(&'f Package),
}

/// The best of these.
pub(crate) struct Best<'f> {
    pub(crate) loader: Good<'f>,
    /// The package, where modules in /boot have to be those of it first.
    pub(crate) refresh: Option<&'f Package>,
    /// The disks that have a good one.
    good: Vec<&'f Disk>,
}

impl Best<'_> {
    /// True when this disk needs no other.
    pub(crate) fn is_good(&self, disk: &Disk) -> bool {
        self.good.iter().any(|good| good.name == disk.name)
    }
}

impl<'f> BiosLoaders<'f> {
    /// Nothing where [`BiosBoot::of`] has nothing.
    pub(crate) fn of(facts: &'f Facts) -> Option<Self> {
        BiosBoot::of(facts).map(|boot| Self { boot })
    }

    /// GRUB's files of the patient.
    pub(crate) fn files(&self) -> Option<&'f GrubFiles> {
        self.boot.tree.kernels.grub_files.as_ref()
    }

    /// The disks with a GRUB that goes to this root.
    pub(crate) fn with_own(&self) -> Vec<&'f Disk> {
        self.boot.own().map(|(disk, _)| disk).collect()
    }

    /// The best GRUB; nothing when there is none, and none can be made.
    pub(crate) fn best(&self) -> Option<Best<'f>> {
        let found = |refresh, ready: Option<(Option<Good<'f>>, Vec<&'f Disk>)>| {
            let (from, good) = ready?;
            Some(Best {
                loader: from?,
                refresh,
                good,
            })
        };
        let own = self.boot.tree.kernels.grub_modules.as_ref();
        let as_it_is = found(None, Some(self.ready(&|core| fits(own, core))));
        as_it_is.or_else(|| {
            let package = self.files()?.package.as_ref()?;
            let whole = package.modules.broken.is_empty() && package.lacks.is_empty();
            if !whole || package.modules.needed.is_empty() {
                return None;
            }
            let (from, good) = self.ready(&|core| package.modules.fit(core));
            let from = from.unwrap_or(Good::Package(package));
            found(Some(package), Some((Some(from), good)))
        })
    }

    /// A good GRUB by this rule, and the disks that have one: its core is read,
    /// names the filesystem, array or volume of /boot by its UUID, so that it means the
    /// same on any disk, and can load the menu.
    fn ready(&self, fits: &dyn Fn(&GrubCore) -> bool) -> (Option<Good<'f>>, Vec<&'f Disk>) {
        let own = self.boot.own().filter(|(disk, _)| disk.grub_boot_code);
        let good = own.filter(|(_, core)| is_named(core) && fits(core));
        let good: Vec<&Disk> = good.map(|(disk, _)| disk).collect();
        let source = good.iter().find(|disk| !disk.is_failing());
        let file = || {
            let core = self.files()?.core.as_ref()?;
            let (facts, info) = (self.boot.facts, self.boot.info);
            let own = core.trouble.is_none() && goal(facts, info, None, core) == Goal::Own;
            let reads = self.boot.refused(&core.refuses).is_none();
            (own && is_named(core) && fits(core) && reads).then_some(Good::File)
        };
        let from = source.map(|disk| Good::Disk(disk)).or_else(file);
        (from, good)
    }

    /// What lies between the disks and the menu.
    ///
    /// # Errors
    /// Like [`Storage::of`].
    pub(crate) fn storage(&self) -> Result<Storage<'f>, String> {
        Storage::of(self.boot.facts, self.boot.info)
    }
}

/// True for a core that can load the menu from the modules in /boot.
fn fits(modules: Option<&GrubModules>, core: &GrubCore) -> bool {
    modules.map_or_else(|| has_menu(core), |modules| modules.fit(core))
}

/// The way from the disks to the menu.
pub(crate) struct Storage<'f> {
    /// The filesystem with /boot.
    pub(crate) part: &'f MountedPart,
    /// Its UUID.
    pub(crate) uuid: &'f str,
    /// The array that it lies on directly.
    pub(crate) array: Option<&'f str>,
    /// Its kind.
    pub(crate) filesystem: &'f str,
    /// GRUB's modules for the partition tables.
    pub(crate) tables: Vec<&'static str>,
    /// GRUB's modules for what lies between.
    pub(crate) layers: Vec<&'static str>,
}

impl<'f> Storage<'f> {
    /// The way to the /boot of this root.
    ///
    /// # Errors
    /// Something that is not known, or that no GRUB of Lifeboot's making opens.
    pub(crate) fn of(facts: &'f Facts, info: &'f SysrootInfo) -> Result<Self, String> {
        let part = boot_part(info).ok_or("the filesystem with /boot is not known")?;
        let volume = facts.assembly.volume(&part.device);
        let volume = volume.ok_or_else(|| format!("{} is not known", part.device))?;
        let uuid = uuid_of(facts, &part.device).ok_or("the filesystem with /boot has no UUID")?;
        let mut storage = Self {
            part,
            uuid,
            array: None,
            filesystem: volume.content.format().unwrap_or_default(),
            tables: Vec::new(),
            layers: Vec::new(),
        };
        if let Layer::Array { uuid } = &volume.layer
            && volume.purpose.is_none()
        {
            storage.array = Some(uuid);
        }
        for disk in bios_boot::own_disks(facts, info) {
            storage.table(disk.table.as_deref())?;
        }
        for name in &part.below {
            let volume = facts.assembly.volume(name);
            storage.layer(facts, volume.ok_or_else(|| format!("{name} is not known"))?)?;
        }
        Ok(storage)
    }

    /// GRUB's module for the filesystem.
    ///
    /// # Errors
    /// It is not known.
    pub(crate) fn driver(&self) -> Result<&'static str, String> {
        Ok(match self.filesystem {
            "ext2" | "ext3" | "ext4" => "ext2",
            "xfs" => "xfs",
            "btrfs" => "btrfs",
            "vfat" => "fat",
            "f2fs" => "f2fs",
            "jfs" => "jfs",
            "reiserfs" => "reiserfs",
            other => return Err(format!("which module of GRUB reads {other} is not known")),
        })
    }

    /// A path below /boot as GRUB has it: from the top of the filesystem.
    ///
    /// # Errors
    /// One that GRUB would read otherwise.
    pub(crate) fn inside(&self, path: &str) -> Result<String, String> {
        let inside = match self.part.target.to_str() {
            Some("/boot") => path.strip_prefix("/boot").unwrap_or(path),
            _ => path,
        };
        let subvolume = self.part.subvolume.as_deref().unwrap_or_default();
        let whole = match subvolume.trim_matches('/') {
            "" => inside.to_owned(),
            name => format!("/{name}{inside}"),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+~@:,".contains(c);
        match whole.chars().all(plain) {
            true => Ok(whole),
            false => Err(format!(
                "the path {whole} is none that Lifeboot writes for GRUB"
            )),
        }
    }

    fn table(&mut self, table: Option<&str>) -> Result<(), String> {
        let module = match table {
            Some("gpt") => "part_gpt",
            Some("mbr") => "part_msdos",
            None => return Ok(()),
            Some(other) => return Err(format!("a partition table of the kind {other}")),
        };
        add(&mut self.tables, module);
        Ok(())
    }

    fn layer(&mut self, facts: &Facts, volume: &Volume) -> Result<(), String> {
        match &volume.layer {
            Layer::Disk | Layer::Partition => Ok(()),
            Layer::Unlocked => Err("/boot is encrypted".into()),
            Layer::Logical { .. } => {
                add(&mut self.layers, "diskfilter");
                add(&mut self.layers, "lvm");
                Ok(())
            }
            Layer::Array { uuid } => {
                // A table of its own has the partitions of disks, too.
                if volume.purpose.is_some() {
                    return Err(format!("{} is a part of an array", volume.name));
                }
                let mut arrays = facts.assembly.arrays.iter();
                let array = arrays.find(|array| array.uuid == *uuid);
                let array = array.ok_or_else(|| format!("{} is not known", volume.name))?;
                let version = array.freshest().map(|own| own.version.as_str());
                add(&mut self.layers, "diskfilter");
                match version {
                    Some("0.90") => add(&mut self.layers, "mdraid09"),
                    Some(version) if version.starts_with("1.") => {
                        add(&mut self.layers, "mdraid1x");
                    }
                    _ => return Err(format!("{} is an array of firmware", volume.name)),
                }
                match Level::of(array.level) {
                    Some(Level::Raid4 | Level::Raid5) => add(&mut self.layers, "raid5rec"),
                    Some(Level::Raid6) => add(&mut self.layers, "raid6rec"),
                    _ => {}
                }
                Ok(())
            }
        }
    }
}

fn add(modules: &mut Vec<&'static str>, module: &'static str) {
    if !modules.contains(&module) {
        modules.push(module);
    }
}
