//! GRUB's core looks for its modules on a filesystem that is on no disk.

use super::Check;
use super::bios_boot::{BiosBoot, Goal, place, searched_uuid};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Stage};
use crate::survey::{Disk, GrubCore};

pub(super) const CHECK: Check = Check {
    id: "bootloader/grub-prefix-unknown",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/grub-prefix-unknown.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = BiosBoot::of(facts) else {
        return;
    };
    let lost: Vec<_> = boot
        .cores
        .iter()
        .filter(|(disk, core)| boot.goal(disk, core) == Goal::Nowhere)
        .collect();
    let told = |(disk, core): &(&Disk, &GrubCore)| {
        matches!(boot.goal(disk, core), Goal::Own | Goal::Nowhere)
    };
    if !boot.cores.iter().any(told) {
        for (disk, core) in &boot.cores {
            let prefix = core.prefix.as_deref().unwrap_or("(no device)");
            let what = format!("whether GRUB on {} starts this system", disk.name);
            out.could_not_tell(Stage::Bootloader, what, format!("it looks on {prefix}"));
        }
    }
    let severity = boot.severity(lost.len());
    if !lost.is_empty() {
        boot.tell_either(lost.len(), out);
    }
    for (disk, core) in lost {
        let prefix = core.prefix.as_deref().unwrap_or_default();
        let goal = searched_uuid(core).map_or(prefix.to_owned(), |uuid| format!("UUID {uuid}"));
        let finding = CHECK
            .finding(
                severity,
                &disk.name,
                format!(
                    "GRUB on {} looks for its menu on {goal}, which is on no disk",
                    disk.name
                ),
            )
            .with([Evidence::seen(place(disk, core), goal)
                .expected("the array or filesystem that holds /boot")])
            .because("the array or filesystem was made anew, or this GRUB is of an older system")
            .by_hand(format!(
                "in a chroot of the patient: grub-install /dev/{}",
                disk.name
            ));
        out.push(finding);
    }
}
