//! A kernel without its modules.

use super::Check;
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
    let booted = tree
        .kernels
        .grub
        .as_ref()
        .and_then(|grub| grub.default_entry())
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
        let finding = CHECK
            .finding(
                severity,
                &kernel.release,
                format!("the kernel {} has no modules", kernel.release),
            )
            .with([Evidence::seen(path, "no modules.dep").expected("the modules of this kernel")])
            .because("the kernel was removed or upgraded while /boot was not mounted")
            .by_hand("in a chroot of the patient: reinstall the kernel's package");
        out.push(finding);
    }
}
