//! A kernel without its initramfs.

use super::{Check, boot_unseen};
use crate::facts::Facts;
use crate::facts::kernels::Kernel;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/initramfs-missing",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/initramfs-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    if boot_unseen(tree) {
        return;
    }
    let kernels = &tree.kernels;
    let booted = kernels.default_entry();
    // A kernel of one's own may do without; then none has one.
    let with: Vec<&Kernel> = kernels.kernels.iter().filter(|k| usable(k)).collect();
    if let Some(entry) = booted.filter(|entry| entry.initramfs.is_empty())
        && let Some(device) = entry.parameter("root")
        && ["UUID=", "LABEL="]
            .iter()
            .any(|kind| device.starts_with(kind))
    {
        out.could_not_tell(
            Stage::Initramfs,
            format!("whether {} starts without an initramfs", entry.kernel),
            format!(
                "its entry has none, and root={device} is understood by an initramfs only: \
                 the kernel would need one built in"
            ),
        );
    }
    for kernel in kernels.kernels.iter().filter(|k| !usable(k)) {
        let is_booted = booted.is_some_and(|entry| entry.kernel == kernel.image);
        let named = booted.is_some_and(|entry| is_booted && !entry.initramfs.is_empty());
        let only = with.is_empty();
        if only && kernel.initramfs.is_none() && booted.is_some() && !named {
            continue;
        }
        let severity = if is_booted || only {
            Severity::Blocker
        } else {
            Severity::Degraded
        };
        let (path, seen) = match &kernel.initramfs {
            Some(path) => (path.clone(), "an empty file, or none that begins like one"),
            None => (format!("/boot/initrd.img-{}", kernel.release), "nothing"),
        };
        let finding = CHECK
            .finding(
                severity,
                &kernel.release,
                format!("the kernel {} has no initramfs", kernel.release),
            )
            .with([Evidence::seen(path, seen).expected("its initramfs")])
            .because("it was never built, or /boot was full while it was")
            .by_hand(format!(
                "in a chroot of the patient: update-initramfs -c -k {}",
                kernel.release
            ));
        out.push(finding);
    }
}

fn usable(kernel: &Kernel) -> bool {
    kernel.initramfs.is_some() && kernel.initramfs_whole
}
