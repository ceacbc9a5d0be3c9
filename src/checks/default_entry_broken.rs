//! The entry that GRUB starts by itself names files that are not there.

use super::Check;
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
    let kernel = tree.kernels.by_image(&entry.kernel);
    // Where no kernel is left at all, kernel/kernel-missing says so.
    if tree.kernels.kernels.is_empty() {
        return;
    }
    let mut wrong = Vec::new();
    if kernel.is_none() && !is_link(&entry.kernel) {
        wrong.push(Evidence::seen(&entry.kernel, "nothing").expected("the kernel it names"));
    }
    for file in &entry.initramfs {
        let known = tree
            .kernels
            .kernels
            .iter()
            .any(|kernel| kernel.initramfs.as_ref() == Some(file));
        if !known && file.contains("/initr") && !is_link(file) && kernel.is_none() {
            wrong.push(Evidence::seen(file, "nothing").expected("the initramfs it names"));
        }
    }
    if wrong.is_empty() {
        return;
    }
    let finding = CHECK
        .finding(
            Severity::Blocker,
            &grub.path,
            format!("GRUB's default entry {:?} names missing files", entry.title),
        )
        .with(wrong)
        .because("a kernel was removed and update-grub did not run")
        .by_hand("in a chroot of the patient: update-grub");
    out.push(finding);
}

/// `/vmlinuz` and `/boot/vmlinuz` are links to whichever kernel is current.
fn is_link(path: &str) -> bool {
    !path.contains('-')
}
