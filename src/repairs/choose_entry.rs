//! Has the boot loader start another entry of its menu, whose kernel and initramfs
//! are whole.

use super::edit::{Edit, EditKind, Edits};
use super::esp_files::{EspWork, Wanted};
use super::put_loaders_on_esp::possible;
use super::{Kind, Outline, Risk};
use crate::checks::esps::Esps;
use crate::facts::Facts;
use crate::facts::grub::{Decides, Entry, Loader, Menu, block_with};
use crate::facts::kernels::{Kernel, Kernels};
use crate::facts::text_file::TextFile;
use crate::finding::Finding;
use crate::journal::Action;
use crate::sysroot::{MountedPart, Search};

/// Where a variable of GRUB's environment block decides, or a file of an EFI
/// system partition.
pub(super) const KIND: Kind = Kind {
    name: "choose-entry",
    removes: &["bootloader/default-entry-broken"],
    plan: |facts, finding| by_variable(facts, finding).or_else(|| by_esp(facts, finding)),
};

/// Where a line of its configuration does.
pub(super) const LINE: EditKind = EditKind {
    name: "choose-entry",
    removes: &["bootloader/default-entry-broken"],
    plan: by_line,
};

/// True when another entry can be chosen.
pub(super) fn helps(facts: &Facts, finding: &Finding) -> bool {
    by_line(facts, finding).is_some() || (KIND.plan)(facts, finding).is_some()
}

fn by_variable(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let (menu, entry, name) = choice(facts, finding)?;
    let Decides::Variable(file, variable) = &menu.way.as_ref()?.decides else {
        return None;
    };
    let text = block_with(&file.text, variable, name).filter(|_| file.is_plain)?;
    let path = file.path.clone();
    Some(Outline {
        title: format!("have GRUB start {:?} ({variable} in {path})", entry.title),
        risk: Risk::Safe,
        actions: vec![
            Action::Quarantine {
                path: path.clone().into(),
            },
            Action::PutFile {
                path: path.into(),
                text,
                mode: file.mode,
                uid: file.uid,
                gid: file.gid,
                xattrs: file.xattrs.clone(),
            },
        ],
        ..Outline::default()
    })
}

fn by_line(facts: &Facts, finding: &Finding) -> Option<Edits> {
    let (menu, entry, name) = choice(facts, finding)?;
    if on_fat(facts, &menu.path).is_some() {
        return None;
    }
    let line = match &menu.way.as_ref()?.decides {
        Decides::Line(file, number) => {
            Edit::line(file, *number, |old| changed(menu.loader, old, name))?
        }
        Decides::Added(file) => Edit::added(file, format!("default {name}"))?,
        Decides::Variable(..) => return None,
    };
    Some(Edits {
        title: format!("have {} start {:?}", menu.loader.name(), entry.title),
        risk: Risk::Safe,
        lines: vec![line],
    })
}

/// The line that decides, with another entry in it.
fn changed(loader: Loader, old: &str, name: &str) -> Option<String> {
    let rest = old.trim_start();
    let blank = old.get(..old.len() - rest.len())?;
    let word = rest.split_whitespace().next()?;
    Some(match loader {
        Loader::Grub => format!("{blank}set default=\"{name}\""),
        Loader::SystemdBoot | Loader::Extlinux => format!("{blank}{word} {name}"),
    })
}

/// A file of the EFI system partition is put there as boot loaders are.
fn by_esp(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let (menu, entry, name) = choice(facts, finding)?;
    let part = on_fat(facts, &menu.path)?;
    let inside = menu.path.strip_prefix(part.target.to_str()?)?;
    let text = match &menu.way.as_ref()?.decides {
        Decides::Line(file, number) => with_line(file, *number, menu.loader, name)?,
        Decides::Added(file) => {
            let text = file.text.trim_end();
            let space = if text.is_empty() { "" } else { "\n" };
            format!("{text}{space}default {name}\n")
        }
        Decides::Variable(..) => return None,
    };
    let esps = Esps::of(facts)?;
    let at = esps.all().find(|at| at.part.name == part.device)?;
    let wanted = [Wanted::text(inside.to_owned(), text)];
    let refused = possible(at, &wanted).err();
    Some(Outline {
        title: format!(
            "have {} start {:?} ({inside} on {})",
            menu.loader.name(),
            entry.title,
            at.part.name
        ),
        risk: Risk::Safe,
        esp: Some(EspWork {
            disk: at.disk.name.clone(),
            partition: at.part.number,
            name: at.part.name.clone(),
            files: wanted.into_iter().map(|one| one.put).collect(),
        }),
        refused,
        ..Outline::default()
    })
}

/// The file with this line changed.
fn with_line(file: &TextFile, number: usize, loader: Loader, name: &str) -> Option<String> {
    let mut text = String::new();
    for (index, line) in file.text.split_inclusive('\n').enumerate() {
        let own = line.trim_end_matches(['\n', '\r']);
        if index + 1 == number {
            text.push_str(&changed(loader, own, name)?);
            text.push_str(&line[own.len()..]);
        } else {
            text.push_str(line);
        }
    }
    Some(text)
}

/// The FAT filesystem that holds this path of the patient.
fn on_fat<'f>(facts: &'f Facts, path: &str) -> Option<&'f MountedPart> {
    let Search::Found(info) = &facts.search else {
        return None;
    };
    let parts = info.parts.iter();
    let holding = parts.filter(|part| std::path::Path::new(path).starts_with(&part.target));
    let deepest = holding.max_by_key(|part| part.target.components().count())?;
    (deepest.fstype == "vfat").then_some(deepest)
}

/// The kernel that an entry starts. systemd-boot has copies of its own, in a
/// directory that is called like the release.
fn kernel_of<'f>(kernels: &'f Kernels, entry: &Entry) -> Option<&'f Kernel> {
    let copied = || {
        let of = |kernel: &&Kernel| entry.kernel.split('/').any(|part| part == kernel.release);
        kernels.kernels.iter().find(of)
    };
    kernels.by_image(&entry.kernel).or_else(copied)
}

/// The first entry for the same root whose files are whole and whose kernel has
/// its modules, and what GRUB calls it.
fn choice<'f>(facts: &'f Facts, finding: &Finding) -> Option<(&'f Menu, &'f Entry, &'f str)> {
    let kernels = &facts.tree.as_ref()?.kernels;
    let menu = kernels.menu()?;
    if menu.path != finding.subject {
        return None;
    }
    let root = menu.default_entry()?.parameter("root");
    let whole = |entry: &Entry| {
        let kernel = kernel_of(kernels, entry);
        let kernel = kernel.is_some_and(|own| own.whole && (own.modules || own.own_modules));
        let asks = entry.command_line.split_whitespace();
        let mut asks = asks.filter(|word| ["single", "recovery", "emergency"].contains(word));
        let has_image = !entry.initramfs.is_empty();
        kernel && has_image && entry.missing.is_empty() && asks.next().is_none()
    };
    menu.way.as_ref()?.names.iter().find_map(|(index, name)| {
        let entry = menu.entries.get(*index)?;
        let fits = whole(entry) && entry.parameter("root") == root;
        fits.then_some((menu, entry, name.as_str()))
    })
}
