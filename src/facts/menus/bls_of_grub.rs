//! What GRUB's command `blscfg` puts into its menu (Fedora's GRUB 2.06,
//! `grub-core/commands/blscfg.c`).

use std::collections::BTreeMap;

use super::super::grub::Entry;
use super::bls;
use super::choice::Item;
use crate::sys::root_dir::RootDir;

/// Where the entries lie.
const FOLDER: &str = "/boot/loader/entries";

/// Adds the entries at the place of the command. Nothing when they are of
/// several machines: their order is then not known.
pub(in super::super) fn insert(
    root: &RootDir,
    at: usize,
    variables: &BTreeMap<String, String>,
    items: &mut Vec<Item>,
    entries: &mut Vec<Entry>,
) -> Option<()> {
    let mut found = bls::read(root, FOLDER)?;
    bls::in_grubs_order(&mut found);
    let machine = |id: &str| id.get(..32).map(str::to_owned);
    let mut machines: Vec<_> = found.iter().map(|entry| machine(&entry.id)).collect();
    machines.dedup();
    for (number, entry) in found.into_iter().enumerate() {
        let entry = entry.with(variables);
        let index = entries.len();
        let item = Item {
            title: entry.title.clone(),
            id: Some(entry.id.clone()),
            entry: (!entry.is_program).then_some(index),
            ..Item::default()
        };
        entries.push(Entry {
            kernel: entry.kernel,
            command_line: entry.options,
            initramfs: entry.initramfs,
            ..Entry::titled(&entry.title)
        });
        // Submenus behind it are named by their places.
        for other in items.iter_mut() {
            other.inside = other
                .inside
                .map(|own| if own >= at + number { own + 1 } else { own });
        }
        items.insert((at + number).min(items.len()), item);
    }
    (machines.len() == 1).then_some(())
}
