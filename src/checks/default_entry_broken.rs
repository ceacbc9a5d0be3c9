//! The entry that the boot loader starts by itself names files that are not there.

use super::{Check, boot_unseen};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "bootloader/default-entry-broken",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/default-entry-broken.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    if boot_unseen(tree) {
        return;
    }
    let Some(menu) = tree.kernels.menu() else {
        return tell_which(tree, out);
    };
    let Some(entry) = menu.default_entry() else {
        if !menu.entries.is_empty() {
            out.could_not_tell(
                Stage::Bootloader,
                format!("which entry {} starts", menu.loader.name()),
                format!("the default of {} is chosen when it runs", menu.path),
            );
        }
        return;
    };
    // Where no kernel is left at all, or one has no initramfs, other checks say
    // so in better words.
    let kernels = &tree.kernels.kernels;
    let told_elsewhere = |file: &String| {
        kernels.iter().all(|kernel| !kernel.whole)
            || kernels.iter().any(|kernel| {
                (kernel.initramfs.is_none() || !kernel.initramfs_whole)
                    && file.contains("/initr")
                    && file.contains(&kernel.release)
            })
    };
    let wrong: Vec<_> = entry
        .missing
        .iter()
        .filter(|file| !told_elsewhere(file))
        .map(|file| {
            Evidence::seen(file, "not there, empty, or cut off").expected("the file it loads")
        })
        .collect();
    if wrong.is_empty() {
        return;
    }
    let finding = CHECK
        .finding(
            Severity::Blocker,
            &menu.path,
            format!(
                "{}'s default entry {:?} names files that are not there or not whole",
                menu.loader.name(),
                entry.title
            ),
        )
        .with(wrong)
        .because("a kernel was removed, or cut off, and the configuration not made anew")
        .by_hand(menu.loader.made_anew());
    out.push(finding);
}

/// What is not known where none or several menus may be in charge.
fn tell_which(tree: &Tree, out: &mut Findings) {
    let kernels = &tree.kernels;
    let on_esps: Vec<&str> = kernels.on_esps.iter().map(|loader| loader.name()).collect();
    let menus = kernels.grub.iter().chain(&kernels.other_menus);
    let paths: Vec<&str> = menus.map(|menu| menu.path.as_str()).collect();
    let why = match (paths.as_slice(), on_esps.as_slice()) {
        ([], []) => return,
        (_, []) => format!("there are {}, and one of them counts", paths.join(" and ")),
        ([], _) => format!(
            "it is {}, whose entries are not in this tree",
            on_esps.join(" or ")
        ),
        _ => format!(
            "{} is on the EFI system partitions, and its entries are not in this tree",
            on_esps.join(" or ")
        ),
    };
    out.could_not_tell(Stage::Bootloader, "which entry is started", why);
}
