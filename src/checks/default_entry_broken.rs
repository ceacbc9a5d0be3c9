//! The entry that GRUB starts by itself names files that are not there.

use super::{Check, boot_unseen};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "bootloader/default-entry-broken",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/default-entry-broken.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let Some(grub) = &tree.kernels.grub else {
        return;
    };
    if boot_unseen(tree) {
        return;
    }
    let Some(entry) = grub.default_entry() else {
        if !grub.entries.is_empty() {
            out.could_not_tell(
                Stage::Bootloader,
                "which entry GRUB starts",
                format!("the default of {} is chosen when it runs", grub.path),
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
            &grub.path,
            format!(
                "GRUB's default entry {:?} names files that are not there or not whole",
                entry.title
            ),
        )
        .with(wrong)
        .because("a kernel was removed, or cut off, and the configuration not made anew")
        .by_hand("in a chroot of the patient: update-grub (Debian), grub2-mkconfig (Fedora)");
    out.push(finding);
}
