//! What several checks ask about the boot of a UEFI machine: which programs its
//! firmware may start, and where each of them ends.

use super::bios_boot::{goal_of_uuid, own_disks};
use super::boot_mode::{self, Mode};
use crate::facts::grub::has_menu;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Severity};
use crate::survey::esp::{EspFile, Loader};
use crate::survey::firmware::{BootEntry, Nvram};
use crate::survey::{Disk, Esp, Firmware, Partition};
use crate::sysroot::{Search, SysrootInfo};

pub(crate) mod candidates;
mod chain;
pub(super) mod config_missing;
pub(super) mod entry_dangling;
pub(super) mod loader_damaged;
pub(super) mod loader_missing;
pub(super) mod loader_wrong_machine;
pub(super) mod missing;
pub(super) mod out_of_step;
pub(super) mod unreadable;
pub(super) mod unsigned;
pub(super) mod uuid_unknown;

pub(super) use chain::{End, Fault};

/// Where the firmware looks on a disk without an entry of its own (UEFI 2.10,
/// 3.5.1.1), and the machine that each name is for.
const FALLBACKS: [(&str, &str); 3] = [
    ("/EFI/BOOT/BOOTX64.EFI", "x86-64"),
    ("/EFI/BOOT/BOOTAA64.EFI", "arm64"),
    ("/EFI/BOOT/BOOTIA32.EFI", "x86"),
];

/// Directories below /EFI that belong to no Linux.
const FOREIGN: [&str; 4] = ["boot", "microsoft", "tools", "dell"];

/// An EFI system partition that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EspAt<'f> {
    pub(crate) disk: &'f Disk,
    pub(crate) part: &'f Partition,
    pub(crate) esp: &'f Esp,
}

/// A program that the firmware may start, and what comes of it.
#[derive(Debug)]
pub(super) struct Start<'f> {
    pub(super) at: EspAt<'f>,
    pub(super) path: String,
    pub(super) by: By,
    pub(super) end: End,
}

/// Why the firmware would start it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// It is where the firmware looks on every disk.
    Fallback,
    /// The firmware has an entry for it.
    Entry,
    /// It has one, if that was made; nothing of it is known.
    Unseen,
}

/// What comes of a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The boot loader of this system is reached.
    Starts,
    /// It is not.
    Stops,
    /// That depends on what was not seen.
    Unknown,
}

/// The patient as a UEFI machine.
pub(super) struct UefiBoot<'f> {
    pub(super) facts: &'f Facts,
    pub(super) tree: &'f Tree,
    pub(super) info: &'f SysrootInfo,
    pub(super) mode: Mode,
    pub(super) esps: Vec<EspAt<'f>>,
    pub(super) starts: Vec<Start<'f>>,
}

impl<'f> UefiBoot<'f> {
    /// Nothing for a machine that does not boot by UEFI, or whose disks are not
    /// known.
    pub(super) fn of(facts: &'f Facts) -> Option<Self> {
        let (Search::Found(info), Some(tree)) = (&facts.search, &facts.tree) else {
            return None;
        };
        let mode = boot_mode::of(facts, info, tree);
        if !mode.may_be_uefi() || own_disks(facts, info).is_empty() {
            return None;
        }
        let esps = boot_mode::esps(facts)
            .filter_map(|(disk, part)| {
                let esp = part.esp.as_ref()?;
                Some(EspAt { disk, part, esp })
            })
            .collect();
        let mut boot = Self {
            facts,
            tree,
            info,
            mode,
            esps,
            starts: Vec::new(),
        };
        boot.starts = boot
            .esps
            .iter()
            .flat_map(|at| boot.starts_on(*at))
            .collect();
        Some(boot)
    }

