//! A kernel image that is cut off, or that is another kernel than its name says.

use super::{Check, boot_unseen};
use crate::facts::Facts;
use crate::facts::kernels::Kernel;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "kernel/image-damaged",
    stage: Stage::Kernel,
    page: include_str!("../../docs/findings/kernel/image-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let kernels = &tree.kernels.kernels;
    // Where no kernel is left at all, another check says so.
    if boot_unseen(tree) || kernels.iter().all(|kernel| !kernel.whole) {
        return;
    }
    let booted = tree.kernels.default_entry();
    let is_booted = |kernel: &Kernel| booted.is_some_and(|entry| entry.kernel == kernel.image);
    for kernel in kernels {
        // Of GRUB's default one, the check of its entry speaks.
        if let Some(fault) = kernel.fault.as_ref().filter(|_| !is_booted(kernel)) {
            let title = format!("the kernel image {} is not whole", kernel.image);
            let finding = CHECK
                .finding(Severity::Degraded, &kernel.release, title)
                .with([
                    Evidence::seen(&kernel.image, fault.as_str()).expected("a whole kernel image")
                ])
                .because("/boot was full, or the power went, while it was written")
                .by_hand("in a chroot of the patient: reinstall the kernel's package");
            out.push(finding);
        }
        let Some(own) = kernel
            .own_release
            .as_ref()
            .filter(|own| **own != kernel.release)
        else {
            continue;
        };
        if kernel.own_modules {
            continue;
        }
        // It starts, and finds no modules: rarely a network.
        let severity = match is_booted(kernel) || kernels.len() == 1 {
            true => Severity::Unreachable,
            false => Severity::Degraded,
        };
        let title = format!(
            "{} is the kernel {own}, which has no modules here",
            kernel.image
        );
        let finding = CHECK
            .finding(severity, &kernel.release, title)
            .with([Evidence::seen(&kernel.image, format!("the kernel {own}"))
                .expected(format!("the kernel {}", kernel.release))])
            .with([
                Evidence::seen(format!("/lib/modules/{own}"), "no modules.dep")
                    .expected("the modules of this kernel"),
            ])
            .because("it was copied from elsewhere, or written to a /boot that was not mounted")
            .by_hand("in a chroot of the patient: reinstall the kernel's package");
        out.push(finding);
    }
}
