//! GRUB's core is on the disk, and the modules with its menu are not in /boot.

use super::Check;
use super::bios_boot::BiosBoot;
use crate::facts::Facts;
use crate::facts::grub_modules::has_menu;
use crate::finding::{Evidence, Findings, Stage};

pub(super) const CHECK: Check = Check {
    id: "bootloader/grub-modules-missing",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/grub-modules-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = BiosBoot::of(facts) else {
        return;
    };
    // A core with the menu in it needs none.
    let needy: Vec<_> = boot.own().filter(|(_, core)| !has_menu(core)).collect();
    if needy.is_empty() {
        return;
    }
    let evidence: Vec<Evidence> = match &boot.tree.kernels.grub_modules {
        None => {
            vec![Evidence::seen("/boot/grub/i386-pc", "nothing").expected("the modules of GRUB")]
        }
        Some(modules) if modules.is_packed => {
            out.could_not_tell(
                Stage::Bootloader,
                format!("the modules in {}", modules.directory),
                "they are compressed, which this version does not read",
            );
            return;
        }
        Some(modules) => modules
            .broken
            .iter()
            .map(|(name, why)| {
                let path = format!("{}/{name}.mod", modules.directory);
                Evidence::seen(path, why).expected("a module of GRUB")
            })
            .collect(),
    };
    let Some(first) = evidence.first().map(|evidence| evidence.source.clone()) else {
        return;
    };
    boot.tell_either(needy.len(), out);
    let finding = CHECK
        .finding(
            boot.severity(needy.len()),
            &first,
            "GRUB cannot load its menu and stays at 'grub rescue>'",
        )
        .with(evidence)
        .because("/boot/grub was removed or made anew, or a copy stopped halfway")
        .by_hand(
            "in a chroot of the patient: grub-install /dev/DISK for each disk, then update-grub",
        );
    out.push(finding);
}
