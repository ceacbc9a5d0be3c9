//! Beside the root there are volumes that could not be opened.

use std::path::Path;

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::{Origin, Search};

pub(super) const CHECK: Check = Check {
    id: "storage/volume-not-opened",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/volume-not-opened.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Search::Found(info) = &facts.search else {
        return;
    };
    for volume in &info.unopened {
        let finding = CHECK
            .finding(
                Severity::Note,
                &volume.name,
                format!("{} was not opened", volume.name),
            )
            .with([Evidence::seen(&volume.name, volume.why.as_str())]);
        out.push(finding);
    }
    // A rescue system on a partition of its own must not pass for the patient.
    let running = info.origin == Origin::AlreadyMounted && info.path == Path::new("/");
    if let (true, Some(first)) = (running, info.unopened.first()) {
        out.could_not_tell(
            Stage::Root,
            "which system is meant",
            format!(
                "the only root found is the one that is running, and {} was not opened; \
                 name the one you mean with --root-device",
                first.name
            ),
        );
    }
}
