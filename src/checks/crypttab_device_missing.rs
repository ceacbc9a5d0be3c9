//! A device that crypttab wants to unlock is not there.

use super::Check;
use crate::facts::mounts::{CryptLine, Device};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "services/crypttab-device-missing",
    stage: Stage::Services,
    page: include_str!("../../docs/findings/services/crypttab-device-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    for line in &tree.mounts.crypttab {
        let has = |option: &str| line.options.iter().any(|set| set == option);
        if line.device != Device::Absent || has("noauto") {
            continue;
        }
        let severity = match needed_by(tree, line) {
            Some(_) => Severity::Blocker,
            None if has("nofail") || has("_netdev") => Severity::Note,
            // systemd waits 90 seconds and goes on.
            None => Severity::Degraded,
        };
        let place = format!("/etc/crypttab line {}", line.line);
        let mut evidence = vec![
            Evidence::seen(place, "no such device on these disks").expected(line.spec.as_str()),
        ];
        evidence.extend(needed_by(tree, line).map(|number| {
            let seen = format!("insists on /dev/mapper/{}", line.name);
            Evidence::seen(format!("/etc/fstab line {number}"), seen)
        }));
        let finding = CHECK
            .finding(
                severity,
                &line.spec,
                format!("{} for {} is on no disk", line.spec, line.name),
            )
            .with(evidence)
            .because("the disk is gone, or the container was made anew")
            .by_hand("correct the UUID, or add nofail to its options in crypttab and fstab");
        out.push(finding);
    }
}

/// The line of fstab without which the boot ends, where it is on this device.
fn needed_by(tree: &Tree, line: &CryptLine) -> Option<usize> {
    let path = format!("/dev/mapper/{}", line.name);
    let mut lines = tree.mounts.lines.iter().map(|line| &line.entry);
    let entry = lines.find(|entry| {
        let waits = ["noauto", "nofail", "_netdev", "x-systemd.automount"];
        entry.spec == path && !entry.is_swap() && !waits.iter().any(|option| entry.has(option))
    });
    entry.map(|entry| entry.line)
}
