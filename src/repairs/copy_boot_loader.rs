//! Puts a good GRUB on a disk of a BIOS machine: that of another disk, the one
//! that `grub-install` left in /boot, or one that is made of its package.

use serde::Serialize;

use super::{Kind, Outline, Program, Risk, make_core};
use crate::checks::{BiosLoaders, Good};
use crate::facts::Facts;
use crate::facts::grub_files::{GrubFiles, Package};
use crate::finding::Finding;
use crate::journal::Action;
use crate::survey::grub_embed::no_room;
use crate::survey::{Disk, GrubCore};

pub(super) const KIND: Kind = Kind {
    name: "copy-boot-loader",
    removes: &[
        "bootloader/grub-missing-on-disk",
        "bootloader/grub-modules-missing",
        "bootloader/grub-core-mismatch",
        "bootloader/grub-prefix-unknown",
    ],
    plan,
};

/// The boot loader of which disk goes to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoaderCopy {
    /// Where a good one is.
    pub from: LoaderSource,
    /// The disk that gets it.
    pub to: String,
}

/// Where a boot loader is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum LoaderSource {
    /// A disk that has it.
    Disk(String),
    /// The directory of the patient with `boot.img` and `core.img`.
    Directory(String),
}

impl LoaderSource {
    /// How the operator names it.
    pub fn name(&self) -> &str {
        match self {
            Self::Disk(name) => name,
            Self::Directory(path) => path,
        }
    }
}

/// Where there is none and none can be made.
const BY_HAND: &str = "no disk has a good GRUB, /boot has none, and its package is not whole; in \
     a chroot of the patient, with /dev, /proc and /sys bound into it: apt-get install \
     --reinstall grub-pc-bin grub-common, then grub-install /dev/DISK for each disk, then \
     update-grub";

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let loaders = BiosLoaders::of(facts)?;
    let targets = match finding.id.as_str() {
        "bootloader/grub-modules-missing" => loaders.with_own(),
        _ => {
            let mut all = facts.survey.disks.iter();
            vec![all.find(|disk| disk.name == finding.subject)?]
        }
    };
    let Some(best) = loaders.best() else {
        return Some(Outline {
            title: format!("put a good GRUB on {}", names(&targets)),
            refused: Some(BY_HAND.into()),
            ..Outline::default()
        });
    };
    let targets: Vec<&Disk> = targets
        .into_iter()
        .filter(|disk| !best.is_good(disk))
        .collect();
    let mut work = Work::default();
    let planned = loaders.files().map_or(Ok(()), |files| {
        if let Some(package) = best.refresh {
            work.refresh(files, package);
        }
        if let (Good::Package(package), false) = (best.loader, targets.is_empty()) {
            let core = make_core::of(&loaders, files, package)?;
            work.actions.extend(core.actions);
            work.programs.push(core.program);
        }
        Ok(())
    });
    let from = match best.loader {
        Good::Disk(disk) => LoaderSource::Disk(disk.name.clone()),
        _ => LoaderSource::Directory(loaders.files()?.directory.clone()),
    };
    let core = match best.loader {
        Good::Disk(disk) => disk.grub_core.as_ref(),
        Good::File => loaders.files().and_then(|files| files.core.as_ref()),
        Good::Package(_) => None,
    };
    let mut possible = targets.iter().map(|to| possible(from.name(), core, to));
    let refused = planned.err().or_else(|| possible.find_map(Result::err));
    Some(Outline {
        title: title(&best.loader, best.refresh, &targets),
        risk: Risk::Medium,
        actions: work.actions,
        programs: work.programs,
        loaders: targets
            .iter()
            .map(|to| LoaderCopy {
                from: from.clone(),
                to: to.name.clone(),
            })
            .collect(),
        refused,
        ..Outline::default()
    })
}

fn names(disks: &[&Disk]) -> String {
    let names: Vec<&str> = disks.iter().map(|disk| disk.name.as_str()).collect();
    names.join(" and ")
}

fn title(from: &Good<'_>, refresh: Option<&Package>, to: &[&Disk]) -> String {
    let modules = "put GRUB's modules of the package into /boot";
    let loader = match from {
        _ if to.is_empty() => return modules.into(),
        Good::Disk(disk) => format!(
            "put the boot loader of {} on {} as well",
            disk.name,
            names(to)
        ),
        Good::File => format!("put the GRUB of the last grub-install on {}", names(to)),
        Good::Package(_) => format!("make a new GRUB and put it on {}", names(to)),
    };
    match refresh {
        Some(package) if !package.stale.is_empty() => format!("{modules}; {loader}"),
        _ => loader,
    }
}

/// What is done to files before.
#[derive(Default)]
struct Work {
    actions: Vec<Action>,
    programs: Vec<Program>,
}

impl Work {
    /// Puts what the package has and /boot has not, as `grub-install` does.
    fn refresh(&mut self, files: &GrubFiles, package: &Package) {
        let folders = files.lacks.iter().map(|path| Action::MakeDirectory {
            path: path.into(),
            mode: 0o755,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        });
        self.actions.extend(folders);
        for file in &package.stale {
            let path = format!("{}/{}", files.directory, file.name);
            if file.is_there {
                self.actions.push(Action::Quarantine {
                    path: path.clone().into(),
                });
            }
            self.actions.push(Action::Copy {
                path: path.into(),
                source: file.source.clone().into(),
                size: file.size,
                mode: 0o644,
                uid: 0,
                gid: 0,
            });
        }
    }
}

/// Why the core, where it is known, cannot go to this disk.
fn possible(from: &str, core: Option<&GrubCore>, to: &Disk) -> Result<(), String> {
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
    let Some(core) = core else { return Ok(()) };
    let room = (place.end - place.start) / u64::from(to.sector_bytes);
    if core.size.is_none_or(|size| size.least > room) {
        return Err(no_room(to, core.size));
    }
    // Booted from it alone, GRUB reads this disk by the module for its table.
    let module = match to.table.as_deref() {
        Some("gpt") => "part_gpt",
        _ => "part_msdos",
    };
    if core.modules.iter().any(|own| own == module) {
        return Ok(());
    }
    Err(format!(
        "GRUB on {from} does not know the kind of partition table that {name} has"
    ))
}
