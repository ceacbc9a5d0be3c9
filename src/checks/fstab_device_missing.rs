//! A device that fstab insists on is not there: the boot ends in emergency
//! mode.

use std::path::Path;

use super::Check;
use crate::facts::Facts;
use crate::facts::mounts::{Device, Line};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "services/fstab-device-missing",
    stage: Stage::Services,
    page: include_str!("../../docs/findings/services/fstab-device-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    for line in &tree.mounts.lines {
        let target = line.entry.target.display();
        match line.device {
            Device::Absent if !line.entry.has("noauto") => {
                let place = format!("/etc/fstab line {}", line.entry.line);
                let finding = CHECK
                    .finding(
                        severity(line),
                        &line.entry.spec,
                        format!("{} for {target} is on no disk", line.entry.spec),
                    )
                    .with([Evidence::seen(place, "no such filesystem on these disks")
                        .expected(line.entry.spec.as_str())])
                    .because(because(line))
                    .by_hand(format!(
                        "correct the UUID, or add nofail to the options of {target}"
                    ));
                out.push(finding);
            }
            Device::CannotTell if facts.has_disks() && matters(line) => {
                out.could_not_tell(
                    Stage::Services,
                    format!("what {} for {target} means", line.entry.spec),
                    "the name changes between systems, or not all disks were opened",
                );
            }
            _ => {}
        }
    }
}

fn because(line: &Line) -> &'static str {
    match line.entry.target == Path::new("/") {
        // mount(8) looks for the device of the line before it remounts.
        true => {
            "the UUID was mistyped or is of before; systemd-remount-fs fails, so the root \
             stays read-only where the kernel's command line says ro"
        }
        false => "the disk is gone, or the filesystem was made anew",
    }
}

/// The root is mounted by the initramfs, whatever fstab says; swap and nofail
/// only delay the boot, an automount waits until somebody looks.
fn severity(line: &Line) -> Severity {
    let entry = &line.entry;
    // A disk of the network is none of this machine's.
    if entry.has("nofail") || entry.has("x-systemd.automount") || entry.has("_netdev") {
        Severity::Note
    } else if entry.is_swap() || entry.target == Path::new("/") {
        Severity::Degraded
    } else {
        Severity::Blocker
    }
}

fn matters(line: &Line) -> bool {
    severity(line) == Severity::Blocker
        && !line.entry.has("noauto")
        // Optical drives come from installers and are noauto in all but name.
        && !line.entry.spec.starts_with("/dev/sr")
        && !line.entry.spec.starts_with("/dev/cdrom")
}
