//! GRUB's core on a disk lacks names that the modules in /boot want.

use super::Check;
use super::bios_boot::{BiosBoot, place};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Stage};

pub(super) const CHECK: Check = Check {
    id: "bootloader/grub-core-mismatch",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/grub-core-mismatch.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = BiosBoot::of(facts) else {
        return;
    };
    let Some(modules) = &boot.tree.kernels.grub_modules else {
        return;
    };
    // Without one of them nothing is known of the names that it gives.
    if !modules.broken.is_empty() || modules.is_packed {
        return;
    }
    let lacking: Vec<_> = boot
        .own()
        .map(|(disk, core)| (disk, core, modules.lacking(core)))
        .filter(|(_, _, names)| !names.is_empty())
        .collect();
    let severity = boot.severity(lacking.len());
    if !lacking.is_empty() {
        boot.tell_either(lacking.len(), out);
    }
    for (disk, core, names) in lacking {
        let (symbol, module) = names[0];
        let seen = format!("a core without {symbol}");
        let wanted = format!("{}/{module}.mod", modules.directory);
        let finding = CHECK
            .finding(
                severity,
                &disk.name,
                format!(
                    "GRUB on {} is of another version than its modules: symbol '{symbol}' not found",
                    disk.name
                ),
            )
            .with([
                Evidence::seen(place(disk, core), seen).expected("the core of the same GRUB"),
                Evidence::seen(wanted, format!("wants {} such names", names.len())),
            ])
            .because("GRUB was updated, and grub-install not run on this disk")
            .by_hand(format!(
                "in a chroot of the patient: grub-install /dev/{}",
                disk.name
            ));
        out.push(finding);
    }
}