    /// The firmware's memory, where it could be read.
    pub(super) fn nvram(&self) -> Option<&'f Nvram> {
        match &self.facts.survey.firmware {
            Some(Firmware::Uefi(nvram)) if nvram.unreadable.is_none() => Some(nvram),
            _ => None,
        }
    }

    /// True when the firmware starts signed programs only.
    fn wants_signatures(&self) -> bool {
        let nvram = self.nvram();
        nvram.is_some_and(|n| n.secure_boot == Some(true) && n.setup_mode != Some(true))
    }

    /// The entries that the firmware tries, in its order.
    pub(super) fn entries(&self) -> Vec<&'f BootEntry> {
        let Some(nvram) = self.nvram() else {
            return Vec::new();
        };
        let find = |number: &u16| nvram.entries.iter().find(|entry| entry.number == *number);
        let tried = nvram.next.iter().chain(&nvram.order).filter_map(find);
        tried.filter(|entry| entry.active).collect()
    }

    /// Everything on one partition that the firmware may start.
    fn starts_on(&self, at: EspAt<'f>) -> Vec<Start<'f>> {
        let mut starts = Vec::new();
        let mut add = |path: &str, by, machine: Option<&str>| {
            let end = self.walk(at, path, machine);
            let path = path.to_owned();
            starts.push(Start { at, path, by, end });
        };
        if self.nvram().is_some() {
            for entry in self.entries() {
                if let Some(file) = &entry.file
                    && is_on(entry, at.part)
                {
                    add(file, By::Entry, None);
                }
            }
        } else {
            for path in self.vendor_loaders(at.esp) {
                add(&path, By::Unseen, None);
            }
        }
        // Of the names for several machines, that of the usual one.
        let mut names = FALLBACKS.iter();
        if let Some((path, machine)) = names.find(|(path, _)| at.esp.file(path).is_some()) {
            add(path, By::Fallback, Some(machine));
        }
        starts
    }

    /// The first program in each directory of a vendor: shim before GRUB. Those
    /// of another system count only where this one has none.
    fn vendor_loaders(&self, esp: &Esp) -> Vec<String> {
        let first = [
            "shimx64.efi",
            "shimaa64.efi",
            "grubx64.efi",
            "grubaa64.efi",
            "grub.efi",
        ];
        let boot = ["systemd-bootx64.efi", "systemd-bootaa64.efi"];
        let mut found: Vec<(bool, String)> = Vec::new();
        for name in vendors(esp) {
            let programs = first.iter().chain(&boot);
            let mut paths = programs.map(|program| format!("/EFI/{name}/{program}"));
            if let Some(path) = paths.find(|path| esp.file(path).is_some()) {
                found.push((self.is_own_vendor(&name), path));
            }
        }
        let any_own = found.iter().any(|(own, _)| *own);
        let counts = found.into_iter().filter(|(own, _)| *own || !any_own);
        counts.map(|(_, path)| path).collect()
    }

    fn is_own_vendor(&self, name: &str) -> bool {
        let id = self.tree.os.id.as_deref().unwrap_or_default();
        let own = if id == "rhel" { "redhat" } else { id };
        name.eq_ignore_ascii_case(own) || name.eq_ignore_ascii_case("systemd")
    }

    /// What comes of the next boot.
    pub(super) fn outcome(&self) -> Outcome {
        let by = |by: By| self.starts.iter().filter(move |start| start.by == by);
        // The entries are tried in order: one that fails gives control back.
        let mut known = Vec::new();
        for entry in self.entries() {
            let mut own = by(By::Entry);
            known.extend(own.find(|start| {
                is_on(entry, start.at.part) && Some(&start.path) == entry.file.as_ref()
            }));
        }
        for start in known.into_iter().chain(by(By::Fallback)) {
            match &start.end {
                End::Own => return self.unless_unseen_stops(),
                End::Broken(fault) if fault.gives_back() => {}
                End::Broken(_) => return Outcome::Stops,
                End::Another | End::Unknown(_) => return Outcome::Unknown,
            }
        }
        let unseen = by(By::Unseen).any(|start| !matches!(start.end, End::Broken(_)));
        let part_read = |at: &EspAt<'_>| at.esp.unreadable.is_some() && !at.esp.files.is_empty();
        // Facts that were saved by an older version lack what is on them.
        let not_read = boot_mode::esps(self.facts).any(|(_, part)| part.esp.is_none());
        match unseen || not_read || self.esps.iter().any(part_read) {
            true => Outcome::Unknown,
            false => Outcome::Stops,
        }
    }

    /// An entry that nobody saw comes before the fallback, and may stop there.
    fn unless_unseen_stops(&self) -> Outcome {
        let stuck = |start: &Start<'_>| {
            start.by == By::Unseen
                && matches!(&start.end, End::Broken(fault) if !fault.gives_back())
        };
        match self.starts.iter().any(stuck) {
            true => Outcome::Unknown,
            false => Outcome::Starts,
        }
    }

    /// What a fault on the way does.
    pub(super) fn severity(&self) -> Severity {
        match self.outcome() {
            Outcome::Stops if self.mode == Mode::Uefi => Severity::Blocker,
            _ => Severity::Degraded,
        }
    }

    /// What is wrong on the way from each program that may be started, each
    /// fault once.
    pub(super) fn faults(&self) -> Vec<(EspAt<'f>, &Fault)> {
        let mut all: Vec<(EspAt<'f>, &Fault)> = Vec::new();
        for start in &self.starts {
            let End::Broken(fault) = &start.end else {
                continue;
            };
            if self.is_leftover(start) {
                continue;
            }
            let same = |(at, other): &(EspAt<'f>, &Fault)| {
                at.part.name == start.at.part.name && *other == fault
            };
            if !all.iter().any(same) {
                all.push((start.at, fault));
            }
        }
        all
    }

    /// True for an entry of another system that does no harm.
    fn is_leftover(&self, start: &Start<'_>) -> bool {
        let vendor = start.path.split('/').nth(2).unwrap_or_default();
        let own = self.is_own_vendor(vendor) || vendor.eq_ignore_ascii_case("BOOT");
        start.by == By::Entry && !own && self.outcome() == Outcome::Starts
    }

    /// True when GRUB starts this system, with its menu in /boot.
    pub(super) fn leads_grub_here(&self) -> bool {
        let own = self.starts.iter().filter(|start| start.end == End::Own);
        let files: Vec<&EspFile> = own.flat_map(|start| &start.at.esp.files).collect();
        let is_grub = |file: &&EspFile| -> bool {
            let program = file.program.as_ref();
            program.is_some_and(|program| matches!(program.loader, Loader::Grub { .. }))
        };
        let menu_here = |file: &&EspFile| file.text.as_deref().is_some_and(has_menu);
        files.iter().any(is_grub) && !files.iter().any(menu_here)
    }

    /// True when nothing on this partition could ever be started.
    pub(super) fn has_no_loader(&self, esp: &Esp) -> bool {
        let has_fallback = FALLBACKS.iter().any(|(path, _)| esp.file(path).is_some());
        !has_fallback && vendors(esp).is_empty()
    }
}

/// The directories below /EFI that may have a boot loader of Linux.
fn vendors(esp: &Esp) -> Vec<String> {
    let programs = esp.files.iter().filter(|file| file.is_called_program());
    let mut names: Vec<String> = programs
        .filter_map(|file| {
            let (_, rest) = file.path.split_at_checked(5)?;
            let (name, _) = rest.split_once('/')?;
            let is_efi = file.path[..5].eq_ignore_ascii_case("/EFI/");
            let foreign = FOREIGN.iter().any(|other| name.eq_ignore_ascii_case(other));
            (is_efi && !foreign).then(|| name.to_owned())
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// True when an entry of the firmware names this partition.
pub(super) fn is_on(entry: &BootEntry, part: &Partition) -> bool {
    let both = entry.partition.as_ref().zip(part.uuid.as_ref());
    both.is_some_and(|(named, own)| named.eq_ignore_ascii_case(own))
}

/// A file of a partition as evidence names it.
pub(super) fn place(at: EspAt<'_>, path: &str) -> String {
    format!("{}:{path}", at.part.name)
}

/// Evidence of a file.
pub(super) fn seen(at: EspAt<'_>, path: &str, what: impl Into<String>) -> Evidence {
    Evidence::seen(place(at, path), what)
}
