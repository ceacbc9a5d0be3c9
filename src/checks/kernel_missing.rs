//! There is no kernel to start.

use super::bios_boot::boots_itself;
use super::{Check, boot_unseen};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "kernel/kernel-missing",
    stage: Stage::Kernel,
    page: include_str!("../../docs/findings/kernel/kernel-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    if let Some(why) = &tree.kernels.unreadable {
        out.could_not_tell(Stage::Kernel, "/boot", why.as_str());
    }
    if boot_unseen(tree) {
        let why = "fstab has a filesystem for it, which is not mounted here";
        out.could_not_tell(Stage::Kernel, "the kernels in /boot", why);
        return;
    }
    // Kernels with a name of their own are known to a menu alone.
    let menus = tree.kernels.grub.iter().chain(&tree.kernels.other_menus);
    let mut entries = menus.flat_map(|menu| &menu.entries);
    let by_menu = entries.any(|entry| !entry.missing.contains(&entry.kernel));
    if by_menu || tree.kernels.kernels.iter().any(|kernel| kernel.whole) {
        return;
    }
    if !boots_itself(facts, tree) {
        out.could_not_tell(
            Stage::Kernel,
            "the kernel",
            "this tree has none of its own: a container, or started from outside",
        );
        return;
    }
    let empty = tree.kernels.kernels.iter().map(|kernel| {
        Evidence::seen(&kernel.image, "no kernel, or one that is cut off")
            .expected("a kernel image")
    });
    let finding = CHECK
        .finding(Severity::Blocker, "/boot", "there is no kernel in /boot")
        .with(empty)
        .with([Evidence::seen("/boot", "no vmlinuz-* that is whole").expected("a kernel")])
        .because("it was removed, or /boot is a filesystem that is not mounted here")
        .by_hand("in a chroot of the patient: reinstall the kernel's package");
    out.push(finding);
}
