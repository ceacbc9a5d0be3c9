//! The firmware has entries for this system, and none of them leads to a file.

use super::super::Check;
use super::{By, End, Outcome, UefiBoot, is_on};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::survey::firmware::BootEntry;

pub(in super::super) const CHECK: Check = Check {
    id: "firmware/boot-entry-dangling",
    stage: Stage::Firmware,
    page: include_str!("../../../docs/findings/firmware/boot-entry-dangling.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    let lost: Vec<(&BootEntry, String)> = boot
        .entries()
        .into_iter()
        .filter_map(|entry| Some((entry, lost(&boot, entry)?)))
        .collect();
    let leads = boot
        .starts
        .iter()
        .any(|start| start.by == By::Entry && start.end == End::Own);
    // Where one entry is right, old ones do no harm; every machine has some.
    if lost.is_empty() || leads || facts.survey.selected {
        return;
    }
    let severity = match boot.outcome() {
        Outcome::Stops => boot.severity(),
        _ => Severity::Note,
    };
    let first = lost[0].0;
    let finding = CHECK
        .finding(
            severity,
            format!("Boot{:04X}", first.number),
            "the firmware's boot entry for this system leads nowhere",
        )
        .with(lost.iter().map(|(entry, why)| {
            let source = format!("Boot{:04X} {:?}", entry.number, entry.title);
            Evidence::seen(source, why.as_str()).expected("a boot loader on these disks")
        }))
        .because("a disk was replaced or partitioned anew, or the loader was removed")
        .by_hand(
            "efibootmgr -c -d /dev/DISK -p N -L debian -l '\\\\EFI\\\\debian\\\\shimx64.efi', or \
             copy a loader to /EFI/BOOT/BOOTX64.EFI",
        );
    out.push(finding);
}

/// Why an entry that was made for this system starts nothing.
fn lost(boot: &UefiBoot<'_>, entry: &BootEntry) -> Option<String> {
    let (file, partition) = (entry.file.as_ref()?, entry.partition.as_ref()?);
    let id = boot.tree.os.id.as_deref().filter(|id| !id.is_empty())?;
    let own = if id == "rhel" { "redhat" } else { id };
    let file_lower = file.to_ascii_lowercase();
    if !file_lower.starts_with(&format!("/efi/{own}/")) {
        return None;
    }
    let mut parts = boot.facts.survey.disks.iter().flat_map(|d| &d.partitions);
    let Some(part) = parts.find(|part| is_on(entry, part)) else {
        return Some(format!(
            "{file} on the partition {partition}, which is on no disk"
        ));
    };
    let esp = part.esp.as_ref().filter(|esp| esp.unreadable.is_none())?;
    esp.file(file)
        .is_none()
        .then(|| format!("{file} on {}, where it is not", part.name))
}
