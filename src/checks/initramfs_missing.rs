//! A kernel without its initramfs, which cannot do without.

use super::bare_kernel::{Start, alone};
use super::{Check, boot_unseen};
use crate::facts::kernels::Kernel;
use crate::facts::{Facts, Tree};
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
    for kernel in tree.kernels.kernels.iter().filter(|k| !usable(k)) {
        judge(facts, tree, kernel, out);
    }
    given_none(facts, tree, out);
}

fn judge(facts: &Facts, tree: &Tree, kernel: &Kernel, out: &mut Findings) {
    let kernels = &tree.kernels;
    let booted = kernels.default_entry();
    let own = booted.filter(|entry| entry.kernel == kernel.image);
    let only = kernels.kernels.iter().all(|kernel| !usable(kernel));
    let stops = own.is_some() || (only && booted.is_none());
    // One that is named and not there is meant to be there.
    let wanted = kernel.initramfs.is_some() || own.is_some_and(|entry| !entry.initramfs.is_empty());
    let mut evidence = Vec::new();
    if !wanted {
        match alone(
            facts,
            tree,
            kernel,
            own.map(|entry| entry.command_line.as_str()),
        ) {
            Start::Works => return,
            // No menu says what the kernel is told: one is meant to have it.
            Start::Unknown(_) if stops && kernels.grub.is_none() => {}
            Start::Unknown(why) => {
                if stops {
                    let what = format!("whether {} starts without an initramfs", kernel.image);
                    out.could_not_tell(Stage::Initramfs, what, why);
                }
                return;
            }
            Start::Fails(why) => evidence.push(Evidence::seen(&kernel.image, why)),
        }
    }
    let severity = match stops {
        true => Severity::Blocker,
        false => Severity::Degraded,
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
        .with(evidence)
        .because("it was never built, or /boot was full while it was")
        .by_hand(format!(
            "in a chroot of the patient: update-initramfs -c -k {}",
            kernel.release
        ));
    out.push(finding);
}

/// An entry that gives its kernel none, though there is one.
fn given_none(facts: &Facts, tree: &Tree, out: &mut Findings) {
    let kernels = &tree.kernels;
    let menu = kernels.menu();
    let Some(entry) = menu.and_then(|menu| menu.default_entry()) else {
        return;
    };
    let known = kernels.by_image(&entry.kernel);
    let told = known.is_some_and(|kernel| !usable(kernel)) || entry.missing.contains(&entry.kernel);
    if told || !entry.initramfs.is_empty() {
        return;
    }
    let unknown = |why: String, out: &mut Findings| {
        let what = format!("whether {} starts without an initramfs", entry.kernel);
        out.could_not_tell(
            Stage::Initramfs,
            what,
            format!("its entry gives it none; {why}"),
        );
    };
    let Some(kernel) = known else {
        return unknown("nothing is known of that kernel".into(), out);
    };
    let why = match alone(facts, tree, kernel, Some(&entry.command_line)) {
        Start::Works => return,
        Start::Unknown(why) => return unknown(why, out),
        Start::Fails(why) => why,
    };
    let release = &kernel.release;
    let title = format!("the entry of the kernel {release} has no initramfs, and it needs one");
    let place = menu.map_or("", |menu| menu.path.as_str());
    let finding = CHECK
        .finding(Severity::Blocker, release, title)
        .with([Evidence::seen(place, "no initrd line for it").expected("its initramfs")])
        .with([Evidence::seen(&kernel.image, why)])
        .because("the menu was made while there was none")
        .by_hand("in a chroot of the patient: update-grub (Debian), grub2-mkconfig (Fedora)");
    out.push(finding);
}

fn usable(kernel: &Kernel) -> bool {
    kernel.initramfs.is_some() && kernel.initramfs_whole
}
