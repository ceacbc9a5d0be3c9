//! The EFI system partitions of a mirrored system have different boot loaders.

use std::collections::BTreeMap;

use super::super::Check;
use super::super::bios_boot::on_a_mirror;
use super::{End, EspAt, UefiBoot, place};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(in super::super) const CHECK: Check = Check {
    id: "firmware/esps-out-of-step",
    stage: Stage::Firmware,
    page: include_str!("../../../docs/findings/firmware/esps-out-of-step.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(boot) = UefiBoot::of(facts) else {
        return;
    };
    if !on_a_mirror(facts, boot.info) {
        return;
    }
    let own = |at: &&EspAt<'_>| {
        let mut starts = boot.starts.iter();
        boot.info.disks.contains(&at.disk.name)
            && starts.any(|start| start.at.part.name == at.part.name && start.end == End::Own)
    };
    let esps: Vec<_> = boot.esps.iter().filter(own).collect();
    let Some((first, others)) = esps.split_first() else {
        return;
    };
    for other in others {
        let (mine, theirs) = (programs(first), programs(other));
        let differ: Vec<Evidence> = mine
            .iter()
            .filter(|(path, digest)| theirs.get(*path) != Some(digest))
            .map(|(path, _)| {
                let what = match theirs.contains_key(path) {
                    true => "another version",
                    false => "nothing",
                };
                Evidence::seen(place(**other, path), what).expected("the same as on the other disk")
            })
            .collect();
        if differ.is_empty() {
            continue;
        }
        let finding = CHECK
            .finding(
                Severity::Note,
                &other.disk.name,
                format!(
                    "{} and {} have different boot loaders",
                    first.part.name, other.part.name
                ),
            )
            .with(differ)
            .because("an update reached the EFI system partition that was mounted, not the other")
            .by_hand("copy the newer /EFI over the other one, when both disks are in order");
        out.push(finding);
    }
}

/// The programs below /EFI by their paths in small letters, and digests.
fn programs<'f>(at: &EspAt<'f>) -> BTreeMap<String, &'f str> {
    let files = at.esp.files.iter().filter(|file| file.is_called_program());
    let known = files.filter_map(|file| {
        let path = file.path.to_ascii_lowercase();
        let digest = file.sha256.as_deref()?;
        path.starts_with("/efi/").then_some((path, digest))
    });
    known.collect()
}
