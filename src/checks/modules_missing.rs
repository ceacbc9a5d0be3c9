//! A kernel without its modules.

use super::{Check, boot_unseen, usr_unseen};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "kernel/modules-missing",
    stage: Stage::Kernel,
    page: include_str!("../../docs/findings/kernel/modules-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    if usr_unseen(tree) || boot_unseen(tree) {
        return;
    }
    let booted = tree
        .kernels
        .default_entry()
        .map(|entry| entry.kernel.as_str());
    for kernel in &tree.kernels.kernels {
        if kernel.modules {
            continue;
        }
        // Without modules the machine comes up, but rarely with a network.
        let severity = if booted == Some(kernel.image.as_str()) || tree.kernels.kernels.len() == 1 {
            Severity::Unreachable
        } else {
            Severity::Degraded
        };
        let path = format!("/lib/modules/{}", kernel.release);
        let (seen, by_hand) = if kernel.modules_directory {
            let command = format!("depmod -b ROOT {}", kernel.release);
            ("modules, but no modules.dep", command)
        } else {
            let advice = "in a chroot of the patient: reinstall the kernel's package";
            ("no modules", advice.to_owned())
        };
        let finding = CHECK
            .finding(
                severity,
                &kernel.release,
                format!("the kernel {} cannot load its modules", kernel.release),
            )
            .with([Evidence::seen(path, seen).expected("the modules of this kernel")])
            .because("its package was removed, or not configured after it was unpacked")
            .by_hand(by_hand);
        out.push(finding);
    }
}
