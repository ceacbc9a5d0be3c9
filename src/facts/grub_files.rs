//! Where GRUB for BIOS machines can be had beside the disks: what `grub-install`
//! left in /boot, and what its package has (GRUB 2.12, `util/grub-install.c`,
//! `util/grub-install-common.c`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::grub_modules::{self, GrubModules};
use crate::survey::{GrubCore, Survey};
use crate::sys::root_dir::RootDir;

/// The largest file is a module of 200 KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A package has some 300 of them.
const FILES_MAX: usize = 2000;

/// Where the package keeps them.
pub const PACKAGE: &str = "/usr/lib/grub/i386-pc";

/// What `grub-install` calls the commands that it has put into a core.
pub const COMMANDS: &str = "load.cfg";

/// What `grub-mkimage` puts together, beside modules.
const PARTS: [&str; 4] = [
    "kernel.img",
    "diskboot.img",
    "lzma_decompress.img",
    "boot.img",
];

/// What `grub-install` copies to /boot beside modules.
const COPIED: [&str; 12] = [
    "moddep.lst",
    "command.lst",
    "fs.lst",
    "partmap.lst",
    "parttool.lst",
    "video.lst",
    "crypto.lst",
    "terminal.lst",
    "modinfo.sh",
    "efiemu32.o",
    "efiemu64.o",
    "boot.img",
];

/// Its names, and the directory of its menu beside each.
const MAKERS: [(&str, &str); 2] = [
    ("/usr/bin/grub-mkimage", "/boot/grub"),
    ("/usr/bin/grub2-mkimage", "/boot/grub2"),
];

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GrubFiles {
    /// Where modules and core belong: `/boot/grub/i386-pc`.
    pub directory: String,
    /// Of it and the directory above, what is not there, in order.
    pub lacks: Vec<String>,
    /// True when the commands of an earlier core, `load.cfg`, lie in it.
    pub has_commands: bool,
    /// The core in it, where its boot code is beside it.
    pub core: Option<GrubCore>,
    /// What the package has.
    pub package: Option<Package>,
}

/// GRUB for BIOS machines, as its package brought it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Package {
    /// The menu's modules.
    pub modules: GrubModules,
    /// The names of all modules.
    pub names: BTreeSet<String>,
    /// Of what a core is made of, what is not there.
    pub lacks: Vec<String>,
    /// The program that makes a core, where it is there.
    pub maker: Option<String>,
    /// What in /boot is another than in the package. Only compared where no disk
    /// has a core that fits what is in /boot.
    pub stale: Vec<Stale>,
}

/// A file of the package that /boot has not, or not so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stale {
    /// `normal.mod`
    pub name: String,
    /// Its exact path in the package.
    pub source: String,
    /// Its size there.
    pub size: u64,
    /// True when there is another one in /boot.
    pub is_there: bool,
}

/// Looks for them, where the disks are known.
pub(super) fn collect(
    root: &RootDir,
    survey: &Survey,
    in_boot: Option<&GrubModules>,
) -> Option<GrubFiles> {
    let mut makers = MAKERS.into_iter();
    let maker = makers.find(|(path, _)| root.metadata(path).is_ok());
    let directory = match (in_boot, maker) {
        (Some(modules), _) => modules.directory.clone(),
        (None, Some((_, menu))) => format!("{menu}/i386-pc"),
        (None, None) => return None,
    };
    let read = |name: &str| root.read(format!("{directory}/{name}"), FILE_BYTES_MAX);
    let (core, boot) = (read("core.img"), read("boot.img"));
    let core = core.ok().filter(|_| boot.is_ok());
    let cores = survey
        .disks
        .iter()
        .filter_map(|disk| disk.grub_core.as_ref());
    let mut cores = cores.filter(|core| core.trouble.is_none());
    let fits = in_boot.is_some_and(|modules| cores.any(|core| modules.fit(core)));
    let mut parts = survey.disks.iter().flat_map(|disk| &disk.partitions);
    let used = in_boot.is_some() || !parts.any(|part| part.purpose == "esp");
    let above = directory.rsplit_once('/').map_or("", |(above, _)| above);
    let folders = [above, directory.as_str()].into_iter();
    let lacks = folders.filter(|path| root.symlink_metadata(path).is_err());
    let commands = format!("{directory}/{COMMANDS}");
    Some(GrubFiles {
        lacks: lacks.map(str::to_owned).collect(),
        has_commands: root.symlink_metadata(commands).is_ok(),
        core: core.map(|bytes| GrubCore::of_file(&bytes)),
        package: package(root, &directory, used && !fits).map(|package| Package {
            maker: maker.map(|(path, _)| path.to_owned()),
            ..package
        }),
        directory,
    })
}

fn package(root: &RootDir, directory: &str, compare: bool) -> Option<Package> {
    let files = root.read_dir(PACKAGE).ok()?;
    let files = files.into_iter().take(FILES_MAX);
    let files: Vec<String> = files
        .map(|file| file.name.to_string_lossy().into_owned())
        .collect();
    let has = |name: &&str| files.iter().any(|file| file == name);
    let modules = files.iter().filter_map(|file| file.strip_suffix(".mod"));
    let mut package = Package {
        modules: grub_modules::in_directory(root, PACKAGE),
        names: modules.map(str::to_owned).collect(),
        lacks: PARTS
            .into_iter()
            .filter(|part| !has(part))
            .map(str::to_owned)
            .collect(),
        maker: None,
        stale: Vec::new(),
    };
    if compare {
        let mut copied: Vec<&String> = files
            .iter()
            .filter(|file| file.ends_with(".mod") || COPIED.contains(&file.as_str()))
            .collect();
        copied.sort();
        let stale = copied
            .into_iter()
            .filter_map(|name| stale(root, name, directory));
        package.stale = stale.collect();
    }
    Some(package)
}

fn stale(root: &RootDir, name: &str, directory: &str) -> Option<Stale> {
    let source = format!("{PACKAGE}/{name}");
    let wanted = root.read(&source, FILE_BYTES_MAX).ok()?;
    let place = format!("{directory}/{name}");
    let own = root.read(&place, FILE_BYTES_MAX);
    if own.is_ok_and(|own| own == wanted) {
        return None;
    }
    Some(Stale {
        name: name.to_owned(),
        source: root.resolve(&source).ok()?.path.to_str()?.to_owned(),
        size: wanted.len() as u64,
        is_there: root.symlink_metadata(&place).is_ok(),
    })
}
