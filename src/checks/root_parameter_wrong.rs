//! The kernel is told to mount a root that is on no disk.

use super::Check;
use crate::facts::Facts;
use crate::facts::mounts::Device;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "bootloader/root-parameter-wrong",
    stage: Stage::Bootloader,
    page: include_str!("../../docs/findings/bootloader/root-parameter-wrong.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let (Some((spec, device)), Some(menu)) = (&tree.mounts.root_parameter, tree.kernels.menu())
    else {
        return;
    };
    match device {
        Device::Absent => {
            let finding = CHECK
                .finding(
                    Severity::Blocker,
                    &menu.path,
                    format!("the kernel is told root={spec}, which is on no disk"),
                )
                .with([Evidence::seen(&menu.path, format!("root={spec}"))
                    .expected("a filesystem on these disks")])
                .because("the filesystem was made anew, or its UUID mistyped")
                .by_hand(menu.loader.made_anew());
            out.push(finding);
        }
        Device::CannotTell if facts.has_disks() => out.could_not_tell(
            Stage::Bootloader,
            format!("what root={spec} means"),
            "names of this kind change between systems, or not all disks were opened",
        ),
        _ => {}
    }
}
