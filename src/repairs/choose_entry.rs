//! Has GRUB start another entry of its menu, whose kernel and initramfs are whole.

use super::edit::{Edit, EditKind, Edits};
use super::{Kind, Outline, Risk};
use crate::facts::Facts;
use crate::facts::grub::{Decides, Entry, Loader, Menu, block_with};
use crate::finding::Finding;
use crate::journal::Action;

/// Where a variable of GRUB's environment block decides.
pub(super) const KIND: Kind = Kind {
    name: "choose-entry",
    removes: &["bootloader/default-entry-broken"],
    plan: by_variable,
};

/// Where a line of its configuration does.
pub(super) const LINE: EditKind = EditKind {
    name: "choose-entry",
    removes: &["bootloader/default-entry-broken"],
    plan: by_line,
};

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
    let Decides::Line(file, number) = &menu.way.as_ref()?.decides else {
        return None;
    };
    let line = Edit::line(file, *number, |old| {
        let blank = old.len() - old.trim_start().len();
        Some(format!("{}set default=\"{name}\"", &old[..blank]))
    })?;
    Some(Edits {
        title: format!("have GRUB start {:?}", entry.title),
        risk: Risk::Safe,
        lines: vec![line],
    })
}

/// The first entry for the same root whose files are whole and whose kernel has
/// its modules, and what GRUB calls it.
fn choice<'f>(facts: &'f Facts, finding: &Finding) -> Option<(&'f Menu, &'f Entry, &'f str)> {
    let kernels = &facts.tree.as_ref()?.kernels;
    let menu = kernels.menu()?;
    if menu.loader != Loader::Grub || menu.path != finding.subject {
        return None;
    }
    let root = menu.default_entry()?.parameter("root");
    let whole = |entry: &Entry| {
        let kernel = kernels.by_image(&entry.kernel);
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
